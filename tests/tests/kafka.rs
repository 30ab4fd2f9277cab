//! On a real Apache Kafka.

mod broker;
#[path = "kafka/doctor.rs"]
mod doctor;
#[path = "kafka/proxy.rs"]
mod proxy;
#[path = "kafka/site.rs"]
mod doctor;
mod instances;
mod mistakes;
mod proxy;
mod sessions;
mod site;
mod topics;
