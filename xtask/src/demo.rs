//! `demo`: from a fresh clone to running payments.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr};

use crate::{guests, server};

/// Build the guests and the server, then run `fermata demo` with the arguments behind `--`
#[derive(clap::Args)]
pub struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    demo: Vec<OsString>,
}

pub fn run(args: &Args) -> Result<()> {
    guests::build()?;
    let fermata = server::build()?;
    // In the place of this process, so that Ctrl-C and the exit code are the demo's own.
    let error = Command::new(&fermata).arg("demo").args(&args.demo).exec();
    Err(error)
        .into_diagnostic()
        .wrap_err_with(|| format!("starting {}", fermata.display()))
}
