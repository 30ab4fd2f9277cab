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
mod kills;
mod load;
mod manifests;
mod orders;
mod poison;
mod quarantine;
mod records;
mod sandbox;
mod simulated;
mod simulation;
mod slow_timers;
mod state_limit;
mod swaps;
mod tamper;
mod terminal;
mod validators;
mod verification;
