//! When a batch ends although records that were polled for it are left: what stages make of a record, and how long they
//! take, is their own choice, and the memory and the neighbours are the host's.

use super::Worker;
use fermata_core::Shard;
use std::time::Duration;

/// Bytes that the open transaction may hold: appended records, changes of state and of metrics.
const BYTES: usize = 32 << 20;
/// How many times longer than a batch is meant to take. Records that are as fast as they should be never need it.
const OVERRUN: u32 = 10;

impl Worker {
    /// Shall the batch end before its next record? `begun`: when the first of those polled was (monotonic).
    pub(super) fn is_overfull(&self, shard: Shard, begun: Duration) -> bool {
        let tasks = self.shards.get(&shard).map_or(&[][..], |state| &state.tasks);
        let uncommitted: usize = tasks.iter().map(|task| task.weight()).sum();
        self.batch.bytes + uncommitted > BYTES
            || self.spec.clock.elapsed().saturating_sub(begun) > self.pace.gathering(self.spec.batch.time) * OVERRUN
    }
}
