//! Is it the record or the stage? Faults in a row make the stage suspect: the last record that it passed is tried
//! again, its effects undone. If that faults as well, the stage is at fault and stops; its topics do not.

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

    /// Tries the last good record again and takes back all that it did. `Some`: why it does not pass any more;
    /// `None` also where no good record is known: then nothing can be said of the stage.
    fn fails_the_good(&mut self, instances: &mut Instances) -> Result<Option<String>, String> {
        let known = match self.good.clone() {
            Some(good) => Some(good),
            None => {
                let kept = self
                    .quarantine(|q, overlay| q.good(overlay))
                    .map_err(|e| e.to_string())?;
                kept.and_then(|parked| parked.work(0))
            }
        };
        let Some(mut good) = known else { return Ok(None) };
        good.again = None;
        let mark = self.mark();
        let live = self.loaded.clone();
        let (judged, _) = self.judge(&good, instances, &live)?;
        self.undo_to(&mark);
        let why = match judged {
            Judged::Outcome(_) | Judged::Refused(_) => return Ok(None),
            Judged::Fault(fault) => fault.to_string(),
            Judged::Stuck(why) => why,
        };
        let first_line = why.lines().next().unwrap_or_default();
        Ok(Some(format!(
            "{live} faulted on {n} records in a row, then on {good} too, which had passed before: {first_line}",
            live = live.id(),
            n = self.faults_in_a_row,
            good = good.identity,
        )))
    }
}

impl Worker {
    /// After a chain, and before anything is processed by a new owner: whoever is suspect is tried.
    pub(super) fn look_into(&mut self, shard: Shard) -> Result<(), WorkerError> {
        let Some(state) = self.shards.get_mut(&shard) else {
            return Ok(());
        };
        let mut stopped = false;
        for task in &mut state.tasks {
            if std::mem::take(&mut task.owes_good) {
                task.keep_good()?;
                task.settle();
            }
            if !std::mem::take(&mut task.suspect) || task.paused.is_some() {
                continue;
            }
            let Some(because) = task.fails_the_good(&mut self.instances).map_err(WorkerError::Host)? else {
                continue;
            };
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
}
