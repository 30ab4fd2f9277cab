//! [`Local`]: the state store beside a log that keeps a changelog.
//!
//! The log is the truth; this is a copy that can be made anew at any time. It has a database of its own, written without
//! waiting for the disk: a power cut may take the newest batches, never one in the middle, because the database syncs
//! its journal before it writes tables. So what is found after any end of the process is the state of some moment,
//! position and note included.
//!
//! Three facts about each shard carry everything ([`book`]):
//! - its *sequence*, noted in the state itself by every commit. While the book says that the shard is *whole*, the
//!   state is exactly that of the journal record with this sequence. Only whole state is ever processed on;
//! - its *position*: every committed record of the changelog below it is in the store. It may be too low (reading again what the store has does no harm, as long as it is read to its end), never too high;
//! - when it was last *in step*: every record that was written before that time is in the store. Tombstones leave the
//!   compacted changelog in the end; a store that is too old to have met them all is wiped ([`wipe`]).
//!
//! Read [`apply`] for what a commit does, [`restore`] for what happens when a shard comes, [`raise`] for how its
//! position rises while it is held, and [`follow`] for shards that others hold.

mod apply;
mod book;
mod follow;
mod holder;
mod open;
mod options;
mod raise;
mod reading;
mod restore;
mod seat;
mod wipe;

pub use open::DATABASE;
pub use options::LocalOptions;

use crate::{advice, stores::Stores};
use bytes::Bytes;
use fermata_core::{
    CommitId, Sequence, Shard, TopicName, codes,
    ports::{Log, LogError, Namespace, Restored, StateChange, StateError, StateRead, StateStore},
};
use fjall::{Keyspace, PersistMode};
use holder::Holder;
use parking_lot::{Condvar, Mutex};
use seat::Seat;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, OnceLock, atomic::AtomicU64},
    thread::JoinHandle,
    time::Duration,
};

/// State of one node, in a folder. Closing (dropping) it syncs what is left; snapshots and handles of workers keep the
/// folder in use until they are dropped too.
pub struct Local {
    shared: Arc<Shared>,
    /// Who calls the store itself and not by a handle.
    own: Holder,
    tending: Option<JoinHandle<()>>,
}

/// What the store, the handles of workers and the tending thread share.
pub(crate) struct Shared {
    folder: PathBuf,
    options: LocalOptions,
    log: Arc<dyn Log>,
    stores: Arc<Stores>,
    books: Keyspace,
    /// Partition by shard.
    changelog: TopicName,
    /// By shard. Several are taken in the order of their numbers.
    seats: Vec<Mutex<Seat>>,
    /// The newest commit that was applied.
    latest: AtomicU64,
    holders: AtomicU64,
    /// Shards to be kept warm while nobody here holds them.
    followed: Mutex<BTreeSet<Shard>>,
    /// Changes behind, as far as was last seen.
    warmth: Mutex<BTreeMap<Shard, u64>>,
    fatal: OnceLock<String>,
    closing: Mutex<bool>,
    closed: Condvar,
}

impl Shared {
    fn seat(&self, shard: Shard) -> Result<&Mutex<Seat>, LogError> {
        self.seats.get(shard.0 as usize).ok_or_else(|| {
            let found = self.seats.len();
            LogError::Fatal(format!(
                "{}: shard {shard} is asked of local state made for {found} partitions",
                codes::STATE_FAILED
            ))
        })
    }

    /// `Err` once a write has failed: nothing is known of the folder any more.
    fn check(&self) -> Result<(), LogError> {
        match self.fatal.get() {
            None => Ok(()),
            Some(found) => Err(LogError::Fatal(found.clone())),
        }
    }

    fn failed(&self, doing: &str, found: &dyn std::fmt::Display) -> LogError {
        let text = format!(
            "{}: {doing} in {}: {found}; look at the disk, then start again: what is missing is restored from the changelog",
            codes::STATE_FAILED,
            self.folder.display()
        );
        if self.fatal.set(text.clone()).is_ok() {
            tracing::error!("{text}");
            if let Some(tell) = &self.options.on_fatal {
                tell(&text);
            }
        }
        LogError::Fatal(self.fatal.get().cloned().unwrap_or(text))
    }

    fn refused(&self, doing: &str, found: &fjall::Error) -> LogError {
        self.failed(doing, &advice::of(found, &self.folder))
    }

    /// Everything that was written until now survives a power cut.
    fn sync(&self) -> Result<(), LogError> {
        let doing = "syncing state to the disk";
        let latest = CommitId(self.latest.load(std::sync::atomic::Ordering::Acquire));
        if let Some(hook) = &self.options.persist_hook {
            hook.before(latest).map_err(|found| self.failed(doing, &found))?;
        }
        let synced = self.stores.database.persist(PersistMode::SyncData);
        synced.map_err(|found| self.refused(doing, &found))?;
        if let Some(hook) = &self.options.persist_hook {
            hook.after(latest);
        }
        Ok(())
    }
}

impl Local {
    /// Keeps these shards warm while others hold them, in place of those named before. A shard that is released is
    /// followed too, until this is called again.
    pub fn follow(&self, shards: impl IntoIterator<Item = Shard>) {
        let known = |shard: &Shard| shard.0 < self.shared.options.partitions;
        *self.shared.followed.lock() = shards.into_iter().filter(known).collect();
    }

    /// Reads on in the changelog for followed shards for about `at_most`; records that are still to be read, as far as
    /// is known. The store does so by itself where [`LocalOptions::tend_every`] is set.
    pub fn standby(&self, at_most: Duration) -> Result<BTreeMap<Shard, u64>, LogError> {
        self.shared.standby(at_most)
    }

    /// Raises the positions of shards that are held, where that is due, and syncs. As [`Self::standby`].
    pub fn tend(&self) -> Result<(), LogError> {
        self.shared.tend()
    }

    /// How many changes each shard is behind, as far as was last seen: none where it is held. Shards that were never
    /// looked at are not among them.
    pub fn warmth(&self) -> BTreeMap<Shard, u64> {
        self.shared.warmth.lock().clone()
    }

    /// Namespaces that hold or held state, in order.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.shared.stores.namespaces()
    }

    /// Bytes on disk: tables and journals.
    pub fn disk_bytes(&self) -> Result<u64, LogError> {
        self.shared.check()?;
        let space = self.shared.stores.database.disk_space();
        space.map_err(|found| self.shared.refused("measuring the folder", &found))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        *self.shared.closing.lock() = true;
        self.shared.closed.notify_all();
        if let Some(thread) = self.tending.take() {
            // A panic in it has been reported where it happened.
            thread.join().ok();
        }
        if self.shared.check().is_ok() {
            // It has been reported; nobody is left to be told.
            self.shared.sync().ok();
        }
    }
}

impl StateRead for Local {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.own.get(namespace, shard, key)
    }
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        self.own.scan(namespace, shard, prefix, after, limit)
    }
}

impl StateStore for Local {
    fn restore(&self, shard: Shard, sequence: Sequence, at_most: Duration) -> Result<Restored, LogError> {
        self.own.restore(shard, sequence, at_most)
    }
    fn release(&self, shard: Shard) {
        self.own.release(shard);
    }
    fn for_worker(&self) -> Option<Arc<dyn StateStore>> {
        self.own.for_worker()
    }
    fn apply(&self, id: CommitId, changes: &[StateChange]) -> Result<(), StateError> {
        self.own.apply(id, changes)
    }
    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError> {
        self.own.snapshot()
    }
    fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> Result<u64, StateError> {
        self.own.fork(from, to, shard)
    }
}
