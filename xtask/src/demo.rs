//! `demo`: from a fresh clone to a running pipeline.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr};

use crate::{guests, server};

/// Build the guests and the server, then run `fermata demo` with the arguments behind `--`
#[derive(clap::Args)]
pub struct Args {
    /// Another pipeline of examples/ than payments
    #[arg(long, value_name = "NAME")]
    example: Option<String>,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    demo: Vec<OsString>,
}

pub fn run(args: &Args) -> Result<()> {
    guests::build()?;
    let fermata = server::build()?;
    // In the place of this process, so that Ctrl-C and the exit code are the demo's own.
    let mut demo = Command::new(&fermata);
    demo.arg("demo");
    if let Some(example) = &args.example {
        demo.args(["--example", example]);
    }
    let error = demo.args(&args.demo).exec();
    Err(error)
        .into_diagnostic()
        .wrap_err_with(|| format!("starting {}", fermata.display()))
}
