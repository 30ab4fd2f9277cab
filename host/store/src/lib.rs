//! The embedded log and state: durable, in process, nothing to install.
//!
//! One fjall database holds everything, so that one atomic batch carries a transaction: its records, the positions
//! of its group and the state of its tasks. Batches go to the operating system at once and are visible inside at
//! once; one thread syncs them to the disk and raises the durable watermark ([`Log::durable`]). What leaves the
//! process waits for that watermark.
//!
//! Beside a log that keeps a changelog instead, [`Local`] holds the state of one node: see [`local`].
//!
//! Read [`Embedded`] first. What lies where: [`layout`]. Editing a closed folder: [`surgery`].
//!
//! [`Log::durable`]: fermata_core::ports::Log::durable
#![forbid(unsafe_code)]

mod advice;
mod commit;
mod durability;
mod embedded;
mod encoding;
mod group;
pub mod layout;
pub mod local;
mod open;
mod options;
mod positions;
mod pulse;
mod retention;
mod session;
mod state;
mod stores;
pub mod surgery;
mod topic;

pub use embedded::Embedded;
pub use local::{Local, LocalOptions};
pub use options::{OnFatal, Options, PersistHook};
