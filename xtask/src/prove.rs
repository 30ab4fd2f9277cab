//! `prove`: the long versions of what the tests show in short, one after another, with what each found.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use miette::{IntoDiagnostic, Result, WrapErr, bail};

use crate::{guests, kafka, run, server};

/// A test that reads its length from the environment.
struct Proof {
    test: &'static str,
    variable: &'static str,
    count: u64,
    what: &'static str,
}

const SEEDS: &str = "FERMATA_SEEDS";

const PROOFS: &[Proof] = &[
    Proof {
        test: "swaps::swaps_in_a_row_lose_nothing_and_double_nothing",
        variable: "FERMATA_SWAPS",
        count: 200,
        what: "swaps under 2,000 payments a second",
    },
    Proof {
        test: "kills::a_kill_in_any_moment_loses_nothing_and_doubles_nothing",
        variable: "FERMATA_KILLS",
        count: 54,
        what: "SIGKILLs, nine in each named moment",
    },
    Proof {
        test: "simulation::every_seed_passes",
        variable: SEEDS,
        count: 100_000,
        what: "seeds on the simulated log",
    },
    Proof {
        test: "kafka::kills::kills_of_the_only_instance_lose_nothing_and_double_nothing",
        variable: "FERMATA_KAFKA_KILLS",
        count: 60,
        what: "SIGKILLs of the only instance on Kafka",
    },
    Proof {
        test: "kafka::kills::kills_of_one_of_three_instances_lose_nothing_and_double_nothing",
        variable: "FERMATA_KAFKA_KILLS",
        count: 60,
        what: "SIGKILLs of one of three instances on Kafka",
    },
    Proof {
        test: "kafka::swaps::a_kill_in_the_middle_of_a_swap_leaves_one_digest_on_each_position",
        variable: "FERMATA_KAFKA_SWAPS",
        count: 10,
        what: "swaps on three instances on Kafka, one killed in the middle of each",
    },
    Proof {
        test: "kafka::zombies::a_zombie_commits_nothing_that_its_successor_has_done",
        variable: "FERMATA_KAFKA_ZOMBIES",
        count: 10,
        what: "instances asleep until others had taken over",
    },
    Proof {
        test: "kafka::zombies::an_instance_that_slept_past_its_session_goes_on_where_it_was",
        variable: "FERMATA_KAFKA_ZOMBIES",
        count: 10,
        what: "sleeps past the session of the only instance",
    },
    Proof {
        test: "kafka::brokers::a_broker_that_restarts_or_is_killed_costs_time_and_nothing_else",
        variable: "FERMATA_KAFKA_BROKERS",
        count: 10,
        what: "restarts and as many SIGKILLs of the only broker",
    },
    Proof {
        test: "kafka::cuts::a_cut_at_any_request_of_a_transaction_loses_nothing_and_doubles_nothing",
        variable: "FERMATA_KAFKA_CUTS",
        count: 8,
        what: "rounds of cuts and delays at each request of a transaction",
    },
    Proof {
        test: "kafka::cuts::a_cut_at_any_request_of_a_start_loses_nothing_and_doubles_nothing",
        variable: "FERMATA_KAFKA_CUTS",
        count: 4,
        what: "rounds of cuts at each request of a start",
    },
    Proof {
        test: "kafka::storms::instances_that_come_and_go_lose_nothing_and_double_nothing",
        variable: "FERMATA_KAFKA_STORM",
        count: 60,
        what: "instances that came and went",
    },
    Proof {
        test: "kafka::disks::a_disk_that_was_wiped_is_filled_again_from_the_changelogs",
        variable: "FERMATA_KAFKA_DISKS",
        count: 10,
        what: "disks wiped",
    },
    Proof {
        test: "kafka::disks::a_store_of_an_older_day_is_brought_up_to_date",
        variable: "FERMATA_KAFKA_DISKS",
        count: 10,
        what: "stores put back from an older day",
    },
];

/// Run the long proofs (200 swaps, 54 kills, 100,000 seeds, faults on Kafka) and print what they found
#[derive(clap::Args)]
pub struct Args {
    /// Seeds of the simulation, in place of 100,000
    #[arg(long, value_name = "COUNT")]
    seeds: Option<u64>,
    /// Only proofs whose test's name contains this
    filter: Option<String>,
}

struct Shown {
    proof: &'static Proof,
    count: u64,
    passed: bool,
    took: Duration,
    /// Lines that the test printed itself.
    figures: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let filter = args.filter.as_deref().unwrap_or_default();
    let wanted: Vec<&Proof> = PROOFS.iter().filter(|p| p.test.contains(filter)).collect();
    if wanted.is_empty() {
        bail!("no proof's name contains {filter:?}");
    }
    kafka::install_tools();
    guests::build()?;
    server::build()?;
    run::loudly(server::with_bundles(tests().arg("--no-run")))?;
    let mut shown = Vec::new();
    for proof in wanted {
        let count = args.seeds.filter(|_| proof.variable == SEEDS).unwrap_or(proof.count);
        eprintln!("proving: {count} {}", proof.what);
        shown.push(prove(proof, count)?);
    }
    print(&shown);
    match shown.iter().filter(|s| !s.passed).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} proofs failed", shown.len()),
    }
}

fn tests() -> Command {
    let mut cargo = run::cargo();
    // Of the whole workspace, as the server is built: with other features cargo would build wasmtime again.
    cargo.args(["test", "--release", "--workspace", "--test", "main"]);
    cargo
}

fn prove(proof: &'static Proof, count: u64) -> Result<Shown> {
    let began = Instant::now();
    let mut cargo = tests();
    cargo.args(["--", "--exact", proof.test, "--nocapture"]);
    let mut child = server::with_bundles(&mut cargo)
        .env(proof.variable, count.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .into_diagnostic()
        .wrap_err("starting cargo test")?;
    let stdout = child.stdout.take().expect("piped above");
    let mut figures = Vec::new();
    let mut ran = false;
    for line in BufReader::new(stdout).lines() {
        let line = line.into_diagnostic().wrap_err("reading what the proof prints")?;
        println!("{line}");
        ran |= line.starts_with("running 1 test");
        if is_figure(&line) {
            figures.push(line);
        }
    }
    let status = child.wait().into_diagnostic().wrap_err("waiting for the proof")?;
    Ok(Shown {
        proof,
        count,
        passed: ran && status.success(),
        took: began.elapsed(),
        figures,
    })
}

/// Not one of the test harness's own lines.
fn is_figure(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty()
        && !["running ", "test ", "failures:"]
            .iter()
            .any(|own| line.starts_with(own))
}

fn print(shown: &[Shown]) {
    println!("\n{:<7} {:>8}  proof", "verdict", "seconds");
    for Shown {
        proof,
        count,
        passed,
        took,
        figures,
    } in shown
    {
        let verdict = if *passed { "ok" } else { "FAILED" };
        println!("{verdict:<7} {:>8.1}  {count} {}", took.as_secs_f64(), proof.what);
        for figure in figures {
            println!("{:18}{figure}", "");
        }
    }
}
