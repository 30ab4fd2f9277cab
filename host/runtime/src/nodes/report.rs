//! What an instance says of itself on `<pipeline>.nodes`, as JSON under its name as key. The last word holds.

use crate::board::{ShardReport, WorkerEvent};
use fermata_core::names::Purpose;
use fermata_core::{NewRecord, Offset, PipelineName, Record, Shard, StageName, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Version of the format.
pub const VERSION: u32 = 1;

/// The topic has one partition.
pub const ONLY: Shard = Shard(0);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeReport {
    pub v: u32,
    pub node: String,
    /// Of this process: another one under the same name has another.
    pub incarnation: Uuid,
    /// URL under which other instances reach its API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Of Fermata.
    pub version: String,
    /// Milliseconds since the Unix epoch, by its own clock.
    pub at: i64,
    pub state: NodeState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<Leads>,
    /// The lowest epoch that one of its workers still obeys.
    pub epoch: u64,
    /// It had read this topic up to here before it looked at its workers.
    pub read_to: Offset,
    /// Workers that are in the group.
    pub workers: BTreeSet<usize>,
    pub shards: BTreeMap<Shard, ShardReport>,
    /// Shards that it holds and does not process yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub restoring: BTreeSet<Shard>,
    /// Shards whose state it follows, and how many changes of each it has still to read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub standby: BTreeMap<Shard, u64>,
    /// What came of preparing the candidates of open deployments, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prepared: BTreeMap<u64, Prepared>,
    /// What its workers met and no fact tells yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Numbered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    Ready,
    /// It holds shards that it does not process yet.
    Restoring,
    /// It gives its shards away.
    Evacuating,
}

impl NodeState {
    pub fn of(evacuating: bool, restoring: bool) -> Self {
        match (evacuating, restoring) {
            (true, _) => Self::Evacuating,
            (false, true) => Self::Restoring,
            (false, false) => Self::Ready,
        }
    }
}

/// What the leader says besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Leads {
    pub term: u64,
    /// As of this epoch: is the whole pipeline quiescent, and if not, why?
    pub epoch: u64,
    pub quiescent: bool,
    pub obstacles: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Prepared {
    Ready,
    Refused { code: String, because: String },
}

/// From 1 for each incarnation, so that the leader hears each event once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    pub number: u64,
    #[serde(flatten)]
    pub event: Said,
}

/// A [`WorkerEvent`] that the leader must hear of, wherever it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Said {
    Switched {
        deployment: u64,
        stage: StageName,
        shard: Shard,
        pause_micros: u64,
        synced_micros: Option<u64>,
        rollback: bool,
    },
    Refuted {
        deployment: u64,
        shard: Shard,
        /// Of the record.
        identity: String,
        fault: String,
    },
    CannotSwitch {
        deployment: u64,
        shard: Shard,
        fault: String,
    },
    StageAtFault {
        stage: StageName,
        deployment: u64,
        retries: u64,
        shard: Shard,
        because: String,
    },
}

impl Said {
    /// `None`: it concerns this process alone.
    pub fn of(event: &WorkerEvent) -> Option<Self> {
        match event {
            WorkerEvent::Switched {
                shard,
                receipt,
                pause_micros,
                synced_micros,
                ..
            } => Some(Self::Switched {
                deployment: receipt.deployment,
                stage: StageName::new(&receipt.stage).ok()?,
                shard: *shard,
                pause_micros: *pause_micros,
                synced_micros: Some(*synced_micros),
                rollback: receipt.rollback,
            }),
            WorkerEvent::Refuted {
                deployment,
                shard,
                identity,
                fault,
                ..
            } => Some(Self::Refuted {
                deployment: *deployment,
                shard: *shard,
                identity: identity.to_string(),
                fault: fault.clone(),
            }),
            WorkerEvent::CannotSwitch {
                deployment,
                shard,
                fault,
                ..
            } => Some(Self::CannotSwitch {
                deployment: *deployment,
                shard: *shard,
                fault: fault.clone(),
            }),
            WorkerEvent::StageAtFault {
                stage,
                deployment,
                retries,
                shard,
                because,
            } => Some(Self::StageAtFault {
                stage: stage.clone(),
                deployment: *deployment,
                retries: *retries,
                shard: *shard,
                because: because.clone(),
            }),
            WorkerEvent::TaskPaused { .. } | WorkerEvent::Failed { .. } => None,
        }
    }
}

impl NodeReport {
    pub fn record(&self, pipeline: &PipelineName) -> NewRecord {
        let json = serde_json::to_vec(self).expect("reports have string and number keys only");
        word(pipeline, &self.node, self.at, Some(json.into()))
    }

    /// `None`: of another version, or not a report at all.
    pub fn read(record: &Record) -> Option<Self> {
        let read = serde_json::from_slice::<Self>(record.value.as_deref()?);
        match read {
            Ok(report) if report.v == VERSION => Some(report),
            Ok(report) => {
                tracing::debug!("{}: a report of format {}, passed", record.coordinates(), report.v);
                None
            }
            Err(error) => {
                tracing::warn!("{}: not a report, passed: {error}", record.coordinates());
                None
            }
        }
    }
}

/// The last word of an instance that ends: there is nothing to be said of it any more.
pub fn farewell(pipeline: &PipelineName, node: &str, at: i64) -> NewRecord {
    word(pipeline, node, at, None)
}

fn word(pipeline: &PipelineName, node: &str, at: i64, value: Option<bytes::Bytes>) -> NewRecord {
    NewRecord {
        topic: Purpose::Nodes.topic(pipeline),
        shard: ONLY,
        timestamp: Timestamp(at),
        key: Some(bytes::Bytes::copy_from_slice(node.as_bytes())),
        value,
        headers: Vec::new(),
    }
}
