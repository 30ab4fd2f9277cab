//! Commands (wishes, on `<pipeline>.control`) and facts (on `<pipeline>.status`), as JSON on the log.

use crate::{Digest, Shard, StageName, VersionId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Version of both formats.
pub const VERSION: u32 = 1;

/// A wish. Idempotent by `id`; refused when `expect_epoch` is not the epoch at which it is met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Command {
    pub v: u32,
    /// UUIDv7.
    pub id: Uuid,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    pub author: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_epoch: Option<u64>,
    #[serde(flatten)]
    pub verb: Verb,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Verb {
    /// Stops intake at the head.
    Pause,
    Resume,
    /// Pause, then let everything in flight end. Ticks go on until drained or the deadline.
    Drain {
        timeout_ms: u64,
    },
    /// Moves a stage to a component that is already kept under `digest`.
    Deploy {
        stage: StageName,
        component: String,
        digest: Digest,
        probation_ms: Option<u64>,
    },
    /// Back to the version before the last promoted or probing deployment of the stage.
    Rollback {
        stage: StageName,
    },
}

/// States of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeploymentState {
    Proposed,
    Prepared,
    Pausing,
    Switching,
    Probation,
    Promoted,
    RolledBack,
    Refused,
}

impl DeploymentState {
    /// Nothing follows.
    pub fn ended(self) -> bool {
        matches!(self, Self::Promoted | Self::RolledBack | Self::Refused)
    }
}

/// A fact. `epoch` grows with every fact that changes what workers should do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    pub v: u32,
    pub at: i64,
    pub epoch: u64,
    /// Of the leader that recorded it; 0: before terms were counted.
    #[serde(default)]
    pub term: u64,
    /// The command that led to it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Uuid>,
    #[serde(flatten)]
    pub fact: Fact,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "facts are few, and made to be written at once")]
pub enum Fact {
    /// A process has begun to decide: facts of lower terms behind this one are void.
    Leading,
    /// Stages began with these versions (manifest). Again only while no task has ever run.
    Started {
        stages: Vec<(StageName, VersionId)>,
    },
    Paused {
        by: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Resumed {
        by: String,
    },
    Draining {
        by: String,
        timeout_ms: u64,
    },
    Drained {
        took_ms: u64,
    },
    /// The deadline passed: what still blocks, as the manifest's blocking view names it.
    NotDrained {
        timeout_ms: u64,
        blocking: Vec<String>,
    },
    Deployment {
        number: u64,
        stage: StageName,
        state: DeploymentState,
        old: VersionId,
        new: VersionId,
        component: String,
        probation_ms: u64,
        /// Number of the deployment that this one takes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rolls_back: Option<u64>,
        /// Code and text of why it was refused or rolled back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        author: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// One task has cut over; the proof is the journal's receipt.
    Switched {
        deployment: u64,
        stage: StageName,
        shard: Shard,
        pause_micros: u64,
        /// The pause with the wait for the sync; unknown when the fact was found in a journal after a restart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        synced_micros: Option<u64>,
        /// Back to the old version.
        #[serde(default)]
        rollback: bool,
    },
    /// A command that changes nothing: refused (stale epoch, unknown stage, another deployment running).
    Refused {
        code: String,
        because: String,
    },
}
