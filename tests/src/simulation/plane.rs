//! What must hold of the control plane, read from its topics and the journals as a stranger would.
//!
//! - The status topic tells every reader the same: epochs grow by one with each fact that opens one, deployments go
//!   from state to state as they may and end once.
//! - Every command that is on the control topic has exactly one effect, and nothing happens that nobody asked for.
//! - Shards obey facts: what a journal record says that a task runs is what the facts of its epoch call live, and no
//!   head is read under an epoch that is paused. Each cutover has one receipt.

use super::checks::{Violation, bad};
use crate::simulated::Simulated;
use fermata_core::codes;
use fermata_core::control::{DeploymentState, Fact, Status};
use fermata_core::journal::{JournalRecord, What};
use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::{Offset, Shard, StageName, TopicName};
use fermata_runtime::control::{Deployment, Fold, Live, Progress};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Control and status have one partition.
const ONLY: Shard = Shard(0);

pub struct Plane {
    manifest: Arc<Manifest>,
    control: TopicName,
    status: TopicName,
    heads: BTreeSet<TopicName>,
    next: [Offset; 2],
    /// What a reader of the status topic knows.
    fold: Fold,
    /// Commands that lie on the control topic, with the epoch that each was made for.
    asked: BTreeMap<Uuid, Option<u64>>,
    effects: BTreeMap<Uuid, Effect>,
    /// What each epoch told workers.
    epochs: BTreeMap<u64, Told>,
    /// A drain was ended before its time: only a resume may do that.
    cut_short: bool,
    /// When the last drain ended well, if nothing was resumed since (milliseconds).
    drained_at: Option<i64>,
    /// The epoch before the last fact, if that one ended a drain.
    before_drain_ended: Option<u64>,
    /// The last epoch of each shard's journal.
    journals: BTreeMap<Shard, u64>,
    /// How much each task has processed.
    processed: BTreeMap<(Shard, String), u64>,
    receipts: BTreeSet<(u64, String, Shard, bool)>,
    counted: Decided,
}

/// What the control plane did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    pub commands: u64,
    pub refused: u64,
    pub stale: u64,
    pub pauses: u64,
    pub drained: u64,
    pub not_drained: u64,
    pub promoted: u64,
    pub rolled_back: u64,
    /// Deployments that did not pass preparation.
    pub turned_down: u64,
    pub taken_back: u64,
    pub receipts: u64,
    /// Facts of leaders that had been replaced.
    pub void: u64,
}

/// What came of one command.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    Refused,
    Paused,
    Resumed,
    Draining,
    Deployment(u64),
    Evacuation,
}

struct Told {
    paused: bool,
    stages: BTreeMap<StageName, Live>,
}

/// What a reader found new.
#[derive(Default)]
pub struct Found {
    /// A drain has ended well: nothing may be in flight.
    pub drained: bool,
}

impl Plane {
    pub fn new(manifest: Arc<Manifest>) -> Self {
        Self {
            control: Purpose::Control.topic(&manifest.name),
            status: Purpose::Status.topic(&manifest.name),
            heads: manifest.heads().cloned().collect(),
            next: [Offset(0); 2],
            fold: Fold::default(),
            asked: BTreeMap::new(),
            effects: BTreeMap::new(),
            epochs: BTreeMap::new(),
            cut_short: false,
            drained_at: None,
            before_drain_ended: None,
            journals: BTreeMap::new(),
            processed: BTreeMap::new(),
            receipts: BTreeSet::new(),
            counted: Decided::default(),
            manifest,
        }
    }

    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    pub fn decided(&self) -> Decided {
        self.counted
    }

