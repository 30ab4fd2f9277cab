//! From a command to the facts that answer it. Pure: every command is answered by at least one fact.

use super::deployment::Deployment;
use super::error::Refusal;
use super::fold::Fold;
use super::wire::News;
use crate::nodes::Nodes;
use fermata_core::codes;
use fermata_core::control::{Command, DeploymentState, Fact, Parked, Verb};
use fermata_core::manifest::problem::nearest;
use fermata_core::manifest::{Manifest, Stage};
use fermata_core::{Digest, StageName, VersionId};
use std::collections::BTreeMap;
use uuid::Uuid;

/// All that a decision rests on.
pub struct Known<'a> {
    pub fold: &'a Fold,
    pub manifest: &'a Manifest,
    /// Does every task of the stage run what the fold says is live?
    pub settled: &'a dyn Fn(&StageName) -> bool,
    /// Has a stage or task stopped by itself?
    pub stopped: &'a dyn Fn() -> bool,
    /// Digest of the setup that the manifest asks for.
    pub setup: &'a dyn Fn(&StageName) -> Result<Digest, Refusal>,
    /// What keeps the pipeline from being drained just now.
    pub blocking: &'a dyn Fn() -> Vec<String>,
    pub nodes: &'a Nodes,
}

pub fn answer(known: &Known<'_>, command: &Command) -> Vec<News> {
    match known.decide(command) {
        Ok(news) => news,
        Err(refusal) => {
            let Refusal { code, because } = refusal;
            vec![News::of(
                Some(command.id),
                Fact::Refused {
                    code: code.into(),
                    because,
                },
            )]
        }
    }
}

