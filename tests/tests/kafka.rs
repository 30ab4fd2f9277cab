//! On a real Apache Kafka.

mod broker;
mod doctor;
mod instances;
mod proxy;
mod sessions;
mod site;
mod topics;
