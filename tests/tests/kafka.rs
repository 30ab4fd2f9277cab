//! On a real Apache Kafka.

mod broker;
mod doctor;
mod plans;
mod proxy;
mod sessions;
mod site;
mod topics;
