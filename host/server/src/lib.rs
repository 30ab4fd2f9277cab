//! The `fermata` binary as a library: command line, API, demo, and the process that runs a pipeline.
//!
//! [`host::Host`] is the process; [`cli::run`] carries out one verb. Nothing here knows what a payment is: what the
//! demo counts comes from the manifest.
#![forbid(unsafe_code)]

pub mod books;
pub mod cli;
pub mod demo;
pub mod executor;
pub mod failure;
pub mod host;
pub mod http;
mod load;
mod run;
mod signals;

/// Version of this binary.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
