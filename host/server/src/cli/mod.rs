//! The command line: verbs over HTTP, and those that run something themselves.

pub mod args;
mod build;
mod check;
pub mod client;
mod completion;
mod component;
mod config;
mod deploy;
mod envelope;
mod explain;
mod flow;
mod generate;
mod nodes;
mod parked;
mod records;
mod status;
pub mod talk;
pub mod topics;
mod validate;
mod verify;
mod view;

use crate::failure::{Exit, Failure};
use args::{Cli, Output, Verb};
use client::Client;
use serde_json::json;
use talk::Talk;

/// Carries out one verb.
pub fn run(cli: Cli) -> Result<Exit, Failure> {
    let talk = Talk::new(&cli.global);
    let global = cli.global;
    let client = || Client::new(&global);
    if talk.output == Output::KafkaTopics && !matches!(cli.verb, Verb::Topics(_)) {
        return Err(Failure::usage("only `topics plan` is written as kafka-topics"));
    }
    match cli.verb {
        Verb::Demo(args) => crate::demo::run(&talk, args),
        Verb::Run(args) => crate::run::run(&talk, &args, global.timeout),
        Verb::Generate(args) => generate::run(&talk, client()?, args),
        Verb::Build(args) => build::run(&talk, &args),
        Verb::Produce(args) => records::produce(&talk, client()?, args),
        Verb::Consume(args) => records::consume(&talk, client()?, args),
        Verb::View(verb) => view::run(&talk, client()?, verb),
        Verb::Status => status::run(&talk, client()?),
        Verb::Pause => flow::run(&talk, client()?, &global, flow::Wish::Pause),
        Verb::Resume => flow::run(&talk, client()?, &global, flow::Wish::Resume),
        Verb::Drain => flow::run(&talk, client()?, &global, flow::Wish::Drain),
        Verb::Deploy(args) => deploy::deploy(&talk, client()?, &global, args),
        Verb::Rollback { stage } => deploy::rollback(&talk, client()?, &global, &stage),
        Verb::Deployments { verb } => deploy::deployments(&talk, client()?, verb),
        Verb::Receipts { deployment } => deploy::receipts(&talk, client()?, &deployment),
        Verb::Dlq(verb) => records::dlq(&talk, client()?, verb),
        Verb::Topics(verb) => topics::run(&talk, client, global.timeout, &verb),
        Verb::Doctor(args) => crate::doctor::run(&talk, &args, global.timeout),
        Verb::Parked(verb) => parked::run(&talk, client()?, &global, verb),
        Verb::Nodes(verb) => nodes::run(&talk, client()?, &global, verb),
        Verb::Shards(verb) => nodes::shards(&talk, client()?, &verb),
        Verb::Verify(args) => verify::run(&talk, client, args),
        Verb::Component(verb) => component::run(&talk, client, verb),
        Verb::Validate(args) => validate::run(&talk, &args),
        Verb::Config(verb) => config::run(&talk, &verb),
        Verb::Explain { code } => explain::run(&talk, code.as_deref()),
        Verb::Completion { shell } => completion::run(shell),
        Verb::Version => {
            if talk.json() {
                talk.print_json(&json!({
                    "schema": "fermata.version/1",
                    "version": crate::VERSION,
                    "contract": fermata_core::journal::CONTRACT,
                }));
            } else {
                talk.print(format!(
                    "fermata {} (stages: {})",
                    crate::VERSION,
                    fermata_core::journal::CONTRACT
                ));
            }
            Ok(Exit::Ok)
        }
        Verb::Compile { from, into } => match fermata_engine::compile_file(&from, &into) {
            Ok(()) => Ok(Exit::Ok),
            Err(error) => {
                // The parent shows this line as the reason.
                eprintln!("{error}");
                Ok(Exit::Failed)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::args::Cli;
    use clap::{CommandFactory, Parser};

    /// clap checks its own definition, each verb with all global flags.
    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        for verb in [
            &["demo", "--payments", "20000", "--seed", "7", "--exit", "-o", "json"][..],
            &["demo", "--example", "orders", "--count", "100"],
            &["run", "-f", "p.toml", "--data-dir", "d", "--workers", "3"],
            &["drain", "--wait", "--timeout", "5s"],
            &[
                "deploy",
                "account",
                "builtin:account@1.1.0",
                "--wait",
                "--reason",
                "x",
                "--probation",
                "200ms",
            ],
            &["__compile", "in", "out"],
            &["deployments"],
            &["parked", "release", "acct-7", "--stage", "account"],
            &["parked", "release", "--all"],
            &["parked", "skip", "0x00ff", "--reason", "x"],
            &["generate", "--file", "-", "--format", "csv", "--topic", "t", "--strict"],
            &["generate", "load", "--backlog", "500", "--set", "a.b=0.1"],
            &["nodes", "list"],
            &["nodes", "evacuate", "fermata-0", "--wait", "--timeout", "5s"],
            &["shards", "list"],
            &["build", "-o", "json"],
            &["component", "check", "x.wasm", "--config", "{}"],
            &["verify", "--data-dir", "d", "--replay"],
            &["validate", "p.toml", "--env", "prod", "-o", "json"],
            &["config", "show", "p.toml"],
            &["topics", "list"],
            &[
                "topics",
                "plan",
                "p.toml",
                "--config",
                "kafka.toml",
                "--offline",
                "-o",
                "kafka-topics",
            ],
            &["topics", "create", "--dry-run"],
            &["topics", "acls", "--principal", "User:me"],
            &["doctor", "--config", "kafka.toml", "--timeout", "5s"],
            &["explain", "F0101"],
            &["completion", "zsh"],
        ] {
            let all = ["fermata"].iter().chain(verb);
            assert!(Cli::try_parse_from(all).is_ok(), "{verb:?}");
        }
    }

    #[test]
    fn what_is_not_due_is_unknown() {
        for verb in ["promote", "plan", "shadow", "savepoint", "trace"] {
            let error = Cli::try_parse_from(["fermata", verb]).expect_err(verb);
            assert_eq!(error.exit_code(), 2, "{verb}");
        }
    }
}
