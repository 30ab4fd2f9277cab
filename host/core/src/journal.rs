//! The journal: one record per shard per transaction, the shard's truth.
//!
//! It is receipt, audit chain, replay script and restart point in one. On the log: one format byte, then protobuf.

use crate::manifest::{AtLimit, OnFailure, Quarantine};
use crate::output_hash::OutputHash;
use crate::{Digest, Offset, Sequence, Shard, StageName, TopicName, VersionId};
use prost::Message;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// First byte of every journal record; another value is another format.
pub const FORMAT: u8 = 1;
/// Contract version that records are written under.
pub const CONTRACT: &str = "fermata:stage@0.1.0";

#[derive(Clone, PartialEq, Message)]
pub struct JournalRecord {
    /// From 1, without gaps.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// SHA-256 of the previous journal record's bytes as on the log; empty for the first.
    #[prost(bytes = "vec", tag = "2")]
    pub previous: Vec<u8>,
    /// Control epoch under which the batch ran.
    #[prost(uint64, tag = "3")]
    pub epoch: u64,
    #[prost(string, tag = "4")]
    pub contract: String,
    #[prost(string, tag = "5")]
    pub engine: String,
    /// Versions that tasks and events name by their index here.
    #[prost(message, repeated, tag = "6")]
    pub versions: Vec<VersionEntry>,
    /// One for every stage of the shard, whether it moved or not: a restart needs no other record.
    #[prost(message, repeated, tag = "7")]
    pub tasks: Vec<TaskEntry>,
    #[prost(message, repeated, tag = "8")]
    pub receipts: Vec<Receipt>,
    /// Time of the last tick of this shard, milliseconds.
    #[prost(int64, tag = "9")]
    pub last_tick: i64,
    /// Host's time of the commit, microseconds.
    #[prost(int64, tag = "10")]
    pub at_micros: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct VersionEntry {
    #[prost(bytes = "vec", tag = "1")]
    pub component: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub config: Vec<u8>,
    /// Schema version of each store.
    #[prost(message, repeated, tag = "3")]
    pub schemas: Vec<SchemaEntry>,
    /// The JSON configuration, so that a replay can initialise the component again.
    #[prost(string, tag = "4")]
    pub config_json: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct SchemaEntry {
    #[prost(string, tag = "1")]
    pub store: String,
    #[prost(uint32, tag = "2")]
    pub schema: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct TaskEntry {
    #[prost(string, tag = "1")]
    pub stage: String,
    /// Index in `versions`: what the task runs after this transaction.
    #[prost(uint32, tag = "2")]
    pub version: u32,
    /// Number of the deployment that chose it; 0: the manifest.
    #[prost(uint64, tag = "3")]
    pub deployment: u64,
    /// What the task processed in this transaction, in order.
    #[prost(message, repeated, tag = "4")]
    pub events: Vec<Event>,
    /// Next offset to read of each input topic, ticks included, after this transaction.
    #[prost(message, repeated, tag = "5")]
    pub positions: Vec<Position>,
    /// Since the shard's first record.
    #[prost(message, optional, tag = "6")]
    pub counts: Option<Counts>,
    /// [`OutputHash`] of all that the task has appended.
    #[prost(bytes = "vec", tag = "7")]
    pub output_hash: Vec<u8>,
    /// The last tick that the task has processed, milliseconds.
    #[prost(int64, tag = "8")]
    pub now: i64,
    /// Stage generation, as in the header `fermata-done`.
    #[prost(uint64, tag = "9")]
    pub generation: u64,
    /// Under which failures are parked in this transaction; absent: the manifest's defaults (nothing is).
    #[prost(message, optional, tag = "10")]
    pub quarantine: Option<QuarantineEntry>,
    /// The last order to release or skip that the task has met, and how far it is.
    #[prost(message, optional, tag = "11")]
    pub unparking: Option<Unparking>,
    /// Faults since the last record that the task passed.
    #[prost(uint32, tag = "12")]
    pub faults_in_a_row: u32,
    /// How much the task keeps in its stores and as timers after this transaction.
    #[prost(message, repeated, tag = "13")]
    pub stores: Vec<StoreBytes>,
    /// The task paused before all timers due at its last tick had fired: those that had not stay set.
    #[prost(bool, tag = "14")]
    pub timers_stopped: bool,
}

/// Bytes of one store of a task, keys and values: no fewer than there are.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StoreBytes {
    #[prost(string, tag = "1")]
    pub store: String,
    #[prost(uint32, tag = "2")]
    pub schema: u32,
    #[prost(uint64, tag = "3")]
    pub bytes: u64,
}

/// [`crate::manifest::Quarantine`], as it was: a replay must park what was parked.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct QuarantineEntry {
    #[prost(bool, tag = "1")]
    pub rejected: bool,
    #[prost(bool, tag = "2")]
    pub faulted: bool,
    #[prost(uint64, tag = "3")]
    pub max_records: u64,
    #[prost(uint64, tag = "4")]
    pub max_age_ms: u64,
    /// A record that is one too many becomes a dead letter; else the task pauses.
    #[prost(bool, tag = "5")]
    pub dead_letter_at_limit: bool,
}

/// What a task has done about an order to release or skip parked records.
#[derive(Clone, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Unparking {
    /// Number of the order, from 1; 0: none was met yet.
    #[prost(uint64, tag = "1")]
    pub order: u64,
    /// Nothing of it is left to do.
    #[prost(bool, tag = "2")]
    pub done: bool,
    /// Records that left quarantine because they were treated.
    #[prost(uint64, tag = "3")]
    pub released: u64,
    /// Records that became dead letters as ordered.
    #[prost(uint64, tag = "4")]
    pub skipped: u64,
    /// Keys whose queue is empty now.
    #[prost(uint64, tag = "5")]
    pub keys: u64,
    /// Keys whose first record failed again.
    #[prost(uint64, tag = "6")]
    pub failed: u64,
    /// Why the order could not be carried out.
    #[prost(string, tag = "7")]
    pub refused: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Position {
    #[prost(string, tag = "1")]
    pub topic: String,
    #[prost(uint64, tag = "2")]
    pub next: u64,
}

/// Cumulative counters of a task.
#[derive(Clone, Copy, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Counts {
    /// Records and timers processed, whatever came of them (skipped ones not counted).
    #[prost(uint64, tag = "1")]
    pub processed: u64,
    #[prost(uint64, tag = "2")]
    pub emitted: u64,
    #[prost(uint64, tag = "3")]
    pub rejected: u64,
    #[prost(uint64, tag = "4")]
    pub faulted: u64,
    /// Records passed because an earlier transaction had concluded them.
    #[prost(uint64, tag = "5")]
    pub skipped: u64,
    #[prost(uint64, tag = "6")]
    pub timers: u64,
    /// Records and timers put into quarantine, failed or waiting behind one that had.
    #[prost(uint64, tag = "7")]
    pub parked: u64,
    /// Those that left it again, treated or not.
    #[prost(uint64, tag = "8")]
    pub unparked: u64,
    /// Rejections and faults that made no dead letter: their record was parked, or stayed so.
    #[prost(uint64, tag = "9")]
    pub kept: u64,
    /// Dead letters without a call: skipped by order, or turned away by a full quarantine.
    #[prost(uint64, tag = "10")]
    pub turned_away: u64,
}

