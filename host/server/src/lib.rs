//! The `fermata` binary as a library: command line, API, demo, and the process that runs a pipeline.
//!
//! [`host::Host`] is the process; [`cli::run`] carries out one verb. Nothing here knows what a payment is: what the
//! demo counts comes from the manifest.
#![forbid(unsafe_code)]

pub mod books;
pub mod cli;
pub mod configs;
pub mod demo;
pub mod doctor;
pub mod executor;
pub mod failure;
mod fitting;
pub mod ground;
pub mod host;
pub mod http;
pub mod installation;
mod keys;
mod load;
mod pages;
mod run;
mod setup;
mod signals;
mod source;

/// A payment takes many small pieces of memory, of which the log keeps some for a while: with the C library's allocator
/// a profile of the backlog spent about a quarter of its samples on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Version of this binary.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
