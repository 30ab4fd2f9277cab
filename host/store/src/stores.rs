//! Stores of state in one database: a keyspace for each namespace, found or made when it is asked for.

use crate::layout;
use bytes::Bytes;
use fermata_core::{
    Shard,
    ports::{Namespace, StateChange, StateError, StateRead},
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch as WriteBatch, Readable, Snapshot};
use parking_lot::RwLock;
use std::{collections::HashMap, ops::Bound, sync::Arc};

/// Entries copied in one batch.
const COPY: usize = 4096;

pub(crate) struct Stores {
    pub database: Database,
    memtable_bytes: u64,
    open: RwLock<HashMap<Namespace, Keyspace>>,
}

impl Stores {
    /// Opens the stores whose names are those of namespaces.
    pub fn open(database: Database, memtable_bytes: u64) -> Result<Self, fjall::Error> {
        let stores = Self {
            database,
            memtable_bytes,
            open: RwLock::default(),
        };
        for name in stores.database.list_keyspace_names() {
            if let Some(namespace) = layout::namespace_of(&name) {
                stores.existing(&namespace)?;
            }
        }
        Ok(stores)
    }

    /// The keyspace of a namespace; `None`: nothing was ever written there.
    fn existing(&self, namespace: &Namespace) -> Result<Option<Keyspace>, fjall::Error> {
        if let Some(found) = self.open.read().get(namespace) {
            return Ok(Some(found.clone()));
        }
        let name = layout::state_keyspace(namespace);
        if !self.database.keyspace_exists(&name) {
            return Ok(None);
        }
        let found = self.database.keyspace(&name, Default::default)?;
        self.open.write().insert(namespace.clone(), found.clone());
        Ok(Some(found))
    }

    /// The keyspace of a namespace, made on its first write.
    fn keyspace(&self, namespace: &Namespace) -> Result<Keyspace, fjall::Error> {
        if let Some(found) = self.open.read().get(namespace) {
            return Ok(found.clone());
        }
        let mut open = self.open.write();
        if let Some(found) = open.get(namespace) {
            return Ok(found.clone());
        }
        let name = layout::state_keyspace(namespace);
        let bytes = self.memtable_bytes;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(bytes);
        let made = self.database.keyspace(&name, options)?;
        open.insert(namespace.clone(), made.clone());
        Ok(made)
    }

    /// Namespaces that hold or held state, in order.
    pub fn namespaces(&self) -> Vec<Namespace> {
        let mut all: Vec<_> = self.open.read().keys().cloned().collect();
        all.sort();
        all
    }

    /// Adds changes to a batch. An error: a store could not be made.
    pub fn add<'a>(
        &self,
        batch: &mut WriteBatch,
        changes: impl IntoIterator<Item = &'a StateChange>,
    ) -> Result<(), fjall::Error> {
        // Changes of one store share their `Arc<Namespace>` and come mostly in runs.
        let mut last: Option<(&Arc<Namespace>, Keyspace)> = None;
        for change in changes {
            let keyspace = match last.take() {
                Some((namespace, keyspace)) if Arc::ptr_eq(namespace, &change.namespace) => keyspace,
                _ => self.keyspace(&change.namespace)?,
            };
            let key = layout::state_key(change.shard, &change.key);
            match &change.value {
                Some(value) => batch.insert(&keyspace, key, value.as_ref()),
                None => batch.remove(&keyspace, key),
            }
            last = Some((&change.namespace, keyspace));
        }
        Ok(())
    }

    pub fn picture(self: &Arc<Self>) -> Picture {
        Picture {
            snapshot: self.database.snapshot(),
            stores: Arc::clone(self),
        }
    }

    /// As of now.
    pub fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let read = || {
            let Some(keyspace) = self.existing(namespace)? else {
                return Ok(None);
            };
            keyspace.get(layout::state_key(shard, key))
        };
        let found = read().map_err(error(namespace, "read"))?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }
}

pub(crate) fn error<'a, E: std::fmt::Display>(
    namespace: &'a Namespace,
    doing: &'static str,
) -> impl FnOnce(E) -> StateError + 'a {
    move |found| StateError {
        namespace: layout::shown(namespace),
        doing,
        found: found.to_string(),
    }
}

/// A consistent picture. It keeps what it shows from being cleaned away: do not hold it for long.
pub(crate) struct Picture {
    stores: Arc<Stores>,
    pub snapshot: Snapshot,
}

impl StateRead for Picture {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let read = || {
            let Some(keyspace) = self.stores.existing(namespace)? else {
                return Ok(None);
            };
            self.snapshot.get(&keyspace, layout::state_key(shard, key))
        };
        let found = read().map_err(error(namespace, "read"))?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        let existing = self.stores.existing(namespace);
        let Some(keyspace) = existing.map_err(error(namespace, "scanned"))? else {
            return Ok(Vec::new());
        };
        scan(&self.snapshot, &keyspace, shard, prefix, after, limit).map_err(error(namespace, "scanned"))
    }
}

impl Picture {
    /// Copies all entries of a namespace and shard to another namespace, where they replace what the shard held. The
    /// entries are those of one moment; `write` gets them in several batches.
    pub fn copy(
        &self,
        from: &Namespace,
        to: &Namespace,
        shard: Shard,
        write: impl Fn(&[StateChange]) -> Result<(), StateError>,
    ) -> Result<u64, StateError> {
        let target = Arc::new(to.clone());
        let each = |namespace: &Namespace, change: &dyn Fn(Bytes, Bytes) -> StateChange| {
            let mut after: Option<Bytes> = None;
            let mut count = 0;
            loop {
                let entries = self.scan(namespace, shard, &[], after.as_deref(), COPY)?;
                let Some((last, _)) = entries.last() else {
                    return Ok(count);
                };
                after = Some(last.clone());
                count += entries.len() as u64;
                let changes: Vec<_> = entries.into_iter().map(|(k, v)| change(k, v)).collect();
                write(&changes)?;
            }
        };
        let change = |key, value| StateChange {
            namespace: Arc::clone(&target),
            shard,
            key,
            value,
        };
        each(to, &|key, _| change(key, None))?;
        each(from, &|key, value| change(key, Some(value)))
    }
}

fn scan(
    snapshot: &Snapshot,
    keyspace: &Keyspace,
    shard: Shard,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Bytes, Bytes)>, fjall::Error> {
    let first = layout::state_key(shard, prefix);
    let until = layout::behind(&first).map_or(Bound::Unbounded, Bound::Excluded);
    let from = match after {
        Some(after) if after >= prefix => Bound::Excluded(layout::state_key(shard, after)),
        _ => Bound::Included(first),
    };
    // An `after` behind everything under the prefix: the range would be upside down.
    if let (Bound::Excluded(from), Bound::Excluded(until)) = (&from, &until)
        && from >= until
    {
        return Ok(Vec::new());
    }
    let entries = snapshot.range(keyspace, (from, until)).take(limit);
    entries
        .map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((Bytes::copy_from_slice(&key[4..]), Bytes::copy_from_slice(&value)))
        })
        .collect()
}
