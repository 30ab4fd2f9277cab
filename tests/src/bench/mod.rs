//! Speed and memory of the payment pipeline on the embedded log, with every commit synced to the disk.
//!
//! What is compared is measured in pairs within one run, so that a slow minute of the machine meets both sides. Other
//! processes' use of the processors stands beside every figure: a disturbed run is seen as such.

mod accounts;
mod args;
mod backlog;
mod calls;
mod kafka;
mod load;
mod machine;
mod memory;
mod pipeline;
mod report;
mod spread;
mod state;
mod steady;

pub use args::Args;
pub use kafka::{KafkaArgs, KafkaReport, run as run_on_kafka};
pub use report::Report;

/// A measurement that cannot be made ends the run.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Measures all that `args` asks for; says on stderr what it is doing.
pub fn run(args: &Args) -> Outcome<Report> {
    let mut report = Report::default();
    if args.million {
        report.memory = Some(memory::measure(1_000_000)?);
        return Ok(report);
    }
    if args.state {
        report.state = state::measure()?;
        return Ok(report);
    }
    if args.accounts {
        for kind in [pipeline::Kind::Native, pipeline::Kind::Wasm] {
            report.grown.push(accounts::compare(kind, args.rounds, args.payments)?);
        }
        return Ok(report);
    }
    report.calls = calls::measure(args.rounds, args.payments)?;
    if args.calls {
        return Ok(report);
    }
    report.backlog = Some(backlog::compare(args.rounds, args.payments)?);
    report.steady = Some(steady::measure(args.rate, args.seconds)?);
    Ok(report)
}
