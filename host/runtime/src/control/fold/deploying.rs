//! Deployments in the fold: how their facts move them, and what stands at a stage.

use super::super::deployment::Deployment;
use super::{Fold, Live, Progress};
use fermata_core::control::{DeploymentState, Fact};
use fermata_core::{StageName, VersionId};
use std::collections::BTreeMap;
use uuid::Uuid;

impl Fold {
    /// `None`: known already.
    pub(super) fn deploy(&mut self, at: i64, command: Option<Uuid>, fact: Fact) -> Option<Progress> {
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
