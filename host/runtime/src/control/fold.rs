//! What the facts add up to. Everything that must survive a restart is here and nowhere else.

use super::deployment::{Cutover, Deployment};
use fermata_core::codes;
use fermata_core::control::{DeploymentState, Fact, Parked, Status};
use fermata_core::{Shard, StageName, TopicName, VersionId};
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Paused {
    pub by: String,
    pub reason: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Drain {
    pub command: Option<Uuid>,
    pub by: String,
    /// Milliseconds since the Unix epoch.
    pub since: i64,
    pub timeout_ms: u64,
    pub end: DrainEnd,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum DrainEnd {
    Waiting,
    Drained { took_ms: u64 },
    NotDrained { blocking: Vec<String> },
}

/// How it was found that a stage, and not its records, is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AtFault {
    /// Where it was found; all shards stand still.
    pub shard: Shard,
    pub code: String,
    pub because: String,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
}

/// An order to release parked records, or to skip the first of a key before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Order {
    pub number: u64,
    pub command: Option<Uuid>,
    pub by: String,
    #[serde(flatten)]
    pub which: Parked,
    pub skip: bool,
}

/// An instance gives its shards away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Evacuation {
    /// The process that does; one that starts under its name later does not.
    pub incarnation: Uuid,
    pub command: Option<Uuid>,
    pub by: String,
    /// Milliseconds since the Unix epoch.
    pub since: i64,
    pub timeout_ms: u64,
    /// It holds none any more.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Live {
    pub version: VersionId,
    /// Number of the deployment that chose it; 0: the manifest.
    pub deployment: u64,
    /// Chosen to take another deployment back.
    pub rollback: bool,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CommandOutcome {
    /// Epoch of the last fact about it.
    pub epoch: u64,
    pub deployment: Option<u64>,
    #[serde(flatten)]
    pub progress: Progress,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Progress {
    Running,
    Done,
    Refused {
        code: String,
        because: String,
    },
    RolledBack {
        because: String,
    },
    NotDrained {
        code: String,
        timeout_ms: u64,
        blocking: Vec<String>,
    },
    /// Parked records were released or skipped, as far as they let themselves be.
    Unparked {
        released: u64,
        skipped: u64,
        keys: u64,
        failed: u64,
        refused: Vec<String>,
    },
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

    /// `None`: known already.
    fn deploy(&mut self, at: i64, command: Option<Uuid>, fact: Fact) -> Option<Progress> {
        let Fact::Deployment {
            number,
            stage,
            state,
            old,
            new,
            component,
            probation_ms,
            rolls_back,
            code,
            because,
            author,
            reason,
        } = fact
        else {
            return None;
        };
        let was_under_way = self.deployments.get(&number).is_some_and(Deployment::under_way);
        let deployment = self.deployments.entry(number).or_insert_with(|| Deployment {
            number,
            stage: stage.clone(),
            old,
            new,
            component,
            probation_ms,
            rolls_back,
            code: None,
            because: None,
            author,
            reason,
            command,
            states: Vec::new(),
            switched: BTreeMap::new(),
            returned: BTreeMap::new(),
        });
        if deployment
            .states
            .last()
            .is_some_and(|(now, _)| now.ended() || state <= *now)
        {
            return None;
        }
        deployment.states.push((state, at));
        deployment.code = code.clone();
        deployment.because = because.clone();
        let because = because.unwrap_or_default();
        match state {
            DeploymentState::Pausing => {
                let live = Live {
                    version: new,
                    deployment: number,
                    rollback: rolls_back.is_some(),
                };
                // Another version: what was found of the one before is not said of it.
                self.at_fault.remove(&stage);
                self.stages.insert(stage, live);
            }
            DeploymentState::RolledBack if was_under_way => {
                self.at_fault.remove(&stage);
                self.stages.insert(
                    stage,
                    Live {
                        version: old,
                        deployment: number,
                        rollback: true,
                    },
                );
            }
            _ => {}
        }
        Some(match state {
            DeploymentState::Promoted => Progress::Done,
            DeploymentState::RolledBack => Progress::RolledBack { because },
            DeploymentState::Refused => Progress::Refused {
                code: code.unwrap_or_default(),
                because,
            },
            _ => Progress::Running,
        })
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

    /// Deployments of a stage, oldest first.
    pub fn deployments_of<'a, 'b>(
        &'a self,
        stage: &'b StageName,
    ) -> impl DoubleEndedIterator<Item = &'a Deployment> + use<'a, 'b> {
        self.deployments.values().filter(move |d| d.stage == *stage)
    }

    /// The open deployment that workers have been told of.
    pub fn under_way(&self, stage: &StageName) -> Option<&Deployment> {
        self.deployments
            .get(&self.stages.get(stage)?.deployment)
            .filter(|d| d.under_way())
    }

    /// The deployment that a rollback of the stage takes back: the last that stands. Going back twice goes two back.
    pub fn standing<'a>(&'a self, stage: &StageName) -> Option<&'a Deployment> {
        let mut standing: Vec<&'a Deployment> = Vec::new();
        for deployment in self.deployments_of(stage) {
            let stands = matches!(
                deployment.state(),
                DeploymentState::Promoted | DeploymentState::Probation
            );
            match deployment.rolls_back {
                Some(taken) if stands => standing.retain(|d| d.number != taken),
                None if stands => standing.push(deployment),
                _ => {}
            }
        }
        standing.pop()
    }

    /// The reference under which a version came to the stage; `None`: the manifest's.
    pub fn component_of<'a>(&'a self, stage: &StageName, version: &VersionId) -> Option<&'a str> {
        self.deployments_of(stage)
            .rfind(|d| d.new == *version)
            .map(|d| d.component.as_str())
    }

    pub fn next_number(&self) -> u64 {
        self.deployments.keys().next_back().map_or(1, |n| n + 1)
    }
}
