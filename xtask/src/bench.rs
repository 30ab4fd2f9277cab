//! `bench`: speed, latency and memory of the payment pipeline, beside what was aimed at.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr};

use crate::{guests, peer, run, server, workspace};

/// Measure the payment pipeline: Wasm beside native in pairs, latency at a steady rate; --million: memory instead
///
/// More behind `--`: --rounds N (at least 3), --payments N of a backlog, --rate N a second and --seconds N of the
/// steady load; --accounts: only what a payment costs with 10 thousand accounts and with a million, instead; --state:
/// only local state beside a changelog, with 100 thousand entries and with 2 million. On Kafka besides: --warm N payments
/// before the clock starts; --few N and --many N accounts.
#[derive(clap::Args)]
pub struct Args {
    /// Only memory, after a million payments; takes minutes
    #[arg(long)]
    million: bool,
    /// On a real Kafka, beside the same pipeline on Kafka Streams; half an hour
    #[arg(long, conflicts_with = "million")]
    kafka: bool,
    /// On a real Kafka: silence after SIGKILL with few accounts and with many; half an hour
    #[arg(long, conflicts_with_all = ["million", "kafka"])]
    kafka_recovery: bool,
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
    let asked = |flag: &str| args.more.iter().any(|word| word == flag);
    let (kafka, recovery) = (
        args.kafka || asked("--kafka"),
        args.kafka_recovery || asked("--kafka-recovery"),
    );
    if kafka || recovery {
        peer::install_tools();
        peer::build_load()?;
        server::build()?;
    }
    if kafka {
        peer::build()?;
    }
    let bench = workspace::target().join("release").join("bench");
    let mut measure = Command::new(&bench);
    measure.args(["--output", &args.output]).args(&args.more);
    if args.million {
        measure.arg("--million");
    }
    for (flag, wanted) in [("--kafka", args.kafka), ("--kafka-recovery", args.kafka_recovery)] {
        if wanted {
            measure.arg(flag);
        }
    }
    let error = measure.exec();
    Err(error)
        .into_diagnostic()
        .wrap_err_with(|| format!("starting {}", bench.display()))
}
