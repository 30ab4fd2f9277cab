//! State in memory, for a log that keeps none but its changelog.

use bytes::Bytes;
use fermata_core::{
    CommitId, Shard,
    ports::{Namespace, StateChange, StateError, StateRead},
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, ops::Bound, sync::Arc};

type Entries = BTreeMap<Bytes, Bytes>;

#[derive(Clone, Default)]
struct Picture {
    entries: BTreeMap<(Namespace, Shard), Arc<Entries>>,
    latest: u64,
}

#[derive(Default)]
pub struct Memory(Mutex<Picture>);

impl Picture {
    fn write(&mut self, changes: &[StateChange]) {
        for change in changes {
            let place = ((*change.namespace).clone(), change.shard);
            let entries = Arc::make_mut(self.entries.entry(place).or_default());
            match &change.value {
                Some(value) => entries.insert(change.key.clone(), value.clone()),
                None => entries.remove(&change.key),
            };
        }
    }
}

impl Memory {
    /// `last`: the newest commit that the log knows of.
    pub fn apply(&self, id: CommitId, last: CommitId, changes: &[StateChange]) -> Result<(), StateError> {
        if id > last {
            return Err(StateError {
                namespace: "the state in memory".into(),
                doing: "applied",
                found: format!("commit {id} was never made (the last is {last})"),
            });
        }
        let mut picture = self.0.lock();
        picture.write(changes);
        picture.latest = picture.latest.max(id.0);
        Ok(())
    }

    /// What the changelog says of a shard, instead of what was there.
    pub fn restore(&self, shard: Shard, changes: &[StateChange]) {
        let mut picture = self.0.lock();
        picture.entries.retain(|(_, of), _| *of != shard);
        picture.write(changes);
    }

    pub fn snapshot(&self) -> (CommitId, Arc<dyn StateRead>) {
        let picture = self.0.lock().clone();
        (CommitId(picture.latest), Arc::new(picture))
    }

    pub fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> u64 {
        let mut picture = self.0.lock();
        let source = picture.entries.get(&(from.clone(), shard)).cloned().unwrap_or_default();
        let count = source.len() as u64;
        picture.entries.insert((to.clone(), shard), source);
        count
    }
}

impl StateRead for Picture {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let entries = self.entries.get(&(namespace.clone(), shard));
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
        let Some(entries) = self.entries.get(&(namespace.clone(), shard)) else {
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

impl StateRead for Memory {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.0.lock().get(namespace, shard, key)
    }
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        self.0.lock().scan(namespace, shard, prefix, after, limit)
    }
}
