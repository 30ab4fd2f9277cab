//! One piece of work, called and judged.

use super::super::context::TaskContext;
use super::super::lineage::{Failed, Refusal, Subject, Work};
use super::Task;
use super::contract::oversize;
use super::instances::{Instances, Loaded};
use fermata_core::ports::Failure;
use fermata_core::{Emission, Fault, Outcome, Rejection};
use std::sync::Arc;

/// How often a call that met its wall-time deadline is tried again, each time with a longer one.
pub(in super::super) const STRETCHES: [u32; 2] = [4, 16];

/// What came of one piece of work.
pub struct Ran {
    pub ended: Ended,
    /// Whose outcome it is.
    pub by: Arc<Loaded>,
    /// The version in probation faulted where its predecessor did not.
    pub refuted: Option<Fault>,
    /// A validator kept it from the stage, which was not asked and said nothing.
    pub refused: bool,
}

pub enum Ended {
    Emitted(Vec<Emission>),
    DeadLetter(Failed),
    /// Aside, in the task's own state: concluded as far as its input topic goes.
    Parked,
    /// No verdict is possible: the task must pause, the record stays.
    Stuck(String),
}

pub(in super::super) enum Judged {
    Outcome(Outcome),
    /// By a validator, whose own policy says where the record goes.
    Refused(Rejection),
    Fault(Fault),
    Stuck(String),
}

impl Task {
    /// One call, with everything that may go wrong turned into a verdict.
    ///
    /// A fault in a used instance is a suspicion only: the verdict is the record's alone, on a fresh instance over
    /// the same state. `second`: the version that is asked before a fault of this one counts.
    pub fn run(&mut self, work: &Work, instances: &mut Instances, second: Option<&Arc<Loaded>>) -> Result<Ran, String> {
        let live = self.loaded.clone();
        let (first, tally) = self.judge(work, instances, &live)?;
        let (verdict, by, refuted, tally) = match (first, second) {
            (Judged::Fault(fault), Some(old)) if old.id() != live.id() => match self.judge(work, instances, old)? {
                (Judged::Outcome(outcome), tally) => (Judged::Outcome(outcome), old.clone(), Some(fault), tally),
                _ => (Judged::Fault(fault), live, None, tally),
            },
            (verdict, _) => (verdict, live, None, tally),
        };
        self.context_mut().metrics.extend(tally);
        let refused = matches!(verdict, Judged::Refused(_));
        let ended = match verdict {
            Judged::Outcome(Ok(emissions)) => {
                self.counts.emitted += emissions.len() as u64;
                Ended::Emitted(emissions)
            }
            Judged::Outcome(Err(rejection)) | Judged::Refused(rejection) => {
                self.counts.rejected += 1;
                let failed = Failed {
                    code: rejection.code,
                    reason: rejection.reason,
                    stack: String::new(),
                    fault: false,
                };
                Ended::DeadLetter(failed)
            }
            Judged::Fault(fault) => {
                self.counts.faulted += 1;
                let (reason, stack) = fault.message.split_once('\n').unwrap_or((&fault.message, ""));
                let code = fault.code.as_str().to_owned();
                Ended::DeadLetter(Failed {
                    code,
                    reason: reason.into(),
                    stack: stack.into(),
                    fault: true,
                })
            }
            Judged::Stuck(why) => Ended::Stuck(why),
        };
        Ok(Ran {
            ended,
            by,
            refuted,
            refused,
        })
    }

    /// What the stage itself says, once nothing before it has refused the record.
    pub(in super::super) fn ask(
        &mut self,
        work: &Work,
        instances: &mut Instances,
        by: &Arc<Loaded>,
    ) -> Result<Judged, String> {
        match &work.refused {
            Some(Refusal::Rejected(rejection)) => return Ok(Judged::Outcome(Err(rejection.clone()))),
            // The stage has its say when the record comes on its own shard.
            Some(Refusal::Elsewhere(_)) => return Ok(Judged::Outcome(Ok(Vec::new()))),
            None => {}
        }
        if let Some(fault) = oversize(work) {
            return Ok(Judged::Fault(fault));
        }
        let mut stretches = STRETCHES.iter();
        let mut stretch = None;
        loop {
            let mark = self.mark();
            let (result, was_used) = match self.call(work, instances, by, stretch) {
                Ok(called) => called,
                // An instance that cannot be made says nothing of the record.
                Err(fault) => return Ok(Judged::Stuck(format!("{} cannot be instantiated: {fault}", by.id()))),
            };
            let kept = result.and_then(|outcome| {
                let outcome = self.check(outcome, work).map_err(Failure::Fault)?;
                if outcome.is_ok() {
                    self.check_state(&mark)?;
                }
                Ok(outcome)
            });
            let failure = match kept {
                Ok(outcome) => {
                    if outcome.is_err() {
                        // A rejected record may come again: nothing of it stays.
                        self.undo_to(&mark);
                    }
                    return Ok(Judged::Outcome(outcome));
                }
                Err(failure) => failure,
            };
            self.undo_to(&mark);
            instances.warm.remove(&by.place);
            match failure {
                Failure::Fault(fault) if !was_used => return Ok(Judged::Fault(fault)),
                Failure::Fault(_) => {}
                Failure::Host(why) => return Err(why),
                Failure::Deadline => match stretches.next() {
                    Some(factor) => stretch = Some(*factor),
                    None => {
                        let wall = self.wiring.limits.wall;
                        return Ok(Judged::Stuck(format!(
                            "{} did not end on {} within {wall:?}, nor within {} times that",
                            by.id(),
                            work.identity,
                            STRETCHES[STRETCHES.len() - 1]
                        )));
                    }
                },
            }
        }
    }

    /// One call on a warm or a fresh instance; says whether the instance had been used before.
    fn call(
        &mut self,
        work: &Work,
        instances: &mut Instances,
        by: &Arc<Loaded>,
        stretch: Option<u32>,
    ) -> Result<(Result<Outcome, Failure>, bool), Fault> {
        instances.warm_stage(by)?;
        let warm = instances.warm.get_mut(&by.place).expect("warmed up just now");
        if let Some(factor) = stretch {
            warm.instance.stretch(factor);
        }
        let mut context = self
            .context
            .take()
            .expect("the context is back whenever no call is under way");
        context.stores = by.stores.clone();
        context.id = work.identity.clone();
        context.root.clone_from(&work.root);
        context.root_time = work.root_time;
        context.key = work.key().cloned();
        context.random = None;
        context.metrics_before = context.metrics.len();
        let called = match &work.subject {
            Subject::Record { input, .. } => warm.instance.process(input.clone(), context),
            Subject::Timer(due) => warm.instance.fired(due.clone(), context),
        };
        let was_used = std::mem::replace(&mut warm.used, true);
        let context = called.host.into_any().downcast::<TaskContext>();
        self.context =
            Some(context.unwrap_or_else(|_| unreachable!("an instance hands back the context it was given")));
        // A call that was stretched leaves an instance with a longer deadline behind: not for the next record.
        if instances.drop_after_each || stretch.is_some() {
            instances.warm.remove(&by.place);
        }
        Ok((called.result, was_used))
    }
}
