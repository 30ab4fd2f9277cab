//! `bench`: speed, latency and memory of the payment pipeline, beside what was aimed at.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr};

use crate::{guests, run, server, workspace};

/// Measure the payment pipeline: Wasm beside native in pairs, latency at a steady rate; --million: memory instead
///
/// More behind `--`: --rounds N (at least 3), --payments N of a backlog, --rate N a second and --seconds N of the
/// steady load; --accounts: only what a payment costs with 10 thousand accounts and with a million, instead; --state:
/// only local state beside changelogs, with 100 thousand entries and with 2 million.
#[derive(clap::Args)]
pub struct Args {
    /// Only memory, after a million payments; takes minutes
    #[arg(long)]
    million: bool,
    /// table or json
    #[arg(short, long, default_value = "table")]
    output: String,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    more: Vec<OsString>,
}

pub fn run(args: &Args) -> Result<()> {
    guests::build()?;
    let mut cargo = run::cargo();
    cargo.args(["build", "--release", "--workspace", "--bin", "bench"]);
    run::loudly(server::with_bundles(&mut cargo))?;
    let bench = workspace::target().join("release").join("bench");
    let mut measure = Command::new(&bench);
    measure.args(["--output", &args.output]).args(&args.more);
    if args.million {
        measure.arg("--million");
    }
    let error = measure.exec();
    Err(error)
        .into_diagnostic()
        .wrap_err_with(|| format!("starting {}", bench.display()))
}
