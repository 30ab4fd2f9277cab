//! `cargo xtask bench`: what the sandbox costs, how fast the pipeline is, how much memory it takes.

use fermata_tests::bench::{self, Args, KafkaArgs};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    // The engine compiles components in a child of its own program.
    if words.next_if_eq("__compile").is_some() {
        let (from, into) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        return match fermata_engine::compile_file(from.as_ref(), into.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let words: Vec<String> = words.collect();
    match KafkaArgs::parse(&words) {
        Ok(None) => {}
        Ok(Some(args)) => return on_kafka(&args),
        Err(error) => return fail(&error),
    }
    let args = match Args::parse(words.into_iter()) {
        Ok(args) => args,
        Err(error) => return fail(&error),
    };
    match bench::run(&args) {
        Ok(report) => {
            println!(
                "{}",
                if args.json {
                    report.json().to_string()
                } else {
                    report.text()
                }
            );
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn on_kafka(args: &KafkaArgs) -> ExitCode {
    match bench::run_on_kafka(args) {
        Ok(report) if args.json => println!("{}", report.json()),
        Ok(report) => println!("{}", report.text()),
        Err(error) => return fail(&error),
    }
    ExitCode::SUCCESS
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
