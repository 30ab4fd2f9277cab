//! The control plane against small fakes of the ports; workers are played by [`world::World::workers`].

pub(crate) mod components;
pub(crate) mod log;
pub(crate) mod world;

mod candidates;
mod commands;
mod company;
mod drains;
mod durability;
mod lead;
mod parked;
mod restarts;
mod rollouts;
