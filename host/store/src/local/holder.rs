//! A handle of one worker.
//!
//! Several workers share the store of their process, and a worker may hear late that it lost a shard to another one of
//! them: what it says of the shard then must not touch what the other holds.

use super::Shared;
use crate::stores::error;
use bytes::Bytes;
use fermata_core::{
    CommitId, Sequence, Shard,
    ports::{LogError, Namespace, Restored, StateChange, StateError, StateRead, StateStore},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

pub(super) struct Holder {
    pub shared: Arc<Shared>,
    id: u64,
    held: Mutex<BTreeSet<Shard>>,
}

impl Holder {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            id: shared.holders.fetch_add(1, Ordering::Relaxed),
            held: Mutex::default(),
            shared,
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        for shard in std::mem::take(&mut *self.held.lock()) {
            self.shared.release(self.id, shard);
        }
    }
}

impl StateRead for Holder {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.shared.stores.get(namespace, shard, key)
    }
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        let picture = self.shared.stores.picture();
        picture.scan(namespace, shard, prefix, after, limit)
    }
}

impl StateStore for Holder {
    fn restore(&self, shard: Shard, sequence: Sequence, at_most: Duration) -> Result<Restored, LogError> {
        self.held.lock().insert(shard);
        self.shared.restore(self.id, shard, sequence, at_most)
    }

    fn release(&self, shard: Shard) {
        if self.held.lock().remove(&shard) {
            self.shared.release(self.id, shard);
        }
    }

    fn for_worker(&self) -> Option<Arc<dyn StateStore>> {
        Some(Arc::new(Self::new(Arc::clone(&self.shared))))
    }

    fn apply(&self, id: CommitId, changes: &[StateChange]) -> Result<(), StateError> {
        let holds = |shard| self.held.lock().contains(&shard);
        self.shared.apply(&holds, id, changes)
    }

    /// The number is at least that of the last commit in the picture; what was applied is on the log for good.
    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError> {
        self.shared.healthy("pictured")?;
        let picture = self.shared.stores.picture();
        let latest = CommitId(self.shared.latest.load(Ordering::Acquire));
        Ok((latest, Arc::new(picture)))
    }

    /// On this node only: no changelog knows of the copy.
    fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> Result<u64, StateError> {
        self.shared.healthy("forked")?;
        self.shared.stores.picture().copy(from, to, shard, |changes| {
            let written = self.shared.write("copying state", changes, None);
            written.map_err(error(to, "written"))
        })
    }
}
