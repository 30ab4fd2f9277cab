//! By how many bytes the changes of a batch make the state grow, keys and values.

use super::{Overlay, Savepoint};
use bytes::Bytes;
use fermata_core::Shard;
use fermata_core::ports::{Namespace, StateError, StateRead};
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Bytes that an entry takes; none is there: 0.
pub fn size(key: &[u8], value: Option<&Bytes>) -> u64 {
    value.map_or(0, |value| (key.len() + value.len()) as u64)
}

fn difference(after: u64, before: u64) -> i64 {
    after as i64 - before as i64
}

impl Overlay {
    pub fn wrote_since(&self, savepoint: Savepoint) -> bool {
        self.undo.len() > savepoint.0
    }

    /// Every namespace written in this batch, with the bytes that its entries take: never less than they add.
    pub fn written(&self) -> impl Iterator<Item = (&Arc<Namespace>, u64)> {
        self.spaces.iter().map(|space| {
            let sizes = space.entries.iter().map(|(key, value)| size(key, value.as_ref()));
            (&space.namespace, sizes.sum())
        })
    }

    /// Bytes that a namespace has grown by in this batch.
    pub fn growth(&mut self, state: &dyn StateRead, namespace: &Namespace, shard: Shard) -> Result<i64, StateError> {
        let Some(space) = self.find(namespace) else {
            return Ok(0);
        };
        let entries = std::mem::take(&mut self.spaces[space].entries);
        let grown = entries.iter().map(|(key, value)| {
            let before = self.committed(state, space, shard, key)?;
            Ok(difference(size(key, value.as_ref()), before))
        });
        let grown = grown.sum();
        self.spaces[space].entries = entries;
        grown
    }

    /// Bytes that the namespaces that `counts` picks have grown by since `savepoint`.
    pub fn growth_since(
        &mut self,
        savepoint: Savepoint,
        state: &dyn StateRead,
        shard: Shard,
        counts: impl Fn(&Namespace) -> bool,
    ) -> Result<i64, StateError> {
        let mut seen = BTreeSet::new();
        let mut grown = 0;
        for step in savepoint.0..self.undo.len() {
            let undo = &self.undo[step];
            let (space, key) = (undo.space, undo.key.clone());
            if !counts(&self.spaces[space].namespace) || !seen.insert((space, key.clone())) {
                continue;
            }
            let before = match &undo.before {
                Some(value) => size(&key, value.as_ref()),
                None => self.committed(state, space, shard, &key)?,
            };
            let now = self.spaces[space].entries.get(&key).and_then(Option::as_ref);
            grown += difference(size(&key, now), before);
        }
        Ok(grown)
    }

    /// Bytes of a committed entry; read once a batch.
    fn committed(&mut self, state: &dyn StateRead, space: usize, shard: Shard, key: &Bytes) -> Result<u64, StateError> {
        let space = &mut self.spaces[space];
        Ok(match space.committed.entry(key.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let value = state.get(&space.namespace, shard, key)?;
                *unknown.insert(size(key, value.as_ref()))
            }
        })
    }
}
