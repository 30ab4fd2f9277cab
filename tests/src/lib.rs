//! What tests share: the simulated log, a worker on it, the conformance suite, the simulation of the payments, the real binary; and the benchmark.

pub mod bad_input;
pub mod bench;
pub mod conformance;
pub mod harness;
pub mod kafka;
pub mod native;
pub mod simulated;
pub mod simulation;
