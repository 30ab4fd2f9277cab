//! Deployments, step by step: what workers report and what the clock says becomes facts.

use super::asked;
use super::controller::Controller;
use super::deployment::Deployment;
use super::error::{ControlError, Refusal};
use super::fit;
use super::prepare::Job;
use super::receipts;
use super::wire::News;
use crate::board::WorkerEvent;
use crate::nodes::report::{Numbered, Said};
use fermata_core::codes;
use fermata_core::control::{DeploymentState, Fact};
use fermata_core::ports::Moment;
use fermata_core::{Shard, StageName};

impl Controller {
    /// What workers have told; a failure ends the process.
    pub(super) fn empty_inbox(&mut self) -> Result<(), ControlError> {
        while let Some(event) = self.inbox.pop_front() {
            match &event {
                WorkerEvent::Failed { worker, because } => {
                    let (worker, because) = (*worker, because.clone());
                    return Err(ControlError::Worker { worker, because });
                }
                WorkerEvent::TaskPaused { stage, shard, because } => {
                    tracing::warn!(target: "fermata::control", "stage {stage} on shard {shard} is paused: {because}");
                }
                _ => {}
            }
            if let Some(event) = Said::of(&event) {
                self.last_event += 1;
                let number = self.last_event;
                self.events.push_back(Numbered { number, event });
            }
        }
        Ok(())
    }

    /// Events of workers become facts, one by one: an event is dropped only when its fact is recorded.
    pub(super) fn hear_workers(&mut self) -> Result<(), ControlError> {
        self.empty_inbox()?;
        while let Some(Numbered { event, .. }) = self.events.front() {
            let news = self.news_of(event);
            self.record(news)?;
            self.events.pop_front();
        }
        Ok(())
    }

    /// What an event adds to the facts; nothing, where they tell it or it is late.
    pub(super) fn news_of(&self, event: &Said) -> Vec<News> {
        match event {
            Said::Switched {
                deployment,
                stage,
                shard,
                pause_micros,
                synced_micros,
                rollback,
            } => {
                let switched = Switched {
                    deployment: *deployment,
                    stage: stage.clone(),
                    shard: *shard,
                    pause_micros: *pause_micros,
                    synced_micros: *synced_micros,
                    rollback: *rollback,
                };
                switched.news(&self.fold)
            }
            Said::Refuted {
                deployment,
                shard,
                identity,
                fault,
            } => {
                let why =
                    format!("it faulted on {identity} (shard {shard}), which the version before it passes: {fault}");
                self.taken_back(*deployment, codes::CONTROL_REFUSED, why)
            }
            Said::CannotSwitch {
                deployment,
                shard,
                fault,
            } => {
                let why = format!("shard {shard} could not instantiate it: {fault}");
                self.taken_back(*deployment, codes::COMPONENT_INIT, why)
            }
            Said::StageAtFault {
                stage,
                deployment,
                retries,
                shard,
                because,
            } => {
                // Said of another version, or before somebody had it tried again.
                let live = self.fold.stages.get(stage).map(|live| live.deployment);
                let stale = live != Some(*deployment) || *retries != self.fold.retries;
                if stale || self.fold.at_fault.contains_key(stage) {
                    return Vec::new();
                }
                let fact = Fact::AtFault {
                    stage: stage.clone(),
                    shard: *shard,
                    code: codes::RECORD_STAGE_AT_FAULT.into(),
                    because: because.clone(),
                };
                vec![News::of(None, fact)]
            }
        }
    }

    pub(super) fn taken_back(&self, number: u64, code: &'static str, why: String) -> Vec<News> {
        let open = self.fold.deployments.get(&number).filter(|d| d.under_way());
        open.map(|d| goes(d, DeploymentState::RolledBack, Some((code, why))))
            .into_iter()
            .collect()
    }

    pub(super) fn hear_preparations(&mut self) {
        for (number, prepared) in self.preparations.ended() {
            match (prepared, self.fold.deployments.get(&number)) {
                (Ok(loaded), Some(deployment)) => {
                    self.versions.keep(&deployment.stage, loaded);
                    self.candidates.insert(number, Ok(()));
                }
                (Err(refusal), _) => {
                    self.candidates.insert(number, Err(refusal));
                }
                (Ok(_), None) => {}
            }
        }
    }