impl Known<'_> {
    fn decide(&self, command: &Command) -> Result<Vec<News>, Refusal> {
        let fold = self.fold;
        if let Some(expected) = command.expect_epoch.filter(|e| *e != fold.epoch) {
            let now = fold.epoch;
            let because = format!("made for epoch {expected}, now is epoch {now}: look again, then repeat it");
            return Err(Refusal::new(codes::CONTROL_STALE, because));
        }
        let mine = |fact| News::of(Some(command.id), fact);
        let by = command.author.clone();
        let paused = || Fact::Paused {
            by: command.author.clone(),
            reason: command.reason.clone(),
        };
        match &command.verb {
            Verb::Pause => Ok(vec![mine(paused())]),
            Verb::Resume => {
                let mut news = Vec::new();
                if let Some(drain) = fold.draining() {
                    let mut blocking = (self.blocking)();
                    blocking.push(format!("resumed by {by} before it was drained"));
                    let fact = Fact::NotDrained {
                        timeout_ms: drain.timeout_ms,
                        blocking,
                    };
                    news.push(News::of(drain.command, fact));
                }
                news.push(mine(Fact::Resumed { by: by.clone() }));
                if (self.stopped)() {
                    news.push(mine(Fact::Retried { by }));
                }
                Ok(news)
            }
            Verb::Drain { timeout_ms } => {
                if let Some(drain) = fold.draining() {
                    let because = format!("a drain by {} is under way, at most {} ms", drain.by, drain.timeout_ms);
                    return Err(Refusal::new(codes::CONTROL_REFUSED, because));
                }
                let mut news = Vec::new();
                if fold.paused.is_none() {
                    news.push(mine(paused()));
                }
                news.push(mine(Fact::Draining {
                    by,
                    timeout_ms: *timeout_ms,
                }));
                Ok(news)
            }
            Verb::Deploy {
                stage,
                component,
                digest,
                probation_ms,
            } => {
                let stage = self.stage(stage)?;
                self.free(&stage.name, false)?;
                let config = (self.setup)(&stage.name)?;
                let probation = u64::try_from(self.manifest.probation.as_millis()).unwrap_or(u64::MAX);
                let step = Step {
                    stage: &stage.name,
                    new: VersionId {
                        component: *digest,
                        config,
                    },
                    component: component.clone(),
                    probation_ms: probation_ms.unwrap_or(probation),
                    rolls_back: None,
                };
                Ok(vec![mine(self.propose(command, step)?)])
            }
            Verb::Release(which) => Ok(vec![mine(self.unpark(command, which, false)?)]),
            Verb::Skip(which) => Ok(vec![mine(self.unpark(command, which, true)?)]),
            Verb::Evacuate { node, timeout_ms } => Ok(vec![mine(self.evacuate(command, node, *timeout_ms)?)]),
            Verb::Rollback { stage } => {
                let stage = self.stage(stage)?;
                self.free(&stage.name, true)?;
                let Some(taken) = fold.standing(&stage.name) else {
                    let because = format!(
                        "no deployment of {} stands: it runs what the pipeline began with; `deploy` moves it",
                        stage.name
                    );
                    return Err(Refusal::new(codes::CONTROL_REFUSED, because));
                };
                let component = fold.component_of(&stage.name, &taken.old).unwrap_or(&stage.component);
                let step = Step {
                    stage: &stage.name,
                    new: taken.old,
                    component: component.to_owned(),
                    probation_ms: 0,
                    rolls_back: Some(taken.number),
                };
                Ok(vec![mine(self.propose(command, step)?)])
            }
        }
    }

    fn unpark(&self, command: &Command, which: &Parked, skip: bool) -> Result<Fact, Refusal> {
        if let Some(stage) = &which.stage {
            self.stage(stage)?;
        }
        if skip && which.key.is_none() {
            let because = "a skip names the key whose first parked record it skips".to_owned();
            return Err(Refusal::new(codes::CONTROL_REFUSED, because));
        }
        Ok(Fact::Unparking {
            order: self.fold.last_order + 1,
            by: command.author.clone(),
            which: which.clone(),
            skip,
        })
    }

    fn evacuate(&self, command: &Command, node: &str, timeout_ms: u64) -> Result<Fact, Refusal> {
        let nodes = self.nodes;
        let live = nodes.live();
        let others = live
            .iter()
            .map(|heard| (heard.report.node.as_str(), heard.report.incarnation));
        let all: BTreeMap<&str, Uuid> = others.chain([(nodes.own.name.as_str(), nodes.incarnation)]).collect();
        let Some(incarnation) = all.get(node).copied() else {
            let hint = nearest(node, all.keys().copied())
                .map(|n| format!(" (did you mean {n:?}?)"))
                .unwrap_or_default();
            let because = format!("no instance {node:?} of this pipeline is alive{hint}");
            return Err(Refusal::new(codes::HTTP_NOT_FOUND, because));
        };
        let leaves = |name: &str, incarnation: Uuid| {
            let evacuation = self.fold.evacuating.get(name);
            evacuation.is_some_and(|e| e.incarnation == incarnation)
        };
        if leaves(node, incarnation) {
            let because = format!("{node} gives its shards away already: it ends with its process");
            return Err(Refusal::new(codes::CONTROL_BUSY, because));
        }
        let mut stay = all.iter().filter(|(name, _)| **name != node);
        if !stay.any(|(name, incarnation)| !leaves(name, *incarnation)) {
            let because = format!("no other instance could take the shards of {node}: start one first");
            return Err(Refusal::new(codes::CONTROL_REFUSED, because));
        }
        Ok(Fact::Evacuating {
            node: node.to_owned(),
            incarnation,
            by: command.author.clone(),
            timeout_ms,
        })
    }

    fn stage(&self, name: &StageName) -> Result<&Stage, Refusal> {
        self.manifest.stage(name.as_str()).ok_or_else(|| {
            let names = self.manifest.stages.iter().map(|s| s.name.as_str());
            let hint = nearest(name.as_str(), names)
                .map(|n| format!(" (did you mean {n:?}?)"))
                .unwrap_or_default();
            let pipeline = &self.manifest.name;
            Refusal::new(
                codes::HTTP_NOT_FOUND,
                format!("pipeline {pipeline} has no stage {name:?}{hint}"),
            )
        })
    }

    /// One deployment of a stage at a time; but one in probation can be taken back by hand.
    fn free(&self, stage: &StageName, in_probation: bool) -> Result<(), Refusal> {
        let open = |d: &&Deployment| !(d.ended() || in_probation && d.state() == DeploymentState::Probation);
        if let Some(busy) = self.fold.deployments_of(stage).find(open) {
            let (number, state) = (busy.number, busy.state());
            let because = format!("dep/{number} of stage {stage} is under way ({state:?}): wait until it has ended");
            return Err(Refusal::new(codes::CONTROL_BUSY, because));
        }
        if !(self.settled)(stage) {
            let because = format!("not every task of stage {stage} runs the live version yet: try again in a moment");
            return Err(Refusal::new(codes::CONTROL_BUSY, because));
        }
        Ok(())
    }

    fn propose(&self, command: &Command, step: Step<'_>) -> Result<Fact, Refusal> {
        let Some(live) = self.fold.stages.get(step.stage) else {
            let because = format!("stage {} has not started yet", step.stage);
            return Err(Refusal::new(codes::CONTROL_REFUSED, because));
        };
        if live.version == step.new {
            let because = format!(
                "{} is already live in stage {} with this configuration",
                step.new, step.stage
            );
            return Err(Refusal::new(codes::CONTROL_REFUSED, because));
        }
        Ok(Fact::Deployment {
            number: self.fold.next_number(),
            stage: step.stage.clone(),
            state: DeploymentState::Proposed,
            old: live.version,
            new: step.new,
            component: step.component,
            probation_ms: step.probation_ms,
            rolls_back: step.rolls_back,
            code: None,
            because: None,
            author: Some(command.author.clone()),
            reason: command.reason.clone(),
        })
    }
}

struct Step<'a> {
    stage: &'a StageName,
    new: VersionId,
    component: String,
    probation_ms: u64,
    rolls_back: Option<u64>,
}
