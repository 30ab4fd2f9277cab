//! On a real Apache Kafka.

mod bad_input;
mod broker;
mod brokers;
mod changed;
mod cuts;
mod disks;
mod doctor;
mod first_light;
mod instances;
mod kills;
mod mistakes;
mod proxy;
mod sessions;
mod site;
mod sizes;
mod storms;
mod swaps;
mod three;
mod topics;
mod zombies;
