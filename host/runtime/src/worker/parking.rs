//! What a task does with a record that it cannot treat: aside it goes, and every later one of its key waits behind it.
//! Used live and in replay, so that a replay parks and releases by itself.

use super::lineage::{Failed, Source, Subject, Work};
use super::overlay::Overlay;
use super::quarantine::{Failure, Parked, Quarantine};
use super::task::{Ended, Happened, Instances, Loaded, Ran, Task, oversize};
use super::timers::{Timer, Timers};
use bytes::Bytes;
use fermata_core::Digest;
use fermata_core::manifest::AtLimit;
use fermata_core::ports::StateError;
use std::sync::Arc;

/// Code of the dead letter of a record that should have waited, were there room.
pub const QUARANTINE_FULL: &str = "quarantine-full";
/// Code of the dead letter of a record that was skipped before it had ever failed.
pub const SKIPPED: &str = "skipped";

/// What was first in a queue.
pub enum Taken {
    /// To be processed.
    Work(Box<Work>),
    /// A timer that a record before it has moved or cancelled since: nothing is left to do.
    Gone,
}

impl Task {
    /// One record or timer, come or released: processed, or put behind those of its key that wait.
    pub fn take_in(
        &mut self,
        work: &Work,
        begun_by: &Source,
        instances: &mut Instances,
        second: Option<&Arc<Loaded>>,
    ) -> Result<Ran, String> {
        let said = |error: StateError| error.to_string();
        let key = parkable(work);
        if work.again.is_none() {
            self.counts.processed += 1;
            if let Some(key) = key
                && self.waits(key).map_err(said)?
            {
                return self.wait(key, work, begun_by).map_err(said);
            }
        }
        let mut ran = self.run(work, instances, second)?;
        if !ran.refused && (key.is_some() || work.refused.is_none()) {
            self.heed(&ran, second.is_some());
        }
        if let Some(key) = key
            && let Ended::DeadLetter(failed) = &ran.ended
            && self.policy.keeps(failed.fault)
            && !ran.refused
        {
            let by = ran.by.id().component;
            if let Some(ended) = self.keep(key, work, begun_by, failed, by).map_err(said)? {
                ran.ended = ended;
                return Ok(ran);
            }
        }
        if work.again.is_some() && !matches!(ran.ended, Ended::Stuck(_)) {
            self.counts.unparked += 1;
        }
        Ok(ran)
    }

    /// Is there a queue that a record of this key must wait in?
    fn waits(&self, key: &[u8]) -> Result<bool, StateError> {
        if self.counts.in_quarantine() == 0 {
            return Ok(false);
        }
        Ok(self.quarantine(|q, overlay| q.queue(overlay, key))?.is_some())
    }

    fn wait(&mut self, key: &Bytes, work: &Work, begun_by: &Source) -> Result<Ran, StateError> {
        let ended = match (self.limit()?, self.policy.at_limit) {
            (None, _) => {
                self.park(key, work, begun_by, None)?;
                Ended::Parked
            }
            (Some(why), AtLimit::Pause) => self.full(&why),
            (Some(why), AtLimit::DeadLetter) => {
                self.counts.turned_away += 1;
                let first = self.quarantine(|q, overlay| q.first(overlay, key))?;
                let behind = first.map(|p| p.place()).unwrap_or_default();
                Ended::DeadLetter(Failed {
                    code: QUARANTINE_FULL.into(),
                    reason: format!("its key is parked behind {behind}, and {why}"),
                    stack: String::new(),
                    fault: false,
                })
            }
        };
        Ok(Ran {
            ended,
            by: self.loaded.clone(),
            refuted: None,
            refused: false,
        })
    }

    /// `None`: it may not be kept and is a dead letter.
    fn keep(
        &mut self,
        key: &Bytes,
        work: &Work,
        begun_by: &Source,
        failed: &Failed,
        by: Digest,
    ) -> Result<Option<Ended>, StateError> {
        let before = work.again.as_ref().map(|again| again.attempts);
        // What was there already takes no more room than before.
        if before.is_none()
            && let Some(why) = self.limit()?
        {
            return Ok((self.policy.at_limit == AtLimit::Pause).then(|| self.full(&why)));
        }
        self.counts.kept += 1;
        let failure = Failure::of(failed, by, before.unwrap_or_default(), self.now());
        self.park(key, work, begun_by, Some(failure))?;
        Ok(Some(Ended::Parked))
    }

