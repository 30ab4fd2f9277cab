//! What the facts add up to. Everything that must survive a restart is here and nowhere else.

mod deploying;
mod parts;

pub use parts::{AtFault, CommandOutcome, Drain, DrainEnd, Evacuation, Live, Order, Paused, Progress};

use super::deployment::{Cutover, Deployment};
use fermata_core::StageName;
use fermata_core::TopicName;
use fermata_core::codes;
use fermata_core::control::{DeploymentState, Fact, Status};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// The fold of the status topic. Facts met twice change nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fold {
    pub epoch: u64,
    /// Of the present leader.
    #[serde(skip)]
    pub term: u64,
    /// Intake is closed.
    pub paused: Option<Paused>,
    /// The last drain since the last resume.
    pub drain: Option<Drain>,
    /// What each stage runs or is moving to.
    pub stages: BTreeMap<StageName, Live>,
    pub deployments: BTreeMap<u64, Deployment>,
    /// Stages that fail on what they passed before: they stand still until somebody does something.
    pub at_fault: BTreeMap<StageName, AtFault>,
    /// Grows when what had stopped by itself should try again.
    pub retries: u64,
    /// Orders to release or skip parked records, the one under way first.
    pub orders: VecDeque<Order>,
    /// Number of the last order.
    pub last_order: u64,
    /// Instances that give their shards away, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub evacuating: BTreeMap<String, Evacuation>,
    /// What the log calls the topics whose offsets are kept.
    #[serde(skip)]
    pub topics: BTreeMap<TopicName, String>,
    /// What came of each command. Every command that was met has an entry.
    #[serde(skip)]
    pub outcomes: BTreeMap<Uuid, CommandOutcome>,
}

impl Fold {
    /// Was it recorded by the leader of its time? Everybody who reads the topic finds the same.
    pub fn heeds(&self, status: &Status) -> bool {
        match status.fact {
            // Of two that claim one term, the first in the topic has it.
            Fact::Leading => status.term > self.term,
            _ => status.term >= self.term,
        }
    }

    pub fn apply(&mut self, status: Status) {
        if !self.heeds(&status) {
            return;
        }
        let Status {
            at,
            epoch,
            term,
            command,
            fact,
            ..
        } = status;
        self.term = term;
        self.epoch = self.epoch.max(epoch);
        let mut deployment = None;
        let progress = match fact {
            Fact::Leading => return,
            Fact::Topics { identities } => {
                self.topics = identities;
                return;
            }
            Fact::Started { stages } => {
                for (stage, version) in stages {
                    let begun = Live {
                        version,
                        deployment: 0,
                        rollback: false,
                    };
                    let live = self.stages.entry(stage).or_insert(begun);
                    if live.deployment == 0 {
                        *live = begun;
                    }
                }
                Progress::Done
            }
            Fact::Paused { by, reason } => {
                self.paused.get_or_insert(Paused { by, reason, at });
                Progress::Done
            }
            Fact::Resumed { .. } => {
                self.paused = None;
                self.drain = None;
                Progress::Done
            }
            Fact::Draining { by, timeout_ms } => {
                self.drain = Some(Drain {
                    command,
                    by,
                    since: at,
                    timeout_ms,
                    end: DrainEnd::Waiting,
                });
                Progress::Running
            }
            Fact::Drained { took_ms } => {
                self.end_drain(DrainEnd::Drained { took_ms });
                Progress::Done
            }
            Fact::NotDrained { timeout_ms, blocking } => {
                self.end_drain(DrainEnd::NotDrained {
                    blocking: blocking.clone(),
                });
                Progress::NotDrained {
                    code: codes::CONTROL_NOT_DRAINED.into(),
                    timeout_ms,
                    blocking,
                }
            }
            Fact::Switched {
                deployment: number,
                shard,
                pause_micros,
                synced_micros,
                rollback,
                ..
            } => {
                if let Some(deployment) = self.deployments.get_mut(&number) {
                    let tasks = deployment.cutovers_mut(rollback);
                    tasks.entry(shard).or_insert(Cutover {
                        pause_micros,
                        synced_micros,
                        at,
                    });
                }
                return;
            }
            Fact::Unparking { order, by, which, skip } => {
                if order > self.last_order {
                    self.last_order = order;
                    self.orders.push_back(Order {
                        number: order,
                        command,
                        by,
                        which,
                        skip,
                    });
                }
                Progress::Running
            }
            Fact::Unparked {
                order,
                released,
                skipped,
                keys,
                failed,
                refused,
            } => {
                self.orders.retain(|o| o.number != order);
                Progress::Unparked {
                    released,
                    skipped,
                    keys,
                    failed,
                    refused,
                }
            }
            Fact::AtFault {
                stage,
                shard,
                code,
                because,
            } => {
                let at_fault = AtFault {
                    shard,
                    code,
                    because,
                    at,
                };
                self.at_fault.entry(stage).or_insert(at_fault);
                return;
            }
            Fact::Retried { .. } => {
                self.at_fault.clear();
                self.retries += 1;
                Progress::Done
            }
            Fact::Evacuating {
                node,
                incarnation,
                by,
                timeout_ms,
            } => {
                let evacuation = Evacuation {
                    incarnation,
                    command,
                    by,
                    since: at,
                    timeout_ms,
                    done: false,
                };
                self.evacuating.insert(node, evacuation);
                Progress::Running
            }
            Fact::Evacuated { node, incarnation, .. } => {
                let ended = self.evacuating.get_mut(&node).filter(|e| e.incarnation == incarnation);
                ended.into_iter().for_each(|evacuation| evacuation.done = true);
                Progress::Done
            }
            Fact::Refused { code, because } => Progress::Refused { code, because },
            fact @ Fact::Deployment { number, .. } => {
                deployment = Some(number);
                match self.deploy(at, command, fact) {
                    Some(progress) => progress,
                    None => return,
                }
            }
        };
        if let Some(id) = command {
            self.outcomes.insert(
                id,
                CommandOutcome {
                    epoch,
                    deployment,
                    progress,
                },
            );
        }
    }

    fn end_drain(&mut self, end: DrainEnd) {
        if let Some(drain) = self.drain.as_mut().filter(|d| d.end == DrainEnd::Waiting) {
            drain.end = end;
        }
    }

    /// Does the fact change what workers should do? Then it opens a new epoch.
    pub fn opens_epoch(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Started { .. } | Fact::Draining { .. } => true,
            Fact::Drained { .. } | Fact::NotDrained { .. } => true,
            Fact::Paused { .. } => self.paused.is_none(),
            Fact::Resumed { .. } => self.paused.is_some(),
            Fact::Unparking { .. } | Fact::Unparked { .. } => true,
            Fact::AtFault { .. } | Fact::Retried { .. } => true,
            Fact::Leading | Fact::Topics { .. } | Fact::Switched { .. } | Fact::Refused { .. } => false,
            Fact::Evacuating { .. } | Fact::Evacuated { .. } => false,
            Fact::Deployment { number, state, .. } => match state {
                DeploymentState::Pausing | DeploymentState::Promoted => true,
                DeploymentState::RolledBack => self.deployments.get(number).is_some_and(Deployment::under_way),
                _ => false,
            },
        }
    }

    pub fn draining(&self) -> Option<&Drain> {
        self.drain.as_ref().filter(|d| d.end == DrainEnd::Waiting)
    }
}
