//! State of one task in memory, from nothing.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use fermata_core::Shard;
use fermata_core::ports::{Namespace, StateChange, StateError, StateRead};
use parking_lot::RwLock;

#[derive(Default)]
pub struct MemoryState(RwLock<BTreeMap<Namespace, BTreeMap<Bytes, Bytes>>>);

impl MemoryState {
    pub fn apply(&self, changes: Vec<StateChange>) {
        let mut spaces = self.0.write();
        for change in changes {
            let space = spaces.entry((*change.namespace).clone()).or_default();
            match change.value {
                Some(value) => space.insert(change.key, value),
                None => space.remove(&change.key),
            };
        }
    }
}

/// One task has one shard, so the shard is not looked at.
impl StateRead for MemoryState {
    fn get(&self, namespace: &Namespace, _shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        Ok(self.0.read().get(namespace).and_then(|space| space.get(key)).cloned())
    }

    fn scan(
        &self,
        namespace: &Namespace,
        _shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        let spaces = self.0.read();
        let Some(space) = spaces.get(namespace) else {
            return Ok(Vec::new());
        };
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let entries = space
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix));
        Ok(entries
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }
}
