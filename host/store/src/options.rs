//! How a store is opened.

use fermata_core::{CommitId, TopicName};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// Sizes are bytes. The defaults suit a pipeline of a few dozen topics and stores on a small machine: about 250 MiB
/// at most, whatever the length of the log.
#[derive(Clone)]
pub struct Options {
    /// Blocks read from disk, shared by all topics and stores.
    pub cache_bytes: u64,
    /// Per topic: written to disk as a table when it is full.
    pub log_memtable_bytes: u64,
    /// Per store of a stage: as above.
    pub state_memtable_bytes: u64,
    /// Write-ahead journals that are full and not yet in tables; at least 64 MiB. Opening reads them all.
    pub journal_bytes: u64,
    /// Newest records of all partitions kept in memory, where readers find nearly everything they ask for; a
    /// partition's share is at least 64 KiB. 0: none are kept.
    pub tail_bytes: usize,
    /// A topic begins a new generation (the unit of retention) at this size.
    pub generation_bytes: u64,
    /// Oldest generations are dropped while the log holds more, if every group has passed them. `None`: kept all.
    pub retention_bytes: Option<u64>,
    /// Topics that retention leaves alone: control, status, dead letters.
    pub kept: BTreeSet<TopicName>,
    /// Told once when nothing can be promised any more; the process should stop with an error.
    pub on_fatal: Option<OnFatal>,
    /// For tests of durability.
    pub persist_hook: Option<Arc<dyn PersistHook>>,
}

/// Gets the reason as a person reads it. It must not call the log.
pub type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

const MIB: u64 = 1024 * 1024;

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 32 * MIB,
            log_memtable_bytes: 16 * MIB,
            state_memtable_bytes: 16 * MIB,
            journal_bytes: 64 * MIB,
            tail_bytes: 32 * 1024 * 1024,
            generation_bytes: 64 * MIB,
            retention_bytes: None,
            kept: BTreeSet::new(),
            on_fatal: None,
            persist_hook: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("cache_bytes", &self.cache_bytes)
            .field("log_memtable_bytes", &self.log_memtable_bytes)
            .field("state_memtable_bytes", &self.state_memtable_bytes)
            .field("journal_bytes", &self.journal_bytes)
            .field("tail_bytes", &self.tail_bytes)
            .field("generation_bytes", &self.generation_bytes)
            .field("retention_bytes", &self.retention_bytes)
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

/// Stands between a commit and the disk.
pub trait PersistHook: Send + Sync {
    /// Before commit `_id` is given to the operating system, on the thread that commits; it must not block. An `Err`
    /// counts as a failed write.
    fn writing(&self, _id: CommitId) -> Result<(), String> {
        Ok(())
    }
    /// Before everything up to `_up_to` is synced, on the syncing thread. May block: the watermark then stays where it is. An `Err` counts
    /// as a failed sync. Closing the store waits for a hook that blocks.
    fn before(&self, _up_to: CommitId) -> Result<(), String> {
        Ok(())
    }
    /// The sync succeeded; the watermark is about to rise to `_up_to`.
    fn after(&self, _up_to: CommitId) {}
}
