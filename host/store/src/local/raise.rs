//! Raising the position of a shard that is held, so that a later restoration is short.
//!
//! While a shard is held its commits are applied directly and their offsets are not known here. What is known is the log
//! itself. The position may rise to `e` when every committed record below `e` is in the store:
//!
//! 1. take `e`, the stable (read_committed) end of the shard's changelog. All below is decided: committed or aborted;
//! 2. *then* look at the last committed record, again and again until it is a note: `n`;
//! 3. as soon as the state is whole at `n` or later, the position rises to `e`.
//!
//! Why no commit T with a record below `e` notes more than `n`:
//!
//! - Commits of a shard are written one after another: who makes the next one has the journal record of the one before,
//!   so all its records lie behind all of that one's. The last record of each is its note. Between them lie only
//!   markers, records of transactions that are never committed, and a stranger's.
//! - Let `e'` be the stable end when the last record was looked at. It is `e` or more: stable ends never go back.
//! - Either T's note lies below `e'`. Then it was visible, and the last record lies there or behind: `n` is T's or later.
//! - Or somebody else's open transaction lies between T's record below `e` and its note. Then the last record that is
//!   visible is a change of T: those of earlier commits lie before T, those of later ones behind its note. A change is
//!   no note, and step 2 goes on. The same where a stranger's record comes last: it says nothing, the next may.
//!
//! Compaction takes the last record only if it is a tombstone and a week old, and nothing is open for so long. Late
//! markers only keep `e'` low. That the last record may lie behind `e` makes `n` larger, and the wait longer, no more.
//!
//! It needs no word of the worker, so neither zombies nor commits with an unknown answer can deceive it: what counts is
//! what the log says was committed and what the store says it contains. No step needs a moment of quiet on a busy shard.

use super::Shared;
use fermata_core::{Offset, Sequence, Shard, Timestamp, changelog, ports::LogError};
use std::time::Duration;

/// A raise under way.
pub(super) struct Raise {
    began: Timestamp,
    /// `e`.
    to: Offset,
    /// `n`, once there is a note to be seen.
    needs: Option<Sequence>,
}

/// An idle shard is looked after this often too, so that its state does not grow old.
const RENEW: Duration = Duration::from_secs(600);

impl Shared {
    pub(super) fn tend(&self) -> Result<(), LogError> {
        self.check()?;
        let mut risen = false;
        let mut failed = Ok(());
        for shard in (0..self.options.partitions).map(Shard) {
            match self.raise(shard) {
                Ok(rose) => risen |= rose,
                Err(found) => failed = Err(found),
            }
        }
        if risen {
            // What lies below a position need not be read again after a power cut either.
            self.sync()?;
        }
        failed
    }

    /// One step. `true`: the position has risen.
    fn raise(&self, shard: Shard) -> Result<bool, LogError> {
        let under_way = {
            let mut seat = self.seat(shard)?.lock();
            let under_way = seat.raise.take();
            if !seat.is_held() || !seat.book.whole {
                return Ok(false);
            }
            if under_way.is_none() && !self.is_due(&seat) {
                return Ok(false);
            }
            under_way
        };
        // The log is asked without the seat: commits go on.
        let mut raise = match under_way {
            Some(raise) => raise,
            None => self.begin_raise(shard)?,
        };
        if raise.needs.is_none() {
            raise.needs = self.last_note(shard)?;
        }
        let mut seat = self.seat(shard)?.lock();
        if !seat.is_held() || !seat.book.whole {
            return Ok(false);
        }
        if raise.needs.is_none_or(|needs| seat.sequence < needs) {
            seat.raise = Some(raise);
            return Ok(false);
        }
        seat.book.position = seat.book.position.max(Some(raise.to));
        seat.book.in_step = raise.began;
        seat.changes = 0;
        seat.raised = self.options.clock.elapsed();
        self.write("raising a position", [], Some((shard, &seat.book)))?;
        Ok(true)
    }

    fn is_due(&self, seat: &super::Seat) -> bool {
        let options = &self.options;
        let since = options.clock.elapsed().saturating_sub(seat.raised);
        seat.changes >= options.raise_changes
            || (seat.changes > 0 && since >= options.raise_after)
            || since >= RENEW.min(options.keep / 8)
    }

    fn begin_raise(&self, shard: Shard) -> Result<Raise, LogError> {
        let began = self.options.clock.now();
        let to = self.log.bounds(&self.changelog, shard)?.end;
        let needs = self.last_note(shard)?;
        Ok(Raise { began, to, needs })
    }

    /// The sequence that the last committed record notes; `None`: it is no note.
    fn last_note(&self, shard: Shard) -> Result<Option<Sequence>, LogError> {
        let Some(last) = self.log.last(&self.changelog, shard)? else {
            return Ok(Some(Sequence(0)));
        };
        Ok(changelog::change(&last).ok().as_ref().and_then(changelog::noted))
    }
}
