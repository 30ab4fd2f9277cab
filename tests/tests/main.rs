//! Every test of the workspace that needs more than one crate.

mod architecture;
mod conformance;
mod demo;
mod kills;
mod simulated;
mod simulation;
mod swaps;
mod terminal;
mod verification;
