//! On a real Apache Kafka.

mod broker;
mod doctor;
mod first_light;
mod mistakes;
mod proxy;
mod sessions;
mod site;
mod topics;