impl Counts {
    /// Records in quarantine.
    pub fn in_quarantine(&self) -> u64 {
        self.parked.saturating_sub(self.unparked)
    }
    /// Records on the dead letter topic.
    pub fn dead_letters(&self) -> u64 {
        (self.rejected + self.faulted + self.turned_away).saturating_sub(self.kept)
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Index in `versions`: by whom.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    #[prost(oneof = "What", tags = "2, 3, 4")]
    pub what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum What {
    #[prost(message, tag = "2")]
    Run(Run),
    #[prost(message, tag = "3")]
    Fused(Fused),
    #[prost(message, tag = "4")]
    Released(Released),
}

/// Offsets `[from, next)` of one topic were read in order; those marked done for the stage were skipped.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Run {
    #[prost(string, tag = "1")]
    pub topic: String,
    #[prost(uint64, tag = "2")]
    pub from: u64,
    #[prost(uint64, tag = "3")]
    pub next: u64,
}

/// An emission of this transaction that the task processed at once, before it had an offset.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Fused {
    #[prost(string, tag = "1")]
    pub topic: String,
    /// [`crate::Identity`] of the record, as in its header.
    #[prost(string, tag = "2")]
    pub identity: String,
}

/// The first records of a parked key were tried again, one after the other; only the last of them may have failed,
/// and is the first again. Or they were skipped.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Released {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub count: u64,
    /// They became dead letters, with the failure that had parked them.
    #[prost(bool, tag = "3")]
    pub skipped: bool,
}