    /// Reads on. The journals come after: whatever they obey has been recorded before.
    pub fn read(&mut self, log: &Simulated) -> Result<Found, Violation> {
        for record in log.look(&self.control, ONLY, self.next[0]) {
            self.next[0] = record.offset.next();
            let command: Option<serde_json::Value> =
                serde_json::from_slice(record.value.as_deref().unwrap_or_default()).ok();
            let id: Option<Uuid> = command.as_ref().and_then(|c| c.get("id")?.as_str()?.parse().ok());
            if let (Some(id), Some(command)) = (id, command) {
                let epoch = command.get("expect-epoch").and_then(serde_json::Value::as_u64);
                self.asked.entry(id).or_insert_with(|| {
                    self.counted.commands += 1;
                    epoch
                });
            }
        }
        let mut found = Found::default();
        for record in log.look(&self.status, ONLY, self.next[1]) {
            self.next[1] = record.offset.next();
            let status: Status =
                serde_json::from_slice(record.value.as_deref().unwrap_or_default()).map_err(|e| Violation {
                    what: format!("{}: not a fact: {e}", record.coordinates()),
                })?;
            if self.fold.heeds(&status) {
                self.fact(status, &mut found)?;
            } else {
                self.counted.void += 1;
            }
        }
        Ok(found)
    }

    fn fact(&mut self, status: Status, found: &mut Found) -> Result<(), Violation> {
        let expected = self.fold.epoch + u64::from(self.fold.opens_epoch(&status.fact));
        if status.epoch != expected {
            return bad(format!(
                "epoch {} where {expected} is due: {:?}",
                status.epoch, status.fact
            ));
        }
        if self.cut_short && !matches!(status.fact, Fact::Resumed { .. }) {
            return bad(format!("a drain ended before its time, then came {:?}", status.fact));
        }
        self.cut_short = false;
        self.effect(&status)?;
        self.moved(&status, found)?;
        let ended = matches!(status.fact, Fact::NotDrained { .. }).then_some(self.fold.epoch);
        self.before_drain_ended = ended;
        match status.fact {
            Fact::Drained { .. } => self.drained_at = Some(status.at),
            Fact::Resumed { .. } => self.drained_at = None,
            _ => {}
        }
        self.fold.apply(status);
        let told = Told {
            paused: self.fold.paused.is_some(),
            stages: self.fold.stages.clone(),
        };
        self.epochs.insert(self.fold.epoch, told);
        Ok(())
    }

    /// Only what was asked for happens, and each command does one thing.
    fn effect(&mut self, status: &Status) -> Result<(), Violation> {
        let Some(id) = status.command else { return Ok(()) };
        // What a resume does besides, in the same append.
        if matches!(status.fact, Fact::Retried { .. }) && self.asked.contains_key(&id) {
            return Ok(());
        }
        let effect = match &status.fact {
            Fact::Refused { code, .. } => {
                self.counted.refused += 1;
                self.counted.stale += u64::from(code == codes::CONTROL_STALE);
                Effect::Refused
            }
            Fact::Paused { .. } => Effect::Paused,
            Fact::Resumed { .. } => Effect::Resumed,
            Fact::Draining { .. } => Effect::Draining,
            Fact::Deployment { number, .. } => Effect::Deployment(*number),
            // These end what a command began.
            Fact::Drained { .. } | Fact::NotDrained { .. } => Effect::Draining,
            Fact::Evacuating { .. } | Fact::Evacuated { .. } => Effect::Evacuation,
            _ => return bad(format!("a command led to {:?}", status.fact)),
        };
        // Of an unreadable record, whose id is made from its place, the topic has no id.
        if !self.asked.contains_key(&id) && effect != Effect::Refused {
            return bad(format!("{:?} answers {id}, which nobody sent", status.fact));
        }
        let begins = matches!(
            status.fact,
            Fact::Refused { .. }
                | Fact::Paused { .. }
                | Fact::Resumed { .. }
                | Fact::Draining { .. }
                | Fact::Evacuating { .. }
        ) || matches!(
            status.fact,
            Fact::Deployment {
                state: DeploymentState::Proposed,
                ..
            }
        );
        match self.effects.get(&id) {
            None if begins => self.timely(id, &status.fact)?,
            // A drain begins with a pause.
            Some(Effect::Paused) if effect == Effect::Draining => {}
            Some(before) if *before == effect && !begins => {}
            before => return bad(format!("command {id}: after {before:?} it led to {:?}", status.fact)),
        }
        self.effects.insert(id, effect);
        Ok(())
    }

