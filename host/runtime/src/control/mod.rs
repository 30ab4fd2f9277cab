//! Control plane: wishes from the control topic become facts on the status topic, and only facts reach workers.
//!
//! - [`start`] folds what is recorded and gives a steppable [`Controller`]. Where several instances share the log,
//!   the one that holds shard 0 decides, and the others follow.
//! - [`append_command`] is how anybody else asks for something; [`ControlView`] is where the answer shows.
//! - [`fold`] is all that survives a restart; [`Deployment`] one move of a stage; [`TaskReceipt`] its proof.

mod asked;
mod commands;
mod company;
mod controller;
mod deployment;
mod error;
mod evacuate;
mod fit;
pub mod fold;
mod follow;
mod lead;
mod parked;
mod prepare;
mod probation;
mod quiet;
pub mod receipts;
mod rest;
mod rollout;
mod start;
#[cfg(test)]
pub(crate) mod tests;
mod topics;
mod versions;
mod view;
mod wire;

pub use asked::{Unanswered, unanswered};
pub use controller::Controller;
pub use deployment::{Cutover, Deployment};
pub use error::{ControlError, Refusal};
pub use fit::{Misfit, Place, misfits};
pub use fold::{AtFault, CommandOutcome, Drain, DrainEnd, Evacuation, Fold, Live, Order, Paused, Progress};
pub use prepare::Preparing;
pub use receipts::TaskReceipt;
pub use start::{ControllerSpec, start};
pub use versions::config_json;
pub use view::{ControlState, ControlView, Flow};
pub use wire::append_command;
