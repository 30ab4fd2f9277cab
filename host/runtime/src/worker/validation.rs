//! The validators in front of a stage: asked in order before it, each harming no more than the record in hand.

use super::context::{Change, MetricChange};
use super::lineage::{Subject, Work, bounded};
use super::memos::Memos;
use super::task::{Instances, Judged, Loaded, Place, STRETCHES, Task, oversize};
use fermata_core::limits::MAX_REASON;
use fermata_core::names::metrics::VALIDATOR_RECORDS;
use fermata_core::ports::Failure;
use fermata_core::validation::{Attached, Mode, OnFault, OnReject, Opinion, Policy, ValidatorInstance};
use fermata_core::{Fault, FaultCode, Input, Rejection, Verdict};
use std::collections::HashMap;
use std::sync::Arc;

/// What validators said of one record, for the figures; it counts only if the record is concluded.
pub type Tally = Vec<MetricChange>;

/// How the figures call a record that a validator let pass, and one of which it could say nothing.
const ACCEPTED: &str = "accepted";
const NO_VERDICT: &str = "no-verdict";

/// Running validators of one worker, by the version of the stage and their place in front of it.
#[derive(Default)]
pub struct Gate(HashMap<(Place, usize), Warm>);

struct Warm {
    instance: Box<dyn ValidatorInstance>,
    used: bool,
}

impl Gate {
    /// Makes every validator of a version ready.
    pub fn warm_up(&mut self, loaded: &Loaded) -> Result<(), Fault> {
        for (place, attached) in loaded.version.validators().iter().enumerate() {
            self.warm((loaded.place.clone(), place), attached).map_err(|fault| {
                let found = format!("validator {}: {}", attached.policy.name, fault.message);
                Fault::new(fault.code, found)
            })?;
        }
        Ok(())
    }
    pub fn clear(&mut self) {
        self.0.clear();
    }
    pub fn keep_only(&mut self, live: impl Fn(&Place) -> bool) {
        self.0.retain(|(version, _), _| live(version));
    }

    fn warm(&mut self, place: (Place, usize), attached: &Attached) -> Result<&mut Warm, Fault> {
        use std::collections::hash_map::Entry;
        Ok(match self.0.entry(place) {
            Entry::Occupied(warm) => warm.into_mut(),
            Entry::Vacant(empty) => {
                let instance = attached.version.instantiate()?;
                empty.insert(Warm { instance, used: false })
            }
        })
    }
}

/// What the validators make of a record.
enum Passage {
    /// To the stage, with what it is to be told.
    Through(Vec<Verdict>),
    Refused(Rejection),
    /// No verdict is possible.
    Stuck(String),
}

/// How one validator ended on one record.
enum Heard {
    Says(Opinion),
    Faults(Fault),
    /// Neither the record's fault nor the validator's: whoever enforces cannot go on.
    Silent(String),
}

impl Task {
    /// The validators have the first word, then the stage. What they write down is undone with the record, but not
    /// when it is one of them that refuses it: then its memo is what it wants to know the next time.
    pub(super) fn judge(
        &mut self,
        work: &Work,
        instances: &mut Instances,
        by: &Arc<Loaded>,
    ) -> Result<(Judged, Tally), String> {
        let mut tally = Tally::new();
        let guarded = !by.version.validators().is_empty() && work.refused.is_none() && oversize(work).is_none();
        let Subject::Record { input, original } = &work.subject else {
            return Ok((self.ask(work, instances, by)?, tally));
        };
        if !guarded {
            return Ok((self.ask(work, instances, by)?, tally));
        }
        let before = self.mark();
        let judged = match self.validate(input, instances, by, &mut tally)? {
            Passage::Refused(rejection) => return Ok((Judged::Refused(rejection), tally)),
            Passage::Stuck(why) => Judged::Stuck(format!("{why}, on {}", work.identity)),
            Passage::Through(verdicts) if verdicts.is_empty() => self.ask(work, instances, by)?,
            Passage::Through(verdicts) => {
                let input = Input {
                    verdicts,
                    ..input.clone()
                };
                let original = original.clone();
                let subject = Subject::Record { input, original };
                let told = Work {
                    subject,
                    ..work.clone()
                };
                self.ask(&told, instances, by)?
            }
        };
        if !matches!(judged, Judged::Outcome(Ok(_))) {
            self.undo_to(&before);
        }
        Ok((judged, tally))
    }

    fn validate(
        &mut self,
        input: &Input,
        instances: &mut Instances,
        by: &Arc<Loaded>,
        tally: &mut Tally,
    ) -> Result<Passage, String> {
        let mut verdicts = Vec::new();
        for (place, attached) in by.version.validators().iter().enumerate() {
            let policy = &attached.policy;
            let heard = self.hear(input, instances, (by.place.clone(), place), attached)?;
            tally.push(counted(policy, &heard));
            if policy.mode == Mode::Report {
                continue;
            }
            let refusal = match heard {
                Heard::Says(opinion) => opinion.refusal,
                Heard::Silent(why) => return Ok(Passage::Stuck(why)),
                Heard::Faults(fault) => match policy.on_fault {
                    OnFault::Accept => None,
                    OnFault::Reject => Some(of_fault(&fault)),
                    OnFault::Pause => {
                        return Ok(Passage::Stuck(format!("validator {} ended with {fault}", policy.name)));
                    }
                },
            };
            match (policy.on_reject, refusal) {
                (OnReject::DeadLetter, None) => {}
                (OnReject::DeadLetter, Some(Rejection { code, reason })) => {
                    let code = policy.code(&code);
                    return Ok(Passage::Refused(Rejection { code, reason }));
                }
                (OnReject::Deliver, refusal) => {
                    let (code, reason) = refusal.map(|r| (r.code, r.reason)).unzip();
                    verdicts.push(Verdict {
                        validator: policy.name.to_string(),
                        code,
                        reason: reason.unwrap_or_default(),
                    });
                }
            }
        }
        Ok(Passage::Through(verdicts))
    }