    /// What was made for another epoch is refused as that, and nothing else is.
    fn timely(&self, id: Uuid, fact: &Fact) -> Result<(), Violation> {
        let expected = self.asked.get(&id).copied().flatten();
        // A resume first ends the drain that waits.
        let before = self.before_drain_ended.filter(|_| matches!(fact, Fact::Resumed { .. }));
        let late = expected.filter(|e| *e != self.fold.epoch && Some(*e) != before);
        let stale = matches!(fact, Fact::Refused { code, .. } if code == codes::CONTROL_STALE);
        if late.is_some() == stale {
            return Ok(());
        }
        let now = self.fold.epoch;
        bad(format!(
            "command {id}, made for epoch {expected:?}, led to {fact:?} in epoch {now}"
        ))
    }

    fn moved(&mut self, status: &Status, found: &mut Found) -> Result<(), Violation> {
        match &status.fact {
            Fact::Paused { .. } => self.counted.pauses += u64::from(self.fold.paused.is_none()),
            Fact::Drained { .. } => {
                if self.fold.draining().is_none() {
                    return bad("drained, though no drain waits".into());
                }
                found.drained = true;
                self.counted.drained += 1;
            }
            Fact::NotDrained { .. } => {
                let Some(drain) = self.fold.draining() else {
                    return bad("not drained, though no drain waits".into());
                };
                let waited = status.at.saturating_sub(drain.since);
                self.cut_short = waited < i64::try_from(drain.timeout_ms).unwrap_or(i64::MAX);
                self.counted.not_drained += 1;
            }
            Fact::Deployment {
                number, state, stage, ..
            } => {
                let before = self.fold.deployments.get(number);
                self.transition(*number, stage, before, *state, status.at)?;
                match state {
                    DeploymentState::Promoted => self.counted.promoted += 1,
                    DeploymentState::Refused => self.counted.turned_down += 1,
                    DeploymentState::RolledBack => self.counted.rolled_back += 1,
                    _ => {}
                }
                let takes_back = before.is_some_and(|d| d.rolls_back.is_some());
                self.counted.taken_back += u64::from(takes_back && *state == DeploymentState::Promoted);
            }
            _ => {}
        }
        Ok(())
    }

    fn transition(
        &self,
        number: u64,
        stage: &StageName,
        before: Option<&Deployment>,
        to: DeploymentState,
        at: i64,
    ) -> Result<(), Violation> {
        use DeploymentState::{Pausing, Prepared, Probation, Promoted, Proposed, Refused, RolledBack, Switching};
        let from = before.map(Deployment::state);
        let may = match (from, to) {
            (None, Proposed) => {
                let busy = self.fold.deployments_of(stage).find(|d| !d.ended());
                // One in probation may be taken back by another.
                number == self.fold.next_number() && busy.is_none_or(|d| d.state() == Probation)
            }
            (Some(Proposed), Prepared | Refused) => true,
            (Some(Prepared), Pausing | Refused) => self.fold.under_way(stage).is_none(),
            (Some(Pausing), Switching | RolledBack) => true,
            (Some(Switching), Probation) => before.is_some_and(|d| d.rolls_back.is_none() && self.complete(d)),
            (Some(Switching), Promoted) => before.is_some_and(|d| d.rolls_back.is_some() && self.complete(d)),
            (Some(Switching | Probation), RolledBack) => true,
            (Some(Probation), Promoted) => before.is_some_and(|d| {
                let since = d.reached(Probation).unwrap_or(i64::MAX);
                at.saturating_sub(since) >= i64::try_from(d.probation_ms).unwrap_or(i64::MAX)
            }),
            _ => false,
        };
        if may {
            return Ok(());
        }
        bad(format!(
            "dep/{number} of {stage} goes from {from:?} to {to:?} at {at}: {before:?}"
        ))
    }

