//! `doctor`: whether a pipeline could run here, one line for each thing that it depends on, and what to do where it
//! could not.
//!
//! What is asked is asked by doing it: records are read, one more byte than a topic takes is sent, a transaction is
//! committed to a topic that is there for this. Nothing that others read is written.

mod cluster;
mod copies;
mod disk;
mod report;
mod rights;
mod topics;
mod transactions;

pub use report::{Line, Report, Standing};

use crate::cli::talk::Talk;
use crate::cli::topics::args::DoctorArgs;
use crate::cli::topics::{ANSWER_WITHIN, Site, inspector};
use crate::failure::{Exit, Failure};
use crate::installation::{Installation, LogKind};
use crate::source;
use std::path::Path;
use std::time::Duration;

pub fn run(talk: &Talk, args: &DoctorArgs, within: Option<Duration>) -> Result<Exit, Failure> {
    let installation = Installation::open(&args.config)?;
    let within = within.unwrap_or(ANSWER_WITHIN);
    let mut report = Report::new(|line: &Line| {
        if !talk.json() {
            talk.print(line.text());
        }
    });
    report.ok("installation", args.config.display().to_string());
    disk::look(&mut report, &installation.node.data_dir);
    if installation.log == LogKind::Kafka {
        kafka(&mut report, installation, args.manifest(), args, within)?;
    } else {
        report.ok("log", "embedded: the data folder is all that it needs");
    }
    if talk.json() {
        talk.print_json(&report.json());
    } else {
        talk.say(report.summary());
    }
    Ok(if report.sound() { Exit::Ok } else { Exit::Failed })
}

fn kafka(
    report: &mut Report<'_>,
    installation: Installation,
    manifest: Option<&Path>,
    args: &DoctorArgs,
    within: Duration,
) -> Result<(), Failure> {
    let inspector = inspector(&installation, within)?;
    let Some(brokers) = cluster::reach(report, &inspector, &installation) else {
        report.skipped("topics, rights, transactions, clock", "no broker answered");
        return Ok(());
    };
    peers(report, &installation);
    let Some(file) = manifest else {
        report.skipped(
            "topics, rights, transactions, clock",
            "no manifest: name one to have its topics looked at",
        );
        return Ok(());
    };
    let manifest = source::open(file, args.env.name())?.manifest()?;
    let site = Site::of(installation, manifest, Some(within))?;
    report.ok("pipeline", format!("{} ({})", site.plan.pipeline, file.display()));
    let Some(seen) = topics::look(report, &inspector, &site) else {
        return Ok(());
    };
    copies::look(report, &inspector, &site, &seen.found, brokers);
    rights::look(report, &inspector, &site, &seen);
    transactions::look(report, &inspector, &site, seen);
    Ok(())
}

/// Whether instances would answer each other.
fn peers(report: &mut Report<'_>, installation: &Installation) {
    if installation.peer_secret.is_some() {
        report.ok("peers", "auth.peer-secret is set");
    } else {
        report.warning(
            "peers",
            "auth.peer-secret is not set: of several instances each would show its own part of every view",
            "set auth.peer-secret to the same in fermata.toml of every instance; one that stays alone needs none",
        );
    }
}
