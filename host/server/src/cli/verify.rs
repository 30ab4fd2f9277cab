//! `verify`.

use super::args::VerifyArgs;
use super::client::Client;
use super::talk::{Talk, grouped, plain};
use crate::books;
use crate::failure::{Exit, Failure};
use crate::installation::{Installation, LogKind};
use crate::source;
use fermata_core::codes;
use serde_json::{Value, json};
use std::path::Path;

pub fn run(talk: &Talk, client: impl Fn() -> Result<Client, Failure>, args: VerifyArgs) -> Result<Exit, Failure> {
    let (file, environment) = (args.file.as_deref(), args.environment());
    let report = match (&args.data_dir, &args.config) {
        (Some(folder), _) => books::offline(folder, file, environment, args.replay)?,
        (None, Some(config)) => of_installation(config, &args)?,
        (None, None) if file.is_some() => {
            return Err(Failure::usage(
                "a server verifies by the manifest that it runs: --file goes with --data-dir or --config",
            ));
        }
        (None, None) => {
            let mut client = client()?;
            let path = client.path("/verifications")?;
            client.post(&path, &json!({ "replay": args.replay }), &[])?.body
        }
    };
    if talk.json() {
        talk.print_json(&report);
    } else {
        print(talk, &report);
    }
    if report["ok"] == true {
        return Ok(Exit::Ok);
    }
    let count = report["problems"].as_array().map_or(0, Vec::len) as u64 + report["unlisted"].as_u64().unwrap_or(0);
    Err(Failure::new(
        codes::CLI_DIFFERENCES,
        Exit::Differences,
        format!(
            "the books of {} do not agree: {} differences",
            plain(&report["pipeline"]),
            grouped(count)
        ),
    ))
}

/// What the log of an installation has, whether or not anything runs on it.
fn of_installation(config: &Path, args: &VerifyArgs) -> Result<Value, Failure> {
    let installation = Installation::open(config)?;
    if installation.log == LogKind::Embedded {
        let folder = installation.node.data_dir;
        return books::offline(&folder, args.file.as_deref(), args.environment(), args.replay);
    }
    let file = args.file.as_deref().unwrap_or(Path::new("pipeline.toml"));
    let manifest = source::open(file, args.env.name())?.manifest()?;
    books::on_kafka(installation, manifest, args.replay)
}

fn print(talk: &Talk, report: &Value) {
    let figures = report["figures"].as_object();
    let figures: Vec<String> = figures
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value)))
        .collect();
    talk.print(figures.join(" · "));
    for problem in report["problems"].as_array().into_iter().flatten() {
        talk.print(format!("✗ {}: {}", plain(&problem["check"]), plain(&problem["what"])));
    }
    if let Some(more) = report["unlisted"].as_u64().filter(|n| *n > 0) {
        talk.print(format!("✗ and {} more", grouped(more)));
    }
    for limited in report["limited"].as_array().into_iter().flatten() {
        talk.print(format!("… not compared: {}", plain(limited)));
    }
    if report["ok"] == true {
        talk.print("OK");
    }
}
