//! Chores of the workspace: `cargo xtask <chore>`. What a chore says about its progress goes to stderr.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod demo;
mod guards;
mod guests;
mod kafka;
mod peer;
mod prove;
mod run;
mod server;
mod test;
mod workspace;

/// Chores of the Fermata workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    Guests(guests::Args),
    Demo(demo::Args),
    Test(test::Args),
    Prove(prove::Args),
    Guards(guards::Args),
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Guests(args) => guests::run(&args),
        Chore::Demo(args) => demo::run(&args),
        Chore::Test(args) => test::run(&args),
        Chore::Prove(args) => prove::run(&args),
        Chore::Guards(args) => guards::run(&args),
        Chore::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            eprintln!("error: {}", causes.join(": "));
            ExitCode::FAILURE
        }
    }
}
