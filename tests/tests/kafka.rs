//! On a real Apache Kafka.

#[path = "kafka/broker.rs"]
mod broker;
#[path = "kafka/doctor.rs"]
mod doctor;
#[path = "kafka/proxy.rs"]
mod proxy;
#[path = "kafka/site.rs"]
mod site;
#[path = "kafka/topics.rs"]
mod topics;
