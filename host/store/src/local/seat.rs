//! One shard's place in the store.

use super::{book::Book, raise::Raise, restore::Pass};
use bytes::Bytes;
use fermata_core::{Sequence, ports::Namespace};
use std::{collections::BTreeSet, time::Duration};

pub(super) struct Seat {
    pub book: Book,
    /// As noted in the state; to be relied on while it is whole.
    pub sequence: Sequence,
    /// Who has restored the shard and not released it. More than one only while one of them has yet to hear that it
    /// lost the shard. While there is any, nobody else writes here.
    pub holders: BTreeSet<u64>,
    /// A restoration under way.
    pub pass: Option<Pass>,
    /// How far a wipe has come.
    pub swept: Option<(Namespace, Bytes)>,
    /// A raise of positions under way.
    pub raise: Option<Raise>,
    /// Changes applied since positions were raised, and when that was (monotonic).
    pub changes: u64,
    pub raised: Duration,
    /// Records to be read at once, so that about [`READ_BYTES`] come.
    pub limit: usize,
}

const READ_BYTES: usize = 8 * 1024 * 1024;
const FIRST_READ: usize = 500;
const MOST_READ: usize = 5_000;

impl Seat {
    pub fn new(book: Book, sequence: Sequence) -> Self {
        Self {
            book,
            sequence,
            holders: BTreeSet::new(),
            pass: None,
            swept: None,
            raise: None,
            changes: 0,
            raised: Duration::ZERO,
            limit: FIRST_READ,
        }
    }

    pub fn is_held(&self) -> bool {
        !self.holders.is_empty()
    }

    /// `records` of `bytes` were read at once.
    pub fn adapt(&mut self, records: usize, bytes: usize) {
        let size = (bytes / records.max(1)).max(1);
        self.limit = (READ_BYTES / size).clamp(1, MOST_READ);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_records_are_read_few_at_a_time() {
        let mut seat = Seat::new(Book::default(), Sequence(0));
        seat.adapt(500, 500 * 100);
        assert_eq!(seat.limit, MOST_READ);
        seat.adapt(10, 10 * 1024 * 1024);
        assert_eq!(seat.limit, 8);
        seat.adapt(1, usize::MAX);
        assert_eq!(seat.limit, 1);
        seat.adapt(1, 0);
        assert_eq!(seat.limit, MOST_READ);
    }
}
