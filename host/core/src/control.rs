//! Commands (wishes, on `<pipeline>.control`) and facts (on `<pipeline>.status`), as JSON on the log.

use crate::{Digest, Shard, StageName, TopicName, VersionId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// Tries parked records again.
    Release(Parked),
    /// Makes a dead letter of the first parked record of a key, then goes on as `Release`.
    Skip(Parked),
    /// The workers of an instance leave the group, each when its shards are warm elsewhere or the time is up.
    Evacuate {
        node: String,
        timeout_ms: u64,
    },
}

/// Which parked records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Parked {
    /// None: at every stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageName>,
    /// None: all keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RecordKey>,
}

/// A record's key as people write it: text where the bytes are UTF-8, else `0x` and hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct RecordKey(pub Bytes);

impl From<String> for RecordKey {
    fn from(text: String) -> Self {
        let raw = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
        Self(raw.map_or_else(|| text.into(), Bytes::from))
    }
}
impl From<RecordKey> for String {
    fn from(key: RecordKey) -> Self {
        key.to_string()
    }
}
impl std::fmt::Display for RecordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::str::from_utf8(&self.0) {
            // What reads as hex digits would be taken for them.
            Ok(text) if !text.starts_with("0x") => f.write_str(text),
            _ => write!(f, "0x{}", hex::encode(&self.0)),
        }
    }
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
    /// Tasks release or skip parked records; orders are carried out one after the other.
    Unparking {
        /// From 1, without gaps.
        order: u64,
        by: String,
        which: Parked,
        skip: bool,
    },
    /// Every task that the order concerns has done what it could.
    Unparked {
        order: u64,
        released: u64,
        skipped: u64,
        /// Keys whose queue is empty now, and those whose first record failed again.
        keys: u64,
        failed: u64,
        /// Tasks that could not carry it out, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refused: Vec<String>,
    },
    /// The stage faults on what it passed before: all of its tasks are paused.
    AtFault {
        stage: StageName,
        shard: Shard,
        code: String,
        because: String,
    },
    /// Stages and tasks that had stopped by themselves try again.
    Retried {
        by: String,
    },
    /// An instance gives its shards away. It ends with the process: what starts under that name later works again.
    Evacuating {
        node: String,
        incarnation: Uuid,
        by: String,
        timeout_ms: u64,
    },
    /// What the log calls the topics whose offsets this pipeline keeps, all of them.
    Topics {
        identities: BTreeMap<TopicName, String>,
    },
    /// It holds none any more, or is gone.
    Evacuated {
        node: String,
        incarnation: Uuid,
        took_ms: u64,
    },
    /// A command that changes nothing: refused (stale epoch, unknown stage, another deployment running).
    Refused {
        code: String,
        because: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_so_that_they_can_be_read() {
        for bytes in [
            b"acct-7".as_slice(),
            b"",
            b"0x",
            b"0x41",
            b"\xff\x00",
            "ключ".as_bytes(),
        ] {
            let key = RecordKey(Bytes::copy_from_slice(bytes));
            assert_eq!(RecordKey::from(key.to_string()), key, "{key}");
        }
        assert_eq!(RecordKey::from("acct-7".to_owned()).to_string(), "acct-7");
        let skip = Verb::Skip(Parked {
            stage: None,
            key: Some(RecordKey(Bytes::from_static(b"k"))),
        });
        let text = serde_json::to_string(&skip).expect("plain data");
        assert_eq!(text, r#"{"verb":"skip","key":"k"}"#);
        assert_eq!(serde_json::from_str::<Verb>(&text).expect("as written"), skip);
    }
}
