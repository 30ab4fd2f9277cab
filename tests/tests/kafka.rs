//! On a real Apache Kafka.

mod broker;
mod doctor;
mod instances;
mod mistakes;
mod proxy;
mod sessions;
mod site;
mod topics;
