//! Committed state: reads as of now, snapshots, copies.

use crate::{
    commit::Work,
    embedded::{Embedded, Shared, namespace_of},
    layout,
};
use bytes::Bytes;
use fermata_core::{
    CommitId, Shard,
    ports::{Namespace, StateChange, StateError, StateRead, StateStore},
};
use fjall::{Keyspace, Readable, Snapshot};
use std::{ops::Bound, sync::Arc};

/// Entries copied in one batch by [`StateStore::fork`].
const COPY: usize = 4096;

impl Shared {
    /// The keyspace of a namespace; `None`: nothing was ever written there.
    fn existing(&self, namespace: &Namespace) -> Result<Option<Keyspace>, fjall::Error> {
        if let Some(found) = self.state.read().get(namespace) {
            return Ok(Some(found.clone()));
        }
        let name = layout::state_keyspace(namespace);
        if !self.database.keyspace_exists(&name) {
            return Ok(None);
        }
        let found = self.database.keyspace(&name, Default::default)?;
        self.state.write().insert(namespace.clone(), found.clone());
        Ok(Some(found))
    }

    /// Opens the stores whose names are those of namespaces.
    pub fn find_state(&self) -> Result<(), fjall::Error> {
        for name in self.database.list_keyspace_names() {
            if let Some(namespace) = namespace_of(&name) {
                self.existing(&namespace)?;
            }
        }
        Ok(())
    }
}

fn error<'a, E: std::fmt::Display>(namespace: &'a Namespace, doing: &'static str) -> impl FnOnce(E) -> StateError + 'a {
    move |found| StateError {
        namespace: layout::shown(namespace),
        doing,
        found: found.to_string(),
    }
}

/// A consistent picture. It keeps what it shows from being cleaned away: do not hold it for long.
struct Picture {
    shared: Arc<Shared>,
    snapshot: Snapshot,
}

impl StateRead for Picture {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let read = || {
            let Some(keyspace) = self.shared.existing(namespace)? else {
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
        let existing = self.shared.existing(namespace);
        let Some(keyspace) = existing.map_err(error(namespace, "scanned"))? else {
            return Ok(Vec::new());
        };
        scan(&self.snapshot, &keyspace, shard, prefix, after, limit).map_err(error(namespace, "scanned"))
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

impl StateRead for Embedded {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let read = || {
            let Some(keyspace) = self.shared.existing(namespace)? else {
                return Ok(None);
            };
            keyspace.get(layout::state_key(shard, key))
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
        self.picture().scan(namespace, shard, prefix, after, limit)
    }
}

impl Embedded {
    fn picture(&self) -> Picture {
        Picture {
            shared: Arc::clone(&self.shared),
            snapshot: self.shared.database.snapshot(),
        }
    }
}

impl StateStore for Embedded {
    /// The changes were in the commit's own batch: only the number is checked.
    fn apply(&self, id: CommitId, changes: &[StateChange]) -> Result<(), StateError> {
        let last = self.shared.durability.committed();
        if id.0 <= last {
            return Ok(());
        }
        Err(StateError {
            namespace: changes
                .first()
                .map_or_else(|| "every stage".into(), |c| layout::shown(&c.namespace)),
            doing: "applied",
            found: format!("commit {id} was never made (the last is {last})"),
        })
    }

    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError> {
        let failed = |found: String| StateError {
            namespace: "every stage".into(),
            doing: "pictured",
            found,
        };
        let checked = self.shared.durability.check();
        checked.map_err(|found| failed(found.to_string()))?;
        let picture = self.picture();
        // The number lies in the picture itself: no lock is needed for the two to agree.
        let last = picture.snapshot.get(&self.shared.meta, layout::COMMIT);
        let last = last.map_err(|found| failed(found.to_string()))?;
        let last = last.map_or(Some(0), |value| layout::parse_u64(&value));
        let last = last.ok_or_else(|| failed("the number of the last commit is damaged".into()))?;
        Ok((CommitId(last), Arc::new(picture)))
    }

    /// What `to` held of the shard is replaced. The entries are those of one moment; they arrive in several commits.
    fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> Result<u64, StateError> {
        let picture = self.picture();
        let target = Arc::new(to.clone());
        let each = |namespace: &Namespace, change: &dyn Fn(Bytes, Bytes) -> StateChange| {
            let mut after: Option<Bytes> = None;
            let mut count = 0;
            loop {
                let entries = picture.scan(namespace, shard, &[], after.as_deref(), COPY)?;
                let Some((last, _)) = entries.last() else {
                    return Ok(count);
                };
                after = Some(last.clone());
                count += entries.len() as u64;
                let changes: Vec<_> = entries.into_iter().map(|(k, v)| change(k, v)).collect();
                let work = Work {
                    changes: &changes,
                    ..Work::default()
                };
                let written = self.shared.write(self.shared.writer.lock(), work);
                written.map_err(error(to, "written"))?;
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