    /// Every open deployment goes as far as it can.
    pub(super) fn advance_deployments(&mut self) -> Result<(), ControlError> {
        let open: Vec<u64> = self
            .fold
            .deployments
            .values()
            .filter(|d| !d.ended())
            .map(|d| d.number)
            .collect();
        for number in open {
            if self.unheard(number) {
                self.gather(number, receipts::Where::Everywhere)?;
            }
            while let Some(news) = self.next_of(number) {
                let probation = reaches_probation(&news);
                self.record(news)?;
                self.publish_directive();
                if probation {
                    self.workshop.probe.reached(Moment::Probation);
                }
            }
        }
        Ok(())
    }

    /// The facts of the next state, if it is reached.
    fn next_of(&mut self, number: u64) -> Option<Vec<News>> {
        use DeploymentState::{Pausing, Prepared, Probation, Promoted, Proposed, Refused, RolledBack, Switching};
        let deployment = self.fold.deployments.get(&number)?.clone();
        if let Some(news) = self.refused_elsewhere(&deployment) {
            return Some(news);
        }
        match deployment.state() {
            Proposed | Prepared => match self.candidate(&deployment)? {
                Err(Refusal { code, because }) => Some(vec![goes(&deployment, Refused, Some((code, because)))]),
                Ok(()) => match self.prepared_elsewhere(number)? {
                    Err(Refusal { code, because }) => Some(vec![goes(&deployment, Refused, Some((code, because)))]),
                    Ok(()) if deployment.state() == Proposed => Some(vec![goes(&deployment, Prepared, None)]),
                    Ok(()) => Some(self.begin_switch(&deployment)),
                },
            },
            Pausing => {
                let begun = !deployment.switched.is_empty();
                begun.then(|| vec![goes(&deployment, Switching, None)])
            }
            Switching => {
                let next = if deployment.rolls_back.is_some() {
                    Promoted
                } else {
                    Probation
                };
                let all = self.shards().all(|s| deployment.switched.contains_key(&s));
                (all && self.all_say_so(&deployment)).then(|| vec![goes(&deployment, next, None)])
            }
            Probation => {
                let served = self.has_served(&deployment);
                served.then(|| vec![goes(&deployment, Promoted, None)])
            }
            Promoted | RolledBack | Refused => None,
        }
    }

    /// `None`: not ready yet.
    pub(super) fn candidate(&mut self, deployment: &Deployment) -> Option<Result<(), Refusal>> {
        let Some(stage) = self.manifest.stage(deployment.stage.as_str()).cloned() else {
            let because = format!("the manifest has no stage {} any more", deployment.stage);
            return Some(Err(Refusal::new(codes::MANIFEST_REFERENCE, because)));
        };
        let number = deployment.number;
        // What is taken back to was live before: while it is kept, it needs no second look.
        let known = deployment.rolls_back.is_some() && self.versions.get(&stage.name, &deployment.new).is_some();
        if !known && !self.candidates.contains_key(&number) {
            // What was live before must not be kept from coming back.
            let tried_for = deployment.rolls_back.is_none().then(|| stage.name.clone());
            let job = self.versions.job(&stage, deployment.new);
            let job = job.map(|job| Job { tried_for, ..job });
            self.preparations.begin(number, job);
            // Prepared within the step, it may go on within the step.
            self.hear_preparations();
        }
        match self.candidates.get(&number) {
            Some(Err(refusal)) => return Some(Err(refusal.clone())),
            Some(Ok(())) => {}
            None if known => {}
            None => return None,
        }
        let description = self.versions.get(&stage.name, &deployment.new)?.version.description();
        let live = self.versions.get(&stage.name, &deployment.old);
        let fits = fit::ports(&stage, description)
            .and_then(|()| live.map_or(Ok(()), |live| fit::stores(live.version.description(), description)))
            .and_then(|()| match deployment.rolls_back {
                Some(_) => Ok(()),
                None => {
                    let live = live.map(|live| live.version.description());
                    let others = || self.versions.of_others(&stage.name);
                    fit::views(live, description, others())
                        .and_then(|()| asked::keeps(&self.manifest, live, description, others().map(|(_, d)| d)))
                }
            });
        Some(fits)
    }

