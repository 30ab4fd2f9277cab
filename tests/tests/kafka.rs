//! On a real Apache Kafka.

#[path = "kafka/broker.rs"]
mod broker;
#[path = "kafka/proxy.rs"]
mod proxy;
