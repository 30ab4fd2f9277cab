//! The data plane (workers) and the control plane (deployments, pause, drain), over the ports of `fermata-core` only.
//!
//! Data plane: [`worker`] steps; [`board`] is all that it shares with the control plane. [`nodes`]: several instances
//! that share a pipeline, and [`tenure`]: when one of them may work.
#![forbid(unsafe_code)]

pub mod artifacts;
pub mod board;
pub mod control;
pub mod guarded;
pub mod nodes;
pub mod parked;
pub mod tenure;
pub mod topics;
pub mod trial;
pub mod verify;
pub mod views;
pub mod worker;
