//! The data plane (workers) and the control plane (deployments, pause, drain), over the ports of `fermata-core` only.
//!
//! Data plane: [`worker`] steps; [`board`] is all that it shares with the control plane.
#![forbid(unsafe_code)]

pub mod board;
pub mod control;
pub mod guarded;
pub mod parked;
pub mod topics;
pub mod verify;
pub mod views;
pub mod worker;
