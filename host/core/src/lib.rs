//! The words of Fermata as types, and the ports behind which every outside effect lives.
//!
//! `core` knows nothing of Kafka, WebAssembly or HTTP. Read [`ports`] first: a worker is a loop over
//! [`ports::Session`], [`ports::Instance`] and [`ports::StateStore`], and nothing else.
#![forbid(unsafe_code)]

pub mod changelog;
pub mod codes;
pub mod control;
pub mod description;
pub mod identity;
pub mod ids;
pub mod journal;
pub mod limits;
pub mod manifest;
pub mod names;
pub mod outcome;
pub mod output_hash;
pub mod partition;
pub mod ports;
pub mod printable;
pub mod record;
pub mod topics;
pub mod validation;

pub use identity::Identity;
pub use ids::{
    CommitId, Digest, Offset, PipelineName, Sequence, Shard, StageName, Timestamp, TopicName, ValidatorName, VersionId,
};
pub use outcome::{Due, Emission, Fault, FaultCode, Input, Outcome, Rejection, Verdict};
pub use record::{Header, NewRecord, Record};