    /// One validator's word, with its memo read before and written after. A fault in a used instance is a suspicion
    /// only, as a stage's is.
    fn hear(
        &mut self,
        input: &Input,
        instances: &mut Instances,
        place: (Place, usize),
        attached: &Attached,
    ) -> Result<Heard, String> {
        let policy = &attached.policy;
        let memo = match &input.key {
            None => None,
            Some(key) => self
                .with_memos(|memos, overlay| memos.get(overlay, policy, key))
                .map_err(|error| error.to_string())?,
        };
        let mut stretches = STRETCHES.iter();
        let mut stretch = None;
        loop {
            let warm = match instances.gate.warm(place.clone(), attached) {
                Ok(warm) => warm,
                Err(fault) => {
                    let why = format!("validator {} cannot be instantiated: {fault}", policy.name);
                    return Ok(Heard::Silent(why));
                }
            };
            if let Some(factor) = stretch {
                warm.instance.stretch(factor);
            }
            let said = warm.instance.validate(input, memo.as_deref());
            let was_used = std::mem::replace(&mut warm.used, true);
            let said = said.and_then(|opinion| keeps_to(policy, opinion).map_err(Failure::Fault));
            if said.is_err() || stretch.is_some() || instances.drop_after_each {
                instances.gate.0.remove(&place);
            }
            match said {
                Ok(opinion) => {
                    if let Some(key) = input.key.as_ref().filter(|_| opinion.memo != memo) {
                        let next = opinion.memo.clone();
                        self.with_memos_mut(|memos, overlay| memos.set(overlay, policy, key, next));
                    }
                    return Ok(Heard::Says(opinion));
                }
                Err(Failure::Fault(fault)) if !was_used => return Ok(Heard::Faults(fault)),
                Err(Failure::Fault(_)) => {}
                Err(Failure::Host(why)) => return Err(why),
                Err(Failure::Deadline) => match stretches.next() {
                    Some(factor) => stretch = Some(*factor),
                    None => {
                        let (wall, last) = (policy.limits.wall, STRETCHES[STRETCHES.len() - 1]);
                        let why = format!(
                            "validator {} did not end within {wall:?}, nor within {last} times that",
                            policy.name
                        );
                        return Ok(Heard::Silent(why));
                    }
                },
            }
        }
    }

    fn with_memos<T>(&self, f: impl FnOnce(Memos<'_>, &super::overlay::Overlay) -> T) -> T {
        let c = self.context();
        let memos = Memos {
            namespace: &self.wiring.memos,
            state: &*c.state,
            shard: c.shard,
        };
        f(memos, &c.overlay)
    }

    fn with_memos_mut(&mut self, f: impl FnOnce(Memos<'_>, &mut super::overlay::Overlay)) {
        let wiring = self.wiring.clone();
        let c = self.context_mut();
        let mut overlay = std::mem::take(&mut c.overlay);
        let memos = Memos {
            namespace: &wiring.memos,
            state: &*c.state,
            shard: c.shard,
        };
        f(memos, &mut overlay);
        c.overlay = overlay;
    }
}

/// What a validator says is believed only inside its contract.
fn keeps_to(policy: &Policy, mut opinion: Opinion) -> Result<Opinion, Fault> {
    let size = opinion.memo.as_ref().map_or(0, |memo| memo.len() as u64);
    if size > policy.memo_bytes {
        let text = format!("a memo of {size} bytes, at most {}", policy.memo_bytes);
        return Err(Fault::new(FaultCode::Size, text));
    }
    if let Some(refusal) = &mut opinion.refusal {
        if !policy.permits(&refusal.code) {
            let text = "a refusal's code is kebab-case, does not begin with fault-, and with the validator's name \
                        before it has at most 64 bytes";
            return Err(Fault::new(FaultCode::Contract, text));
        }
        refusal.reason = bounded(&refusal.reason, MAX_REASON).to_owned();
    }
    Ok(opinion)
}

fn of_fault(fault: &Fault) -> Rejection {
    Rejection {
        code: fault.code.as_str().to_owned(),
        reason: fault.message.lines().next().unwrap_or_default().to_owned(),
    }
}

fn counted(policy: &Policy, heard: &Heard) -> MetricChange {
    let verdict = match heard {
        Heard::Says(Opinion { refusal: None, .. }) => ACCEPTED,
        Heard::Says(Opinion {
            refusal: Some(refusal), ..
        }) => &refusal.code,
        Heard::Faults(fault) => fault.code.as_str(),
        Heard::Silent(_) => NO_VERDICT,
    };
    MetricChange {
        metric: VALIDATOR_RECORDS.into(),
        labels: vec![policy.name.to_string(), verdict.to_owned()],
        change: Change::Add(1),
    }
}
