//! The payment pipeline on a real Kafka, beside the same pipeline on Kafka Streams: in turn, on one broker, under one
//! load generator that knows neither and counts what readers of committed records see.
//!
//! Topics are made for each measurement and deleted after it. Whatever else used the processors stands beside every
//! figure; a measurement in which that was much is marked as disturbed.

mod args;
mod figures;
mod load;
mod recovery;
mod report;
mod side;
mod tools;

pub use args::KafkaArgs;
pub use report::KafkaReport;

use super::Outcome;
use figures::{Burst, Open, Silence};
use load::{Load, Mode};
use side::Side;
use tools::Tools;

/// What was measured of one side, round by round.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Measured {
    pub bursts: Vec<Burst>,
    /// At the given rate.
    pub steady: Vec<Open>,
    /// At half of its own saturation.
    pub half: Vec<Open>,
    pub silences: Vec<Silence>,
}

pub fn run(args: &KafkaArgs) -> Outcome<KafkaReport> {
    let tools = Tools::find(!args.recovery)?;
    let broker = tools::Broker::start();
    if args.recovery {
        let recovered = recovery::measure(args, &tools, &broker)?;
        return Ok(KafkaReport::of_recovery(args, recovered));
    }
    let mut report = KafkaReport::new(args);
    for round in 1..=args.rounds {
        let mut sides = Side::ALL;
        if round % 2 == 0 {
            // Who comes first meets another state of broker and disk.
            sides.reverse();
        }
        for side in sides {
            eprintln!(
                "round {round} of {}: {}, backlog and steady load",
                args.rounds,
                side.name()
            );
            suite(args, side, &Load::new(&tools, &broker, side)?, report.of(side))?;
        }
        for side in sides.into_iter().filter(|side| side.restarts()) {
            eprintln!("round {round} of {}: {}, SIGKILL and restart", args.rounds, side.name());
            let load = Load::new(&tools, &broker, side)?;
            let found = load.run(Mode::Open, &silence(args))?;
            report.of(side).silences.push(figures::one(&found)?);
        }
    }
    Ok(report)
}

/// A backlog, then the given rate, then half of what the backlog went at.
fn suite(args: &KafkaArgs, side: Side, load: &Load<'_>, into: &mut Measured) -> Outcome<()> {
    let rates = if side.steady() {
        format!("{},50%", args.rate)
    } else {
        String::new()
    };
    let mut flags = vec![
        ("--warm-count", args.warm.to_string()),
        ("--count", args.payments.to_string()),
        ("--warmup", args.warm_up_seconds().to_string()),
        ("--secs", args.seconds.to_string()),
        ("--timeout", args.timeout().to_string()),
    ];
    if side.steady() {
        flags.push(("--rates", rates));
    }
    let found = load.run(Mode::Suite, &flags)?;
    let mut found = found.iter();
    into.bursts.push(figures::next(&mut found)?);
    if side.steady() {
        into.steady.push(figures::next(&mut found)?);
        into.half.push(figures::next(&mut found)?);
    }
    Ok(())
}

/// Flags of a steady load in which the system is killed and started again at once.
fn silence(args: &KafkaArgs) -> Vec<(&'static str, String)> {
    vec![
        ("--rate", args.rate.to_string()),
        ("--warmup", args.warm_up_seconds().to_string()),
        ("--secs", args.silence_seconds().to_string()),
        ("--kill-at", args.kill_at().to_string()),
        ("--drain", args.timeout().to_string()),
    ]
}
