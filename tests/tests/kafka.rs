//! On a real Apache Kafka.

mod broker;
mod proxy;
mod sessions;
mod topics;
