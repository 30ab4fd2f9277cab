//! One deployment, as the facts about it tell.

use fermata_core::control::{DeploymentState, Fact};
use fermata_core::{Shard, StageName, VersionId};
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deployment {
    pub number: u64,
    pub stage: StageName,
    pub old: VersionId,
    pub new: VersionId,
    /// Reference as the command gave it.
    pub component: String,
    pub probation_ms: u64,
    /// Number of the deployment that this one takes back.
    pub rolls_back: Option<u64>,
    pub code: Option<String>,
    pub because: Option<String>,
    pub author: Option<String>,
    pub reason: Option<String>,
    pub command: Option<Uuid>,
    /// States reached, with their time in milliseconds since the Unix epoch; never empty.
    pub states: Vec<(DeploymentState, i64)>,
    /// Tasks that have cut over to the new version.
    pub switched: BTreeMap<Shard, Cutover>,
    /// Tasks that have gone back to the old one.
    pub returned: BTreeMap<Shard, Cutover>,
}

/// How long a task was silent. The proof is the receipt in its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cutover {
    pub pause_micros: u64,
    /// With the wait for the sync; unknown when found in a journal after a restart.
    pub synced_micros: Option<u64>,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
}

impl Deployment {
    pub fn state(&self) -> DeploymentState {
        self.states
            .last()
            .map_or(DeploymentState::Proposed, |(state, _)| *state)
    }
    pub fn ended(&self) -> bool {
        self.state().ended()
    }
    /// Workers have been told of the new version, and the matter is open.
    pub fn under_way(&self) -> bool {
        use DeploymentState::{Pausing, Probation, Switching};
        matches!(self.state(), Pausing | Switching | Probation)
    }
    /// Tasks that have cut over, there or back: a deployment that takes another back has only the way there.
    pub fn cutovers(&self, rollback: bool) -> &BTreeMap<Shard, Cutover> {
        if rollback && self.rolls_back.is_none() {
            &self.returned
        } else {
            &self.switched
        }
    }
    pub fn cutovers_mut(&mut self, rollback: bool) -> &mut BTreeMap<Shard, Cutover> {
        if rollback && self.rolls_back.is_none() {
            &mut self.returned
        } else {
            &mut self.switched
        }
    }
    /// When the state was reached, milliseconds.
    pub fn reached(&self, state: DeploymentState) -> Option<i64> {
        self.states.iter().find(|(s, _)| *s == state).map(|(_, at)| *at)
    }
    /// The fact that the deployment has reached `state`.
    pub fn fact(&self, state: DeploymentState, why: Option<(&str, String)>) -> Fact {
        let (code, because) = why.map(|(code, because)| (code.to_owned(), because)).unzip();
        Fact::Deployment {
            number: self.number,
            stage: self.stage.clone(),
            state,
            old: self.old,
            new: self.new,
            component: self.component.clone(),
            probation_ms: self.probation_ms,
            rolls_back: self.rolls_back,
            code,
            because,
            author: self.author.clone(),
            reason: self.reason.clone(),
        }
    }
}
