//! The real binary as a child process, driven as a person would: by its command line, its HTTP API and signals.

mod process;
mod reader;
mod wait;

pub use process::{Cli, Server, ServerSpec, binary, free_port};
pub use reader::{Topics, json_value};
pub use wait::until;