    /// At the end of its key's queue, or back where it was.
    fn park(
        &mut self,
        key: &Bytes,
        work: &Work,
        begun_by: &Source,
        failure: Option<Failure>,
    ) -> Result<(), StateError> {
        let (number, since) = match &work.again {
            Some(again) => (again.number, again.since),
            None => {
                self.counts.parked += 1;
                (self.counts.parked, self.now())
            }
        };
        let mut parked = Parked::of(work, begun_by, number, since);
        parked.failure = failure;
        let timer = held(work);
        self.quarantine_mut(|q, timers, overlay| {
            if let Some(timer) = timer {
                timers.hold(overlay, &timer);
            }
            q.put(overlay, key, &parked)
        })
    }

    /// Takes the first record of a key out, for the transaction of journal record `sequence`. Where the work fails
    /// again, [`Task::take_in`] puts it back.
    pub fn take_first(&mut self, key: &Bytes, sequence: u64) -> Result<Option<Taken>, StateError> {
        let Some((parked, mut work)) = self.first(key, sequence)? else {
            return Ok(None);
        };
        self.released(key, false);
        let gone = self.quarantine_mut(|q, timers, overlay| {
            q.remove(overlay, key, parked.number)?;
            let Subject::Timer(due) = &mut work.subject else {
                return Ok(false);
            };
            match timers.get(overlay, &due.id)?.filter(|t| t.at == due.at) {
                Some(timer) => {
                    due.payload = timer.payload;
                    timers.cancel(overlay, &timer.id).map(|()| false)
                }
                None => Ok(true),
            }
        })?;
        if gone {
            self.counts.unparked += 1;
            return Ok(Some(Taken::Gone));
        }
        Ok(Some(Taken::Work(Box::new(work))))
    }

    /// Takes the first record of a key out as a dead letter, with the failure that had parked it and whose it was.
    pub fn skip_first(&mut self, key: &Bytes, sequence: u64) -> Result<Option<(Work, Failed, Digest)>, StateError> {
        let Some((parked, work)) = self.first(key, sequence)? else {
            return Ok(None);
        };
        self.released(key, true);
        self.quarantine_mut(|q, timers, overlay| {
            q.remove(overlay, key, parked.number)?;
            if let Subject::Timer(due) = &work.subject
                && timers.get(overlay, &due.id)?.is_some_and(|t| t.at == due.at)
            {
                timers.cancel(overlay, &due.id)?;
            }
            Ok(())
        })?;
        self.counts.unparked += 1;
        self.counts.turned_away += 1;
        let failed = parked.failed().unwrap_or_else(|| Failed {
            code: SKIPPED.into(),
            reason: "it waited in quarantine and was skipped before it was tried".into(),
            stack: String::new(),
            fault: false,
        });
        let by = parked.failure.and_then(|f| Digest::from_slice(&f.component));
        Ok(Some((work, failed, by.unwrap_or(self.loaded.id().component))))
    }

    /// Number of the first record of a key.
    pub fn first_of(&self, key: &[u8]) -> Result<Option<u64>, StateError> {
        let first = self.quarantine(|q, overlay| q.first(overlay, key))?;
        Ok(first.map(|parked| parked.number))
    }

    /// The next key that has a queue, behind `after`.
    pub fn key_after(&self, after: Option<&[u8]>) -> Result<Option<Bytes>, StateError> {
        let mut keys = self.quarantine(|q, overlay| q.keys(overlay, after, 1))?;
        Ok(keys.pop().map(|(key, _)| key))
    }

