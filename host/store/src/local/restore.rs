//! Bringing a shard's state to that of a journal record.
//!
//! The caller has seen the shard's journal stable, nothing of it hidden by an open transaction, and asks for its last
//! sequence. Only then is the end of the changelog taken, as a read_uncommitted reader sees it: the markers of one
//! transaction reach its partitions one by one (KAFKA-10167), so the changelog may still hide what the journal shows,
//! and an end taken earlier, or a read_committed one, could lie before it. The changelog is read to that end and through
//! what was open there, however long it stays open. Then the sequence noted in the state must be the one that was asked
//! for. The note is the last that a commit writes there, so all of it was read. (Of a later one a part may have been:
//! then the shard is somebody else's by now, and who asked can commit nothing on what it was given.)
//!
//! The position may lie below what the store has: reading that again replaces newer entries by older ones for a while,
//! and by the newest in the end. Nobody processes on the state meanwhile: it is not whole.

use super::{Shared, reading::Read, reading::Slice, seat::Seat};
use fermata_core::{
    Sequence, Shard, Timestamp, codes,
    ports::{Bounds, LogError, Restored},
};
use std::{sync::atomic::Ordering, time::Duration};

/// A restoration under way.
pub(super) struct Pass {
    asked: Sequence,
    /// Before `ends` were taken.
    began: Timestamp,
    ends: Bounds,
    /// How often the end was reached with another sequence, since the state was last wiped.
    missed: u32,
    /// It began at the start already.
    wiped: bool,
}

/// So often more is waited for, or for the caller to ask for a newer sequence.
const MISSES: u32 = 10;

enum Came {
    ToTheEnd,
    /// The slice was over, or an open transaction hides what comes next.
    NotYet,
}

impl Shared {
    pub(super) fn restore(
        &self,
        holder: u64,
        shard: Shard,
        asked: Sequence,
        at_most: Duration,
    ) -> Result<Restored, LogError> {
        self.check()?;
        let mut seat = self.seat(shard)?.lock();
        let seat = &mut *seat;
        seat.holders.insert(holder);
        if seat.book.whole && seat.sequence == asked {
            return self.ready(seat, shard);
        }
        let slice = self.slice(at_most);
        let mut pass = match seat.pass.take() {
            Some(pass) if pass.asked == asked => pass,
            // The journal has moved on since: ends and misses of an earlier record of it say nothing of this one.
            _ => self.begin(seat, shard, asked)?,
        };
        let came = self.read_to_ends(seat, shard, &mut pass, &slice);
        let answer = match came {
            Ok(Came::ToTheEnd) => self.judge(seat, shard, &mut pass),
            Ok(Came::NotYet) => Ok(false),
            Err(found) => Err(found),
        };
        let left = left(seat, &pass.ends);
        seat.pass = Some(pass);
        if answer? {
            return self.ready(seat, shard);
        }
        self.warmth.lock().insert(shard, left);
        // Something is left even where every record was read.
        Ok(Restored::Behind { left: left.max(1) })
    }

    fn ready(&self, seat: &mut Seat, shard: Shard) -> Result<Restored, LogError> {
        seat.pass = None;
        self.warmth.lock().insert(shard, 0);
        // Of this shard, whatever was committed until now.
        self.latest.fetch_max(self.log.durable().0, Ordering::AcqRel);
        Ok(Restored::Ready)
    }

    fn begin(&self, seat: &mut Seat, shard: Shard, asked: Sequence) -> Result<Pass, LogError> {
        self.wipe_stale(seat, shard)?;
        let began = self.options.clock.now();
        let ends = self.log.bounds(&self.changelog, shard)?;
        self.wipe_strange(seat, shard, &ends)?;
        Ok(Pass {
            asked,
            began,
            ends,
            missed: 0,
            wiped: false,
        })
    }

    /// A position behind the end is of another topic, or the topic lost records: what the store has is not its.
    pub(super) fn wipe_strange(&self, seat: &mut Seat, shard: Shard, ends: &Bounds) -> Result<(), LogError> {
        let (topic, high) = (&self.changelog, ends.high);
        let Some(position) = seat.book.position.filter(|position| *position > high) else {
            return Ok(());
        };
        let why = format!("it has {topic} up to offset {position}, and the topic ends at {high}");
        self.wipe(seat, shard, &why)
    }

    fn read_to_ends(&self, seat: &mut Seat, shard: Shard, pass: &mut Pass, slice: &Slice) -> Result<Came, LogError> {
        loop {
            let Some(position) = self.make_position(seat, shard, slice)? else {
                return Ok(Came::NotYet);
            };
            let end = pass.ends.high;
            if position >= end {
                return Ok(Came::ToTheEnd);
            }
            // Before the read: what it finds empty must have been stable by then.
            let stable = pass.ends.end;
            match self.read(seat, shard, position)? {
                Read::Some | Read::Wiped => {}
                // Nothing but markers and aborted records lie between.
                Read::Nothing if stable >= end => seat.book.position = Some(end),
                Read::Nothing => {
                    pass.ends.end = self.log.bounds(&self.changelog, shard)?.end;
                    if pass.ends.end < end {
                        return Ok(Came::NotYet);
                    }
                    continue;
                }
            }
            if self.over(slice) {
                return Ok(Came::NotYet);
            }
        }
    }

    /// `true`: the state is that of the journal record.
    fn judge(&self, seat: &mut Seat, shard: Shard, pass: &mut Pass) -> Result<bool, LogError> {
        let Pass { asked, began, .. } = *pass;
        seat.sequence = self.noted(shard)?;
        if seat.sequence == asked && seat.book.reached <= asked {
            seat.book.whole = true;
            seat.book.reached = asked;
            seat.book.in_step = began;
            seat.changes = 0;
            seat.raised = self.options.clock.elapsed();
            self.write("restoring state", [], Some((shard, &seat.book)))?;
            return Ok(true);
        }
        let found = seat.sequence.max(seat.book.reached);
        if pass.missed < MISSES {
            let missed = pass.missed + 1;
            *pass = Pass {
                missed,
                wiped: pass.wiped,
                ..self.begin(seat, shard, asked)?
            };
            return Ok(false);
        }
        if pass.wiped {
            return Err(LogError::Fatal(format!(
                "{}: the changelog of shard {shard}, read from the start, gives the state of journal record {found}; its \
                 journal ends with {asked}: compare the topics (fermata explain {})",
                codes::STATE_DIVERGED,
                codes::STATE_DIVERGED
            )));
        }
        let why = format!("it leads to the state of journal record {found}, the journal ends with {asked}");
        self.wipe(seat, shard, &why)?;
        pass.wiped = true;
        pass.missed = 0;
        Ok(false)
    }

    pub(super) fn release(&self, holder: u64, shard: Shard) {
        let Ok(seat) = self.seat(shard) else { return };
        let mut seat = seat.lock();
        if seat.holders.remove(&holder) && seat.holders.is_empty() {
            seat.pass = None;
            seat.raise = None;
            self.followed.lock().insert(shard);
        }
    }
}

/// How much of the changelog is still to be read, as of `ends`.
pub(super) fn left(seat: &Seat, ends: &Bounds) -> u64 {
    let position = seat.book.position.unwrap_or(ends.start);
    ends.high.0.saturating_sub(position.0)
}
