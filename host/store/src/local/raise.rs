//! Raising the positions of a shard that is held, so that a later restoration is short.
//!
//! While a shard is held its commits are applied directly and their offsets are not known here. What is known is the log
//! itself. A position may rise to `e` when every committed record below `e` is in the store:
//!
//! 1. take `e`, the stable (read_committed) end of each changelog. All below is decided: committed or aborted;
//! 2. *then* take `h`, the read_uncommitted end of the host's changelog. A transaction with a record below some `e` was
//!    decided by then, so it had written its note to the host's changelog before: below `h`;
//! 3. wait until the stable end of the host's changelog has reached `h`, however late its markers come, and read the
//!    last note there: `n`. Every transaction of step 1 that committed has noted `n` or less;
//! 4. as soon as the state is whole at `n` or later, it contains all of them: the positions rise to `e`.
//!
//! It needs no word of the worker, so neither zombies nor commits with an unknown answer can deceive it: what counts is
//! what the log says was committed and what the store says it contains. Each step waits for the one before on a busy
//! shard too, because none needs a moment of quiet: what comes in between only makes `n` larger.

use super::Shared;
use fermata_core::{Offset, Sequence, Shard, Timestamp, changelog, ports::LogError};
use std::time::Duration;

/// A raise under way.
pub(super) struct Raise {
    began: Timestamp,
    /// `e`, by changelog.
    to: Vec<Offset>,
    /// `h`.
    noted_below: Offset,
    /// `n`.
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

    /// One step. `true`: positions have risen.
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
            raise.needs = self.last_note(shard, raise.noted_below)?;
        }
        let mut seat = self.seat(shard)?.lock();
        if !seat.is_held() || !seat.book.whole {
            return Ok(false);
        }
        if raise.needs.is_none_or(|needs| seat.sequence < needs) {
            seat.raise = Some(raise);
            return Ok(false);
        }
        for (changelog, to) in raise.to.into_iter().enumerate() {
            let to = self.position(&seat, changelog).map_or(to, |now| now.max(to));
            self.set_position(&mut seat, changelog, to);
        }
        seat.book.in_step = raise.began;
        seat.changes = 0;
        seat.raised = self.options.clock.elapsed();
        self.write("raising positions", [], Some((shard, &seat.book)))?;
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
        let to = self.ends(shard)?.into_iter().map(|bounds| bounds.end).collect();
        let host = &self.changelogs[self.host()].topic;
        let noted_below = self.log.bounds(host, shard)?.high;
        Ok(Raise {
            began,
            to,
            noted_below,
            needs: None,
        })
    }

    /// The newest sequence noted on the log; `None`: something below `noted_below` is not decided yet.
    fn last_note(&self, shard: Shard, noted_below: Offset) -> Result<Option<Sequence>, LogError> {
        let host = &self.changelogs[self.host()];
        if self.log.bounds(&host.topic, shard)?.end < noted_below {
            return Ok(None);
        }
        let Some(last) = self.log.last(&host.topic, shard)? else {
            return Ok(Some(Sequence(0)));
        };
        // The note is the last that a transaction writes there. A stranger's record says nothing: the next may.
        let change = changelog::change(&host.stage, &last).ok();
        Ok(change.as_ref().and_then(changelog::noted))
    }
}
