//! The parts of the fold: what holds at present, and what came of each command.

use fermata_core::control::Parked;
use fermata_core::{Shard, VersionId};
use serde::Serialize;
use uuid::Uuid;

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
