//! Every test of the workspace that needs more than one crate.

mod architecture;
mod conformance;
mod demo;
mod durability;
mod guests;
mod hostile;
mod kills;
mod poison;
mod records;
mod sandbox;
mod simulated;
mod simulation;
mod swaps;
mod tamper;
mod terminal;
mod verification;
