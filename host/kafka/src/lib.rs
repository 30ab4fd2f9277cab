//! The log on Apache Kafka: topics, groups and transactions are the distributed engine, this crate is what stands
//! between them and the ports [`Log`](fermata_core::ports::Log) and [`Session`](fermata_core::ports::Session).
//!
//! What must hold, and why, is said where it is done: [`lane`] (transactions), [`session`] (groups, commits, what
//! became of them), [`reader`] (committed reads), [`settings`] (what nobody may change).

mod admin;
mod ahead;
mod appender;
mod catalogue;
mod commits;
mod convert;
mod ends;
mod fault;
mod flush;
mod health;
mod identities;
pub mod inspect;
mod lane;
mod lanes;
mod log;
mod options;
mod reader;
mod readers;
mod session;
mod settings;
mod shared;

pub use catalogue::Difference;
pub use log::KafkaLog;
pub use options::{CreateTopics, KafkaOptions};
pub use settings::refused as refused_settings;

use fermata_core::{Shard, TopicName};

/// A partition of a topic.
pub(crate) type Place = (TopicName, Shard);