    fn complete(&self, deployment: &Deployment) -> bool {
        (0..self.manifest.partitions).all(|s| deployment.switched.contains_key(&Shard(s)))
    }

    /// A shard's next journal record obeys the facts.
    pub fn journal(&mut self, shard: Shard, journal: &JournalRecord) -> Result<(), Violation> {
        let (sequence, epoch) = (journal.sequence, journal.epoch);
        let last = self.journals.insert(shard, epoch).unwrap_or_default();
        if epoch < last {
            return bad(format!(
                "shard {shard}: journal {sequence} of epoch {epoch} follows one of {last}"
            ));
        }
        let Some(told) = self.epochs.get(&epoch) else {
            return bad(format!(
                "shard {shard}: journal {sequence} obeys epoch {epoch}, of which no fact tells"
            ));
        };
        for task in &journal.tasks {
            let runs = task.events.iter().filter_map(|e| match &e.what {
                Some(What::Run(run)) => Some(run),
                _ => None,
            });
            for run in runs {
                let head = self.heads.iter().any(|h| h.as_str() == run.topic);
                // A record that an open transaction hid for a while may be older than the fact.
                let since = self.drained_at.map(|at| (at + 1).saturating_mul(1_000));
                if head && since.is_some_and(|since| journal.at_micros > since) {
                    let (topic, from) = (&run.topic, run.from);
                    return bad(format!(
                        "shard {shard}: {topic} was taken in from {from} on, after it was drained"
                    ));
                }
                if told.paused && head {
                    let (topic, from) = (&run.topic, run.from);
                    return bad(format!(
                        "shard {shard}: {topic} was taken in from {from} on, while paused (epoch {epoch})"
                    ));
                }
            }
            let live = told.stages.get(task.stage.as_str());
            let runs = journal.version(task.version);
            let obeys = live.is_some_and(|l| Some(l.version) == runs && l.deployment == task.deployment);
            let processed = task.counts.map_or(0, |c| c.processed);
            let before = self.processed.insert((shard, task.stage.clone()), processed);
            // One that cannot switch stays what it was, and only says so; what it merely skipped may be older.
            if !obeys && processed != before.unwrap_or_default() {
                let (stage, deployment) = (&task.stage, task.deployment);
                return bad(format!(
                    "shard {shard}: {stage} runs {runs:?} of dep/{deployment} in epoch {epoch}, the facts say {live:?}"
                ));
            }
        }
        for receipt in &journal.receipts {
            let key = (receipt.deployment, receipt.stage.clone(), shard, receipt.rollback);
            let known = self.fold.deployments.get(&receipt.deployment);
            if known.is_none_or(|d| d.stage.as_str() != receipt.stage) {
                return bad(format!("shard {shard}: a receipt of no deployment: {receipt:?}"));
            }
            if !self.receipts.insert(key) {
                return bad(format!("shard {shard}: a second receipt: {receipt:?}"));
            }
            self.counted.receipts += 1;
        }
        Ok(())
    }

    /// When all is calm, nothing that was asked for is open.
    pub fn ended(&self) -> Result<(), Violation> {
        for id in self.asked.keys() {
            match self.fold.outcomes.get(id) {
                None => return bad(format!("command {id} was never answered")),
                Some(outcome) if outcome.progress == Progress::Running => {
                    return bad(format!("command {id} never ended: {outcome:?}"));
                }
                Some(_) => {}
            }
        }
        for deployment in self.fold.deployments.values() {
            if !deployment.ended() {
                return bad(format!("a deployment that never ended: {deployment:?}"));
            }
            if deployment.state() == DeploymentState::Promoted {
                for shard in (0..self.manifest.partitions).map(Shard) {
                    let (number, stage) = (deployment.number, deployment.stage.to_string());
                    let taken = deployment.rolls_back.is_some();
                    if !self.receipts.contains(&(number, stage, shard, taken)) {
                        return bad(format!("dep/{number} was promoted without a receipt of shard {shard}"));
                    }
                }
            }
        }
        Ok(())
    }
}
