//! What tests share: the simulated log, the conformance suite, the simulation of the payments, the real binary; and the benchmark.

pub mod bad_input;
pub mod bench;
pub mod conformance;
pub mod harness;
pub mod kafka;
pub mod simulated;
pub mod simulation;
