//! Reading the changelog into the store, a batch at a time.

use super::{Shared, seat::Seat};
use fermata_core::{
    Offset, Sequence, Shard, changelog,
    ports::{LogError, StateChange},
};
use std::{sync::Arc, time::Duration};

/// What one read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Some,
    /// Nothing committed lies at or behind the position, as of the read.
    Nothing,
    /// The log does not keep what would come next: the shard was wiped.
    Wiped,
}

/// A slice of time.
pub(super) struct Slice(Duration);

impl Shared {
    pub(super) fn slice(&self, at_most: Duration) -> Slice {
        Slice(self.options.clock.elapsed().saturating_add(at_most))
    }
    pub(super) fn over(&self, slice: &Slice) -> bool {
        self.options.clock.elapsed() >= slice.0
    }

    /// Reads once from `from`, the shard's position, and writes what came together with the new position. The state is
    /// not whole from then on: what came may end within a commit, or lie before what the store had.
    pub(super) fn read(&self, seat: &mut Seat, shard: Shard, from: Offset) -> Result<Read, LogError> {
        let records = match self.log.read(&self.changelog, shard, from, seat.limit) {
            Ok(records) => records,
            Err(LogError::Trimmed { start, .. }) => {
                let why = format!(
                    "offset {from} of {} is not kept any more (oldest: {start})",
                    self.changelog
                );
                self.wipe(seat, shard, &why)?;
                return Ok(Read::Wiped);
            }
            Err(other) => return Err(other),
        };
        let Some(last) = records.last() else {
            return Ok(Read::Nothing);
        };
        let next = last.offset.next();
        seat.adapt(records.len(), records.iter().map(fermata_core::Record::size).sum());
        let mut changes: Vec<StateChange> = Vec::with_capacity(records.len());
        for record in &records {
            match changelog::change(record) {
                Ok(mut change) => {
                    // One namespace for a run of records: it is looked up once.
                    if let Some(before) = changes.last().filter(|b| b.namespace == change.namespace) {
                        change.namespace = Arc::clone(&before.namespace);
                    }
                    changes.push(change);
                }
                // A stranger's: none of ours can be missing, or the sequence would tell.
                Err(strange) => tracing::warn!("{strange}; it is passed over"),
            }
        }
        seat.book.position = Some(next);
        if std::mem::replace(&mut seat.book.whole, false) {
            seat.book.reached = seat.book.reached.max(seat.sequence);
        }
        self.write("restoring state", &changes, Some((shard, &seat.book)))?;
        Ok(Read::Some)
    }

    /// The journal sequence that the state notes.
    pub(super) fn noted(&self, shard: Shard) -> Result<Sequence, LogError> {
        let namespace = changelog::shard_namespace();
        let found = self.stores.get(&namespace, shard, changelog::SEQUENCE_KEY);
        let found = found.map_err(|found| self.failed("reading state", &found))?;
        match found {
            None => Ok(Sequence(0)),
            Some(value) => changelog::sequence(&value)
                .ok_or_else(|| self.failed("reading state", &format!("the sequence of shard {shard} is damaged"))),
        }
    }
}