    /// Why nothing more may be parked, if it may not.
    pub fn limit(&self) -> Result<Option<String>, StateError> {
        let (held, policy) = (self.counts.in_quarantine(), self.policy);
        if held >= policy.max_records {
            return Ok(Some(format!(
                "the quarantine holds {held} records, parked.max-records is {}",
                policy.max_records
            )));
        }
        if held == 0 {
            return Ok(None);
        }
        let Some(oldest) = self.quarantine(|q, overlay| q.oldest(overlay))? else {
            return Ok(None);
        };
        let age = self.now().0.saturating_sub(oldest.0);
        let most = i64::try_from(policy.max_age.as_millis()).unwrap_or(i64::MAX);
        Ok((age >= most).then(|| {
            format!(
                "the oldest record in quarantine is there for {} s, parked.max-age is {:?}",
                age / 1_000,
                policy.max_age
            )
        }))
    }

    /// With time alone the oldest record may have become too old.
    pub fn pause_when_overdue(&mut self) -> Result<bool, StateError> {
        if self.paused.is_some() || self.policy.at_limit != AtLimit::Pause || self.counts.in_quarantine() == 0 {
            return Ok(false);
        }
        let Some(why) = self
            .limit()?
            .filter(|_| self.counts.in_quarantine() < self.policy.max_records)
        else {
            return Ok(false);
        };
        if let Ended::Stuck(because) = self.full(&why) {
            self.paused = Some(because);
        }
        Ok(true)
    }

    fn full(&mut self, why: &str) -> Ended {
        self.full = true;
        Ended::Stuck(format!(
            "{why}: `fermata parked list`, then `fermata parked release --all` or `fermata parked skip KEY`"
        ))
    }

    fn first(&self, key: &[u8], sequence: u64) -> Result<Option<(Parked, Work)>, StateError> {
        let Some(parked) = self.quarantine(|q, overlay| q.first(overlay, key))? else {
            return Ok(None);
        };
        let work = parked.work(sequence).ok_or_else(|| StateError {
            namespace: format!("{}/{}", self.wiring.stage, self.wiring.parked.store),
            doing: "read",
            found: format!("the parked record {} lacks a part", parked.identity),
        })?;
        Ok(Some((parked, work)))
    }

    fn released(&mut self, key: &Bytes, skipped: bool) {
        let id = self.loaded.id();
        match self.events.last_mut() {
            Some((
                by,
                Happened::Released {
                    key: last,
                    count,
                    skipped: were,
                },
            )) if *by == id && last == key && *were == skipped => *count += 1,
            _ => self.events.push((
                id,
                Happened::Released {
                    key: key.clone(),
                    count: 1,
                    skipped,
                },
            )),
        }
    }

    pub(super) fn quarantine<T>(
        &self,
        f: impl FnOnce(Quarantine<'_>, &Overlay) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let c = self.context();
        let quarantine = Quarantine {
            namespace: &self.wiring.parked,
            state: &*c.state,
            shard: c.shard,
        };
        f(quarantine, &c.overlay)
    }

    pub(super) fn quarantine_mut<T>(
        &mut self,
        f: impl FnOnce(Quarantine<'_>, Timers<'_>, &mut Overlay) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let parked = self.wiring.parked.clone();
        let c = self.context_mut();
        let mut overlay = std::mem::take(&mut c.overlay);
        let quarantine = Quarantine {
            namespace: &parked,
            state: &*c.state,
            shard: c.shard,
        };
        let timers = Timers {
            namespace: &c.timers,
            state: &*c.state,
            shard: c.shard,
        };
        let done = f(quarantine, timers, &mut overlay);
        c.overlay = overlay;
        done
    }
}

/// The key by which a record may be kept: what the host itself refuses would be refused by every version again.
fn parkable(work: &Work) -> Option<&Bytes> {
    work.key()
        .filter(|_| work.refused.is_none() && oversize(work).is_none())
}

/// A parked timer stays known by its id, so that a record before it can still move or cancel it.
fn held(work: &Work) -> Option<Timer> {
    match &work.subject {
        Subject::Record { .. } => None,
        Subject::Timer(due) => Some(Timer {
            id: due.id.clone(),
            at: due.at,
            key: due.key.clone(),
            root: work.root.clone(),
            root_time: work.root_time,
            payload: due.payload.clone(),
        }),
    }
}
