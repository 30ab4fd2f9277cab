//! `test`: everything that must hold before a change lands.

mod summary;

use std::io::{BufRead, BufReader, Write, pipe};
use std::process::{Command, ExitStatus};

use miette::{IntoDiagnostic, Result, WrapErr, bail};

use crate::{guests, kafka, run, server};
use summary::Summary;

/// Set, it makes a skipped test an error.
const STRICT: &str = "FERMATA_STRICT";

/// Build guests and server, run all tests, and (without a filter) check format and lints
#[derive(clap::Args)]
pub struct Args {
    /// A test that would be skipped fails
    #[arg(long)]
    strict: bool,
    /// Only tests whose name contains this
    filter: Option<String>,
}

pub fn run(args: &Args) -> Result<()> {
    if args.filter.is_none() {
        run::loudly(run::cargo().args(["fmt", "--all", "--check"])).wrap_err("cargo fmt --all would change files")?;
    }
    kafka::install_tools();
    guests::build()?;
    server::build()?;
    let mut cargo = run::cargo();
    // Every suite runs to its end, so that one run tells all that is wrong.
    cargo.args(["test", "--release", "--workspace", "--no-fail-fast"]);
    if args.strict {
        cargo.env(STRICT, "1");
    }
    if let Some(filter) = &args.filter {
        cargo.args(["--", filter]);
    }
    let (status, summary) = follow(server::with_bundles(&mut cargo))?;
    if args.filter.is_none() && status.success() {
        lint()?;
    }
    println!("{summary}");
    if !status.success() {
        bail!("cargo test ended with {status}");
    }
    if summary.is_empty() {
        bail!(
            "no test ran: no name contains {:?}",
            args.filter.as_deref().unwrap_or_default()
        );
    }
    Ok(())
}

/// After the tests, so that the build of the dependencies is there to be used.
fn lint() -> Result<()> {
    let mut cargo = run::cargo();
    cargo.args([
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    run::loudly(server::with_bundles(&mut cargo)).wrap_err("lints")
}

/// Passes on what the tests print, and counts. Both streams share one pipe, since cargo names a suite on one of
/// them and the suite answers on the other.
fn follow(command: &mut Command) -> Result<(ExitStatus, Summary)> {
    let (reader, writer) = pipe().into_diagnostic().wrap_err("making a pipe for the tests")?;
    let both = writer
        .try_clone()
        .into_diagnostic()
        .wrap_err("making a pipe for the tests")?;
    let mut child = command
        .stdout(writer)
        .stderr(both)
        .spawn()
        .into_diagnostic()
        .wrap_err("starting cargo test")?;
    // The command keeps its ends of the pipe open until it is told to use others.
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut summary = Summary::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.into_diagnostic().wrap_err("reading what the tests print")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(std::io::stdout(), "{line}")
            .into_diagnostic()
            .wrap_err("passing on what the tests print")?;
        summary.read(&line);
    }
    let status = child.wait().into_diagnostic().wrap_err("waiting for cargo test")?;
    Ok((status, summary))
}
