//! The uncommitted state changes of a batch, with an undo log so that one record's writes can be taken back.

use bytes::Bytes;
use fermata_core::Shard;
use fermata_core::ports::{Namespace, StateChange, StateError, StateRead};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

mod growth;

#[derive(Default)]
pub struct Overlay {
    spaces: Vec<Space>,
    undo: Vec<Undo>,
    /// Bytes written since the changes were last handed over, undone ones included.
    written: usize,
}

/// Bytes of bookkeeping for one entry.
const ENTRY: usize = 128;

struct Space {
    namespace: Arc<Namespace>,
    /// `None`: deleted in this batch.
    entries: BTreeMap<Bytes, Option<Bytes>>,
    /// Bytes of committed entries, of those that somebody had to know.
    committed: BTreeMap<Bytes, u64>,
}

struct Undo {
    space: usize,
    key: Bytes,
    before: Option<Option<Bytes>>,
}

/// A moment in the overlay's history, to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Savepoint(usize);

impl Overlay {
    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.undo.len())
    }

    /// Takes back everything since `savepoint`, in reverse.
    pub fn undo_to(&mut self, savepoint: Savepoint) {
        while self.undo.len() > savepoint.0 {
            let Some(step) = self.undo.pop() else { break };
            let entries = &mut self.spaces[step.space].entries;
            match step.before {
                Some(value) => entries.insert(step.key, value),
                None => entries.remove(&step.key),
            };
        }
    }

    /// Nothing before this moment will be undone any more.
    pub fn settle(&mut self) {
        self.undo.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.spaces.iter().all(|s| s.entries.is_empty())
    }

    pub fn clear(&mut self) {
        self.spaces.clear();
        self.undo.clear();
        self.written = 0;
    }

    /// About how many bytes of memory it takes.
    pub fn weight(&self) -> usize {
        self.written
    }

    fn find(&self, namespace: &Namespace) -> Option<usize> {
        // Mostly the very same one: no names need to be compared.
        let same = |s: &Space| std::ptr::eq(&*s.namespace, namespace) || *s.namespace == *namespace;
        self.spaces.iter().position(same)
    }

    pub fn get(
        &self,
        state: &dyn StateRead,
        namespace: &Namespace,
        shard: Shard,
        key: &[u8],
    ) -> Result<Option<Bytes>, StateError> {
        if let Some(value) = self.find(namespace).and_then(|s| self.spaces[s].entries.get(key)) {
            return Ok(value.clone());
        }
        state.get(namespace, shard, key)
    }

    pub fn write(&mut self, namespace: &Arc<Namespace>, key: &[u8], value: Option<Bytes>) {
        let space = self.find(namespace).unwrap_or_else(|| {
            self.spaces.push(Space {
                namespace: namespace.clone(),
                entries: BTreeMap::new(),
                committed: BTreeMap::new(),
            });
            self.spaces.len() - 1
        });
        self.written += ENTRY + key.len() + value.as_ref().map_or(0, Bytes::len);
        let key = Bytes::copy_from_slice(key);
        let before = self.spaces[space].entries.insert(key.clone(), value);
        self.undo.push(Undo { space, key, before });
    }

    /// Committed entries and those of this batch, merged, as [`StateRead::scan`] answers.
    pub fn scan(
        &self,
        state: &dyn StateRead,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        let Some(space) = self
            .find(namespace)
            .map(|s| &self.spaces[s])
            .filter(|s| !s.entries.is_empty())
        else {
            return state.scan(namespace, shard, prefix, after, limit);
        };
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut own = space
            .entries
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .peekable();
        let mut merged = Vec::new();
        let mut cursor: Option<Bytes> = after.map(Bytes::copy_from_slice);
        // Committed entries come in pages, because deletions here may hide any number of them.
        let page_size = limit.clamp(1, 256);
        loop {
            let page = state.scan(namespace, shard, prefix, cursor.as_deref(), page_size)?;
            let last_page = page.len() < page_size;
            cursor = page.last().map(|(key, _)| key.clone()).or(cursor);
            for (key, value) in page {
                while let Some((own_key, own_value)) = own.next_if(|(k, _)| **k < key) {
                    merged.extend(own_value.clone().map(|v| (own_key.clone(), v)));
                    if merged.len() >= limit {
                        return Ok(merged);
                    }
                }
                match own.next_if(|(k, _)| **k == key) {
                    Some((_, own_value)) => merged.extend(own_value.clone().map(|v| (key, v))),
                    None => merged.push((key, value)),
                }
                if merged.len() >= limit {
                    return Ok(merged);
                }
            }
            if last_page {
                break;
            }
        }
        for (key, value) in own {
            if merged.len() >= limit {
                break;
            }
            merged.extend(value.clone().map(|v| (key.clone(), v)));
        }
        Ok(merged)
    }

    /// Hands the changes over to a commit; the overlay is empty then.
    pub fn drain(&mut self, shard: Shard, into: &mut Vec<StateChange>) {
        self.undo.clear();
        self.written = 0;
        for space in &mut self.spaces {
            let namespace = &space.namespace;
            space.committed.clear();
            into.extend(
                std::mem::take(&mut space.entries)
                    .into_iter()
                    .map(|(key, value)| StateChange {
                        namespace: namespace.clone(),
                        shard,
                        key,
                        value,
                    }),
            );
        }
    }
}