    fn begin_switch(&self, deployment: &Deployment) -> Vec<News> {
        let refused = |why: String| {
            vec![goes(
                deployment,
                DeploymentState::Refused,
                Some((codes::CONTROL_REFUSED, why)),
            )]
        };
        let Some(live) = self.fold.stages.get(&deployment.stage) else {
            return refused(format!("stage {} has not started", deployment.stage));
        };
        if live.version == deployment.new {
            return refused(format!("{} is already live", deployment.new));
        }
        if live.version != deployment.old {
            return refused(format!("the stage runs {} now, not {}", live.version, deployment.old));
        }
        let mut news = Vec::new();
        if let Some(taken) = self.fold.under_way(&deployment.stage) {
            let why = format!("taken back by hand: dep/{}", deployment.number);
            news.push(goes(
                taken,
                DeploymentState::RolledBack,
                Some((codes::CONTROL_REFUSED, why)),
            ));
        }
        news.push(goes(deployment, DeploymentState::Pausing, None));
        news
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.manifest.partitions).map(Shard)
    }

    /// Every shard says that it runs the new version for this deployment.
    fn all_report(&self, deployment: &Deployment) -> bool {
        let reports = self.nodes.reports();
        self.shards().all(|shard| {
            let task = reports.get(&shard).and_then(|r| r.tasks.get(&deployment.stage));
            task.is_some_and(|t| t.deployment == deployment.number && t.version == Some(deployment.new))
        })
    }

    /// Every shard says so, and no instance is silent that could say something else.
    pub(super) fn all_say_so(&self, deployment: &Deployment) -> bool {
        self.nodes.silent().is_empty() && self.all_report(deployment)
    }

    /// Every shard runs the new version, and not every one has said that it switched: its worker ended between the
    /// commit and the word.
    fn unheard(&self, number: u64) -> bool {
        let waits = |d: &&Deployment| matches!(d.state(), DeploymentState::Pausing | DeploymentState::Switching);
        let deployment = self.fold.deployments.get(&number).filter(waits);
        deployment.is_some_and(|d| self.shards().any(|s| !d.switched.contains_key(&s)) && self.all_report(d))
    }

    /// Receipts that the journals have and the facts do not: the process ended between the two.
    pub(super) fn gather_receipts(&mut self) -> Result<(), ControlError> {
        let live: Vec<u64> = self.fold.stages.values().map(|l| l.deployment).collect();
        for number in live {
            let open = self.fold.deployments.get(&number);
            if open.is_some_and(|d| d.state() != DeploymentState::Promoted) {
                self.gather(number, receipts::Where::SinceThePause)?;
            }
        }
        Ok(())
    }

    fn gather(&mut self, number: u64, place: receipts::Where) -> Result<(), ControlError> {
        let Some(deployment) = self.fold.deployments.get(&number) else {
            return Ok(());
        };
        for receipt in receipts::all(&*self.log, &self.manifest, deployment, place)? {
            let switched = Switched {
                deployment: number,
                stage: receipt.stage,
                shard: receipt.shard,
                pause_micros: receipt.pause_micros,
                synced_micros: None,
                rollback: receipt.rollback,
            };
            self.record(switched.news(&self.fold))?;
        }
        Ok(())
    }
}

/// The fact that `deployment` has reached `state`.
pub(super) fn goes(deployment: &Deployment, state: DeploymentState, why: Option<(&'static str, String)>) -> News {
    News::of(deployment.command, deployment.fact(state, why))
}

fn reaches_probation(news: &[News]) -> bool {
    news.iter().any(|n| {
        matches!(
            n.fact,
            Fact::Deployment {
                state: DeploymentState::Probation,
                ..
            }
        )
    })
}

/// A cutover to be announced once.
struct Switched {
    deployment: u64,
    stage: StageName,
    shard: Shard,
    pause_micros: u64,
    synced_micros: Option<u64>,
    rollback: bool,
}

impl Switched {
    fn news(self, fold: &super::fold::Fold) -> Vec<News> {
        let Some(deployment) = fold.deployments.get(&self.deployment) else {
            return Vec::new();
        };
        if deployment.cutovers(self.rollback).contains_key(&self.shard) {
            return Vec::new();
        }
        let Self {
            deployment,
            stage,
            shard,
            pause_micros,
            synced_micros,
            rollback,
        } = self;
        let fact = Fact::Switched {
            deployment,
            stage,
            shard,
            pause_micros,
            synced_micros,
            rollback,
        };
        vec![News::of(None, fact)]
    }
}