/// Proof of a cutover: where the old version ended is where the new one begins.
#[derive(Clone, PartialEq, Message)]
pub struct Receipt {
    #[prost(uint64, tag = "1")]
    pub deployment: u64,
    #[prost(string, tag = "2")]
    pub stage: String,
    #[prost(uint32, tag = "3")]
    pub shard: u32,
    /// Indexes in the record's `versions`.
    #[prost(uint32, tag = "4")]
    pub old: u32,
    #[prost(uint32, tag = "5")]
    pub new: u32,
    /// Position vector of the cutover.
    #[prost(message, repeated, tag = "6")]
    pub positions: Vec<Position>,
    /// From the last record ended by the old version to the first that may start on the new, without the sync.
    #[prost(uint64, tag = "7")]
    pub pause_micros: u64,
    #[prost(uint64, tag = "8")]
    pub migrated: u64,
    /// Going back to an earlier version.
    #[prost(bool, tag = "9")]
    pub rollback: bool,
    #[prost(int64, tag = "10")]
    pub at_micros: i64,
    /// Records that the task had processed before the cutover.
    #[prost(uint64, tag = "11")]
    pub processed_before: u64,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    #[error("journal record of format {0}, this version reads {FORMAT}")]
    Format(u8),
    #[error("journal record cannot be decoded: {0}")]
    Decode(String),
    #[error("an empty journal record")]
    Empty,
}

impl JournalRecord {
    pub fn encode_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.encoded_len());
        bytes.push(FORMAT);
        self.encode(&mut bytes).expect("a Vec grows as needed");
        bytes
    }

    pub fn decode_bytes(bytes: &[u8]) -> Result<Self, JournalError> {
        match bytes.split_first() {
            None => Err(JournalError::Empty),
            Some((&FORMAT, rest)) => Self::decode(rest).map_err(|e| JournalError::Decode(e.to_string())),
            Some((&other, _)) => Err(JournalError::Format(other)),
        }
    }

    /// Hash that the next record carries as `previous`.
    pub fn hash(bytes: &[u8]) -> Digest {
        Digest::of(bytes)
    }

    pub fn sequence(&self) -> Sequence {
        Sequence(self.sequence)
    }

    pub fn task(&self, stage: &StageName) -> Option<&TaskEntry> {
        self.tasks.iter().find(|t| t.stage == stage.as_str())
    }

    pub fn version(&self, index: u32) -> Option<VersionId> {
        self.versions.get(index as usize)?.id()
    }
}

impl VersionEntry {
    pub fn id(&self) -> Option<VersionId> {
        Some(VersionId {
            component: Digest::from_slice(&self.component)?,
            config: Digest::from_slice(&self.config)?,
        })
    }
}

impl TaskEntry {
    pub fn position(&self, topic: &TopicName) -> Option<Offset> {
        self.positions
            .iter()
            .find(|p| p.topic == topic.as_str())
            .map(|p| Offset(p.next))
    }
    pub fn output_hash(&self) -> OutputHash {
        OutputHash(self.output_hash.as_slice().try_into().unwrap_or_default())
    }
}

impl QuarantineEntry {
    /// `None` for the defaults, which need not be written.
    pub fn of(policy: &Quarantine) -> Option<Self> {
        (*policy != Quarantine::default()).then(|| Self {
            rejected: policy.keeps(false),
            faulted: policy.keeps(true),
            max_records: policy.max_records,
            max_age_ms: u64::try_from(policy.max_age.as_millis()).unwrap_or(u64::MAX),
            dead_letter_at_limit: policy.at_limit == AtLimit::DeadLetter,
        })
    }

    pub fn policy(&self) -> Quarantine {
        let on = |keeps| {
            if keeps {
                OnFailure::Quarantine
            } else {
                OnFailure::DeadLetter
            }
        };
        Quarantine {
            on_reject: on(self.rejected),
            on_fault: on(self.faulted),
            max_records: self.max_records,
            max_age: Duration::from_millis(self.max_age_ms),
            at_limit: if self.dead_letter_at_limit {
                AtLimit::DeadLetter
            } else {
                AtLimit::Pause
            },
        }
    }
}

impl Receipt {
    pub fn shard(&self) -> Shard {
        Shard(self.shard)
    }
}
