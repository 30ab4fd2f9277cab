//! How local state is opened.

use crate::options::{OnFatal, PersistHook};
use fermata_core::{
    PipelineName,
    ports::{Clock, SystemClock},
};
use std::{fmt, sync::Arc, time::Duration};

/// Sizes are bytes; the defaults suit a pipeline of a few dozen stores on a small machine.
#[derive(Clone)]
pub struct LocalOptions {
    pub pipeline: PipelineName,
    pub partitions: u32,
    /// Names the cluster and its changelog. State of another one is wiped.
    pub identity: String,
    /// State that was last in step longer ago than this is not caught up but wiped: half of the changelog's
    /// `delete.retention.ms`.
    pub keep: Duration,
    /// Tells how old state is.
    pub clock: Arc<dyn Clock>,
    /// How often positions are looked after, and every few times followed shards read on, in a thread of the store's
    /// own. `None`: no such thread, whoever opened the store calls [`super::Local::tend`] and [`super::Local::standby`].
    pub tend_every: Option<Duration>,
    /// Positions are raised once so many changes lie behind them...
    pub raise_changes: u64,
    /// ... or any change, for so long.
    pub raise_after: Duration,
    /// Blocks read from disk.
    pub cache_bytes: u64,
    /// Per store of a stage: written to disk as a table when it is full.
    pub memtable_bytes: u64,
    /// Write-ahead journals that are full and not yet in tables; at least 64 MiB.
    pub journal_bytes: u64,
    /// Told once when a write has failed; the process should stop with an error.
    pub on_fatal: Option<OnFatal>,
    /// For tests of durability: asked around each sync.
    pub persist_hook: Option<Arc<dyn PersistHook>>,
}

const MIB: u64 = 1024 * 1024;
/// `delete.retention.ms` of the changelog is seven days.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600 / 2);

impl LocalOptions {
    pub fn new(pipeline: PipelineName, partitions: u32, identity: impl Into<String>) -> LocalOptions {
        Self {
            pipeline,
            partitions,
            identity: identity.into(),
            keep: KEEP,
            clock: Arc::new(SystemClock::default()),
            tend_every: Some(Duration::from_secs(1)),
            raise_changes: 5_000,
            raise_after: Duration::from_secs(2),
            cache_bytes: 32 * MIB,
            memtable_bytes: 4 * MIB,
            journal_bytes: 64 * MIB,
            on_fatal: None,
            persist_hook: None,
        }
    }
}

impl fmt::Debug for LocalOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalOptions")
            .field("pipeline", &self.pipeline)
            .field("partitions", &self.partitions)
            .field("identity", &self.identity)
            .field("keep", &self.keep)
            .field("tend_every", &self.tend_every)
            .field("raise_changes", &self.raise_changes)
            .field("raise_after", &self.raise_after)
            .field("cache_bytes", &self.cache_bytes)
            .field("memtable_bytes", &self.memtable_bytes)
            .field("journal_bytes", &self.journal_bytes)
            .finish_non_exhaustive()
    }
}
