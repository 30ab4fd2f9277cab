//! Committed state: a changelog, and what of it is shown.

use super::{Simulated, world::Effects};
use bytes::Bytes;
use fermata_core::{
    CommitId, Shard,
    ports::{Namespace, StateChange, StateError, StateRead, StateStore},
};
use std::{collections::BTreeMap, ops::Bound, sync::Arc};

type Entries = BTreeMap<Bytes, Bytes>;

#[derive(Clone, Default)]
pub struct State {
    /// Shared with snapshots.
    shown: BTreeMap<(Namespace, Shard), Arc<Entries>>,
    /// Committed and not shown yet.
    pending: BTreeMap<u64, Vec<StateChange>>,
    /// The last commit of which anything is shown.
    latest: u64,
}

impl State {
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.shown.keys().map(|(namespace, _)| namespace.clone()).collect()
    }

    pub fn commit(&mut self, id: u64, changes: Vec<StateChange>) {
        if changes.is_empty() {
            self.latest = self.latest.max(id);
        } else {
            self.pending.insert(id, changes);
        }
    }

    pub fn show(&mut self, id: u64, changes: &[StateChange]) {
        self.latest = self.latest.max(id);
        for change in changes {
            let place = ((*change.namespace).clone(), change.shard);
            let entries = Arc::make_mut(self.shown.entry(place).or_default());
            match &change.value {
                Some(value) => entries.insert(change.key.clone(), value.clone()),
                None => entries.remove(&change.key),
            };
        }
    }

    /// What a dead or fenced holder committed and never applied, read from the changelog.
    pub fn catch_up(&mut self, shard: Shard) {
        let mut found = Vec::new();
        for (id, changes) in &mut self.pending {
            let (own, rest) = std::mem::take(changes)
                .into_iter()
                .partition(|c: &StateChange| c.shard == shard);
            *changes = rest;
            found.push((*id, own));
        }
        self.pending.retain(|_, changes| !changes.is_empty());
        for (id, changes) in found {
            if !changes.is_empty() {
                self.show(id, &changes);
            }
        }
    }

    /// Changes that a take-over has already shown are not shown again: the new holder may have gone on from them.
    fn apply(&mut self, id: u64, changes: &[StateChange]) -> Result<(), String> {
        let Some(pending) = self.pending.remove(&id) else {
            return Ok(());
        };
        if let Some(foreign) = pending.iter().find(|p| !changes.contains(p)) {
            return Err(format!(
                "commit {id} carried a change of {:?} that is not applied",
                foreign.key
            ));
        }
        let earlier = self
            .pending
            .iter()
            .find(|(before, c)| **before < id && c.iter().any(|c| pending.iter().any(|p| p.shard == c.shard)));
        if let Some((before, _)) = earlier {
            return Err(format!("commit {before} of the same shard was never applied"));
        }
        self.show(id, &pending);
        Ok(())
    }
}

impl StateRead for State {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let entries = self.shown.get(&(namespace.clone(), shard));
        Ok(entries.and_then(|e| e.get(key).cloned()))
    }

    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        let Some(entries) = self.shown.get(&(namespace.clone(), shard)) else {
            return Ok(Vec::new());
        };
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let range = entries.range::<[u8], _>((from, Bound::Unbounded));
        let under = range.take_while(|(key, _)| key.starts_with(prefix));
        Ok(under.take(limit).map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}

fn error(doing: &'static str, found: String) -> StateError {
    StateError {
        namespace: "the simulated store".into(),
        doing,
        found,
    }
}

impl StateRead for Simulated {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.world.lock().state.get(namespace, shard, key)
    }
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        self.world.lock().state.scan(namespace, shard, prefix, after, limit)
    }
}

impl StateStore for Simulated {
    fn apply(&self, id: CommitId, changes: &[StateChange]) -> Result<(), StateError> {
        let mut world = self.world.lock();
        if id.0 > world.last {
            let found = format!("commit {id} was never made (the last is {})", world.last);
            return Err(error("applied", found));
        }
        world
            .state
            .apply(id.0, changes)
            .map_err(|found| error("applied", found))
    }

    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError> {
        let world = self.world.lock();
        let picture = State {
            pending: BTreeMap::new(),
            ..world.state.clone()
        };
        Ok((CommitId(picture.latest), Arc::new(picture)))
    }

    fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> Result<u64, StateError> {
        let mut world = self.world.lock();
        let place = |namespace: &Namespace| (namespace.clone(), shard);
        let source = world.state.shown.get(&place(from)).cloned().unwrap_or_default();
        let old = world.state.shown.get(&place(to)).cloned().unwrap_or_default();
        let namespace = Arc::new(to.clone());
        let change = |key: &Bytes, value: Option<&Bytes>| StateChange {
            namespace: Arc::clone(&namespace),
            shard,
            key: key.clone(),
            value: value.cloned(),
        };
        let mut changes: Vec<_> = old.keys().map(|key| change(key, None)).collect();
        changes.extend(source.iter().map(|(key, value)| change(key, Some(value))));
        let effects = Effects {
            changes: changes.clone(),
            ..Effects::default()
        };
        let id = world.commit(None, effects);
        world
            .state
            .apply(id, &changes)
            .map_err(|found| error("forked", found))?;
        Ok(source.len() as u64)
    }
}
