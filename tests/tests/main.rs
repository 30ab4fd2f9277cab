//! Every test of the workspace that needs more than one crate.

mod alike;
mod architecture;
mod author;
mod bad_input;
mod conformance;
mod demo;
mod durability;
mod guests;
mod hostile;
mod kafka;
mod kills;
mod load;
mod manifests;
mod orders;
mod partitioning;
mod poison;
mod quarantine;
mod records;
mod sandbox;
mod simulated;
mod simulation;
mod swaps;
mod tamper;
mod terminal;
mod validators;
mod verification;
