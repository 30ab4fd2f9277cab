//! The log on Apache Kafka.

pub mod inspect;
