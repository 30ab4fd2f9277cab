//! Is it the record or the stage? Faults in a row make the stage suspect: the last record that it passed is tried
//! again, its effects undone. If that faults as well, the stage is at fault and stops; its topics do not. A task that has
//! passed nothing yet looks to those of the same stage on other shards.

use super::quarantine::Parked;
use super::task::{Ended, Instances, Judged, Ran, Task};
use super::{Worker, WorkerError};
use crate::board::WorkerEvent;
use fermata_core::Shard;
use fermata_core::ports::StateError;

impl Task {
    /// Counts faults in a row. In probation the version before is asked instead.
    pub(super) fn heed(&mut self, ran: &Ran, second_opinion: bool) {
        match &ran.ended {
            Ended::DeadLetter(failed) if failed.fault => {
                if second_opinion {
                    return;
                }
                self.faults_in_a_row += 1;
                self.owes_good |= self.faults_in_a_row == 1;
                self.suspect |= self.suspicious();
            }
            // A rejection is an answer.
            Ended::Emitted(_) | Ended::DeadLetter(_) => self.faults_in_a_row = 0,
            Ended::Parked | Ended::Stuck(_) => {}
        }
    }

    /// Every so many faults, since what was tried once may break later.
    pub(super) fn suspicious(&self) -> bool {
        self.faults_in_a_row > 0 && self.faults_in_a_row.is_multiple_of(self.wiring.limits.faults_in_a_row)
    }

    /// Keeps the last good record with the state, for whoever owns the shard when it is needed.
    pub(super) fn keep_good(&mut self) -> Result<(), StateError> {
        let Some(good) = &self.good else { return Ok(()) };
        let kept = Parked::of(good, &good.source, 0, self.now());
        self.quarantine_mut(|q, _, overlay| {
            q.keep_good(overlay, &kept);
            Ok(())
        })
    }

    /// Tries the last good record again and takes back all that it did.
    fn try_the_good(&mut self, instances: &mut Instances) -> Result<Tried, String> {
        let known = match self.good.clone() {
            Some(good) => Some(good),
            None => {
                let kept = self
                    .quarantine(|q, overlay| q.good(overlay))
                    .map_err(|e| e.to_string())?;
                kept.and_then(|parked| parked.work(0))
            }
        };
        let Some(mut good) = known else {
            return Ok(Tried::NoneKnown);
        };
        good.again = None;
        let mark = self.mark();
        let live = self.loaded.clone();
        let (judged, _) = self.judge(&good, instances, &live)?;
        self.undo_to(&mark);
        let why = match judged {
            Judged::Outcome(_) | Judged::Refused(_) => return Ok(Tried::Passes),
            Judged::Fault(fault) => fault.to_string(),
            Judged::Stuck(why) => why,
        };
        let first_line = why.lines().next().unwrap_or_default();
        Ok(Tried::Fails(format!(
            "on {good} too, which had passed before: {first_line}",
            good = good.identity,
        )))
    }
}

/// What came of a record that the stage had passed.
enum Tried {
    Passes,
    Fails(String),
    /// The task has never passed one.
    NoneKnown,
}

impl Worker {
    /// After a chain, and before anything is processed by a new owner: whoever is suspect is tried.
    pub(super) fn look_into(&mut self, shard: Shard) -> Result<(), WorkerError> {
        let tasks = self.shards.get(&shard).map_or(0, |state| state.tasks.len());
        let mut stopped = false;
        for index in 0..tasks {
            if !self.is_suspect(shard, index)? {
                continue;
            }
            let Some(found) = self.fails_what_it_passed(shard, index)? else {
                continue;
            };
            let Some(task) = self.shards.get_mut(&shard).and_then(|state| state.tasks.get_mut(index)) else {
                continue;
            };
            let (live, n) = (task.loaded.id(), task.faults_in_a_row);
            let because = format!("{live} faulted on {n} records in a row, then {found}");
            let stage = task.wiring.stage.clone();
            tracing::error!(stage = stage.as_str(), shard = shard.0, "stage at fault: {because}");
            task.paused = Some(because.clone());
            stopped = true;
            self.spec.board.tell(WorkerEvent::StageAtFault {
                stage,
                deployment: task.deployment,
                retries: self.orders.retries,
                shard,
                because,
            });
        }
        if stopped {
            self.stale_reports = true;
            self.set_paused();
        }
        Ok(())
    }

    fn is_suspect(&mut self, shard: Shard, index: usize) -> Result<bool, WorkerError> {
        let Some(task) = self.shards.get_mut(&shard).and_then(|state| state.tasks.get_mut(index)) else {
            return Ok(false);
        };
        if std::mem::take(&mut task.owes_good) {
            task.keep_good()?;
            task.settle();
        }
        Ok(std::mem::take(&mut task.suspect) && task.paused.is_none())
    }

    /// The last good record of the task; where it never passed one, that of another shard of the same stage and
    /// version, on its own state. `None`: it passes, or none is known, and nothing can be said of the stage.
    fn fails_what_it_passed(&mut self, shard: Shard, index: usize) -> Result<Option<String>, WorkerError> {
        let Some(place) = self
            .shards
            .get(&shard)
            .map(|state| state.tasks[index].loaded.place.clone())
        else {
            return Ok(None);
        };
        let others: Vec<Shard> = self.shards.keys().copied().filter(|other| *other != shard).collect();
        for shard in std::iter::once(shard).chain(others) {
            let state = self.shards.get_mut(&shard);
            let mut tasks = state.into_iter().flat_map(|state| &mut state.tasks);
            let Some(task) = tasks.find(|task| task.loaded.place == place) else {
                continue;
            };
            match task.try_the_good(&mut self.instances).map_err(WorkerError::Host)? {
                Tried::NoneKnown => {}
                Tried::Passes => return Ok(None),
                Tried::Fails(found) => return Ok(Some(found)),
            }
        }
        Ok(None)
    }
}
