//! When a reader may process an emission at once, before it is on the log.
//!
//! A reader is fused on a topic only when nothing that this shard wrote there before is still unread by it: it has,
//! since the assignment, reached the end that the topic had then, and read every later record of this shard. The end is
//! that of what was written, not only of what is stable: another's open transaction may hide what an earlier owner of
//! this shard committed.

use super::lineage;
use fermata_core::{Offset, Record, Shard};

/// What one reader still has to read of one topic on this shard.
#[derive(Clone, Copy, Debug)]
pub struct Track {
    /// The end of what was written when the shard was assigned.
    end: Offset,
    caught_up: bool,
    /// Records that this shard appended since then and that the reader has not yet met.
    pending: u64,
}

impl Track {
    pub fn new(end: Offset, position: Offset) -> Self {
        Self {
            end,
            caught_up: position >= end,
            pending: 0,
        }
    }

    /// The reader now stands at `position`.
    pub fn reached(&mut self, position: Offset) {
        self.caught_up |= position >= self.end;
    }

    /// No committed record lies between the position and the end of then (offsets may have gaps).
    pub fn nothing_left(&mut self) {
        self.caught_up = true;
    }

    pub fn end(&self) -> Offset {
        self.end
    }
    pub fn caught_up(&self) -> bool {
        self.caught_up
    }

    /// This shard appended a record that the reader has to read.
    pub fn appended(&mut self) {
        self.pending += 1;
    }

    /// The reader met a record that it was not fused on.
    pub fn met(&mut self, record: &Record, shard: Shard) {
        if record.offset >= self.end && lineage::producing_shard(record) == Some(shard) {
            self.pending = self.pending.saturating_sub(1);
        }
    }

    pub fn open(&self) -> bool {
        self.caught_up && self.pending == 0
    }
}
