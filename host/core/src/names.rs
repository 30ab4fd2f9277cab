//! One home for the names that travel: headers, topics, groups, metrics.

use crate::{PipelineName, TopicName};

/// Headers that the host writes; a guest that writes one breaks its contract.
pub mod headers {
    /// [`crate::Identity`] of the record.
    pub const ID: &str = "fermata-id";
    /// `topic/partition/offset` of the input that led to it, or `topic/partition/#id` when that was fused.
    pub const CAUSE: &str = "fermata-cause";
    /// The head record's timestamp, microseconds since the Unix epoch.
    pub const ROOT_TIME: &str = "fermata-root-time";
    /// The stage that emitted it, or whose input a dead letter was.
    pub const STAGE: &str = "fermata-stage";
    /// First 12 hex digits of the component.
    pub const DIGEST: &str = "fermata-digest";
    /// `stage@generation,...`: the readers that concluded in the transaction that appended the record.
    pub const DONE: &str = "fermata-done";
    /// The failing stage's input port, on a dead letter.
    pub const PORT: &str = "fermata-port";
    /// Rejection or fault code, on a dead letter.
    pub const CODE: &str = "fermata-code";
    /// The timer's id, on the dead letter of a timer.
    pub const TIMER: &str = "fermata-timer";
    /// Journal sequence of the transaction in which its cause left quarantine; absent where the cause was never parked.
    pub const RELEASED: &str = "fermata-released";
    /// All names of the host's own headers begin so.
    pub const PREFIX: &str = "fermata-";
    /// KIP-1034 headers of a dead letter.
    pub const ERRORS_PREFIX: &str = "__streams.errors.";
    pub const ERRORS_EXCEPTION: &str = "__streams.errors.exception";
    pub const ERRORS_MESSAGE: &str = "__streams.errors.message";
    pub const ERRORS_STACKTRACE: &str = "__streams.errors.stacktrace";
    pub const ERRORS_TOPIC: &str = "__streams.errors.topic";
    pub const ERRORS_PARTITION: &str = "__streams.errors.partition";
    pub const ERRORS_OFFSET: &str = "__streams.errors.offset";

    /// Is it the host's to write?
    pub fn reserved(name: &str) -> bool {
        name.starts_with(PREFIX) || name.starts_with(ERRORS_PREFIX)
    }
    /// The name of a header that emissions carry, without memory of its own.
    pub fn known(name: &str) -> Option<&'static str> {
        [ID, CAUSE, ROOT_TIME, STAGE, DIGEST, DONE, RELEASED]
            .into_iter()
            .find(|own| *own == name)
    }
    /// The host's headers on one record hold at most this many bytes of values.
    pub const MAX_HOST_BYTES: usize = 512;
}

/// What a topic that the host keeps for a pipeline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    Control,
    Status,
    Journal,
    Ticks,
    DeadLetters,
    /// What each instance says of itself; made only where several instances share the log.
    Nodes,
    /// The bytes of components, in chunks; made only where several instances share the log.
    Artifacts,
}

impl Purpose {
    /// What every pipeline has.
    pub const ALL: [Self; 5] = [
        Self::Control,
        Self::Status,
        Self::Journal,
        Self::Ticks,
        Self::DeadLetters,
    ];
    /// What a pipeline has besides, where several instances share the log.
    pub const SHARED: [Self; 2] = [Self::Nodes, Self::Artifacts];
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Status => "status",
            Self::Journal => "journal",
            Self::Ticks => "ticks",
            Self::DeadLetters => "dlq",
            Self::Nodes => "nodes",
            Self::Artifacts => "artifacts",
        }
    }
    /// One partition for the whole pipeline, or one a shard.
    pub fn keyed(self) -> bool {
        matches!(self, Self::Journal | Self::Ticks | Self::DeadLetters)
    }
    /// `<pipeline>.<purpose>`.
    pub fn topic(self, pipeline: &PipelineName) -> TopicName {
        TopicName::new(format!("{pipeline}.{}", self.suffix()))
            .expect("a pipeline name is at most 64 bytes of [a-z0-9-]")
    }
}

/// Consumer group of a pipeline.
pub fn group(pipeline: &PipelineName) -> String {
    format!("fermata.{pipeline}")
}

/// A worker's name in the group: `<node>.<number>`, the same after every start.
pub fn member(node: &str, worker: usize) -> String {
    format!("{node}.{worker}")
}

/// `<pipeline>.changelog`: the state of all stages as records ([`crate::changelog`]), one partition a shard.
pub fn changelog(pipeline: &PipelineName) -> TopicName {
    TopicName::new(format!("{pipeline}.changelog")).expect("a pipeline name is at most 64 bytes of [a-z0-9-]")
}

/// `<pipeline>.doctor`: what `fermata doctor` writes to and reads back.
pub fn probe(pipeline: &PipelineName) -> TopicName {
    TopicName::new(format!("{pipeline}.doctor")).expect("a pipeline name is at most 64 bytes of [a-z0-9-]")
}

/// Reserved stores of a task, beside those its component declares (which cannot begin with `_`).
pub mod stores {
    /// Timers by id and by due time.
    pub const TIMERS: &str = "_timers";
    /// Records that wait because they, or one of their key before them, could not be treated.
    pub const QUARANTINE: &str = "_quarantine";
    /// What validators keep for the keys of records.
    pub const MEMOS: &str = "_memos";
    /// The shard's own notes: its journal sequence as of this state.
    pub const SHARD: &str = "_shard";
    /// Stage name under which shard-wide notes are kept; no manifest can use it.
    pub const HOST_STAGE: &str = "_host";
}

/// Metrics of the host.
pub mod metrics {
    /// Histogram, seconds: head's timestamp to the durable commit of a record on an end topic.
    pub const PIPELINE_LATENCY: &str = "fermata_pipeline_latency_seconds";
    /// Records on end topics; a goal means their rate a second.
    pub const PIPELINE_ENDED: &str = "fermata_pipeline_records_total";
    /// Counter: records that a validator of a stage saw, by validator and verdict: `accepted`, its code, a fault.
    pub const VALIDATOR_RECORDS: &str = "fermata_validator_records_total";
    /// What a goal can be set on.
    pub const GOALS: [&str; 2] = [PIPELINE_LATENCY, PIPELINE_ENDED];
}
