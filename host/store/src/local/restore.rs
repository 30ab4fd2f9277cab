//! Bringing a shard's state to that of a journal record.
//!
//! The caller has seen the shard's journal stable, nothing of it hidden by an open transaction, and asks for its last
//! sequence. Only then are the ends of the changelogs taken, as a read_uncommitted reader sees them: the markers of one
//! transaction reach its partitions one by one (KAFKA-10167), so a changelog may still hide what the journal shows, and
//! an end taken earlier, or a read_committed one, could lie before it. Each changelog is read to its end and through
//! what was open there. In the end the sequence noted in the state must be the one that was asked for.
//!
//! Positions may lie below what the store has: reading that again replaces newer entries by older ones for a while, and
//! by the newest in the end. Nobody processes on the state meanwhile: it is not whole.

use super::{Shared, reading::Read, reading::Slice, seat::Seat};
use fermata_core::{
    Sequence, Shard, Timestamp, codes,
    ports::{Bounds, LogError, Restored},
};
use std::{sync::atomic::Ordering, time::Duration};

/// A restoration under way.
pub(super) struct Pass {
    asked: Sequence,
    /// Before the ends were taken.
    began: Timestamp,
    /// By changelog.
    ends: Vec<Bounds>,
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
            // The journal has moved on since: ends taken for an earlier record of it say nothing of this one.
            _ => self.begin(seat, shard, asked)?,
        };
        let came = self.read_to_ends(seat, shard, &mut pass, &slice);
        let answer = match came {
            Ok(Came::ToTheEnd) => self.judge(seat, shard, &mut pass),
            Ok(Came::NotYet) => Ok(false),
            Err(found) => Err(found),
        };
        let left = self.left(seat, &pass.ends);
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
        let ends = self.ends(shard)?;
        self.wipe_strange(seat, shard, &ends)?;
        Ok(Pass {
            asked,
            began,
            ends,
            missed: 0,
            wiped: false,
        })
    }

    pub(super) fn ends(&self, shard: Shard) -> Result<Vec<Bounds>, LogError> {
        let bounds = |c: &super::Changelog| self.log.bounds(&c.topic, shard);
        self.changelogs.iter().map(bounds).collect()
    }

    /// A position behind the end is of another topic, or the topic lost records: what the store has is not its.
    pub(super) fn wipe_strange(&self, seat: &mut Seat, shard: Shard, ends: &[Bounds]) -> Result<(), LogError> {
        let strange = |(changelog, bounds): (usize, &Bounds)| {
            let position = self.position(seat, changelog)?;
            (position > bounds.high).then_some((changelog, position, bounds.high))
        };
        let Some((changelog, position, high)) = ends.iter().enumerate().find_map(strange) else {
            return Ok(());
        };
        let topic = &self.changelogs[changelog].topic;
        let why = format!("it has {topic} up to offset {position}, and the topic ends at {high}");
        self.wipe(seat, shard, &why)
    }

    fn read_to_ends(&self, seat: &mut Seat, shard: Shard, pass: &mut Pass, slice: &Slice) -> Result<Came, LogError> {
        let mut changelog = 0;
        while changelog < self.changelogs.len() {
            if !self.make_position(seat, shard, changelog, slice)? {
                return Ok(Came::NotYet);
            }
            let position = self.position(seat, changelog).unwrap_or_default();
            let end = pass.ends[changelog].high;
            if position >= end {
                changelog += 1;
                continue;
            }
            // Before the read: what it finds empty must have been stable by then.
            let stable = pass.ends[changelog].end;
            match self.read(seat, shard, changelog, position)? {
                Read::Some => {}
                Read::Wiped => changelog = 0,
                // Nothing but markers and aborted records lie between.
                Read::Nothing if stable >= end => self.set_position(seat, changelog, end),
                Read::Nothing => {
                    let now = self.log.bounds(&self.changelogs[changelog].topic, shard)?;
                    pass.ends[changelog].end = now.end;
                    if now.end < end {
                        return Ok(Came::NotYet);
                    }
                    continue;
                }
            }
            if self.over(slice) {
                return Ok(Came::NotYet);
            }
        }
        Ok(Came::ToTheEnd)
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
                "{}: the changelogs of shard {shard}, read from the start, give the state of journal record {found}; its \
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

    pub(super) fn left(&self, seat: &Seat, ends: &[Bounds]) -> u64 {
        let of = |(changelog, bounds): (usize, &Bounds)| {
            let position = self.position(seat, changelog).unwrap_or(bounds.start);
            bounds.high.0.saturating_sub(position.0)
        };
        ends.iter().enumerate().map(of).sum()
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
