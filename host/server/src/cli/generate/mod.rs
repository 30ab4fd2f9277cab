//! `fermata generate`: a generator component in this process, its records posted to the server's intake.

use super::args::GenerateArgs;
use super::client::{Client, segment};
use super::records::ENVELOPE;
use super::talk::{Talk, grouped};
use crate::executor;
use crate::failure::{Exit, Failure};
use crate::host::artifacts;
use crate::load::{BATCH, Load, Schedule, now};
use crate::signals::Interrupt;
use fermata_core::manifest::{Generator, Manifest, parse};
use fermata_core::ports::Artifact;
use fermata_core::{NewRecord, codes};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const SETUP_WAIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

pub fn run(talk: &Talk, mut client: Client, args: GenerateArgs) -> Result<Exit, Failure> {
    let manifest = manifest(&mut client)?;
    let generator = chosen(&manifest, args.generator.as_deref())?;
    let executor = executor::wasm()?;
    let artifact = Artifact::new(match generator.component.strip_prefix("builtin:") {
        Some(name) => artifacts::builtin(name)?,
        None => artifacts::file(Path::new(&generator.component))?,
    });
    let mut load = Load::start(
        &executor,
        &artifact,
        &manifest,
        generator,
        args.config.as_deref(),
        args.seed,
    )?;
    let interrupt = Interrupt::listen()?;
    let mut sender = Sender { client, sent: 0 };
    if !args.no_setup {
        let setup = load.setup();
        for first in (0..setup).step_by(BATCH as usize) {
            let mut records = Vec::new();
            for sequence in first..(first + BATCH).min(setup) {
                records.extend(load.records(sequence, now())?);
            }
            sender.send(records)?;
            if interrupt.seen() {
                return Ok(Exit::Ok);
            }
        }
        sender.wait_taken_in()?;
        talk.say(format!("set-up: {} records", grouped(sender.sent)));
    }
    let set_up = sender.sent;
    let began = Instant::now();
    let mut schedule = Schedule::new(args.rate);
    let mut sequence = load.setup() + args.from;
    let end = args.count.map_or(u64::MAX, |n| sequence.saturating_add(n));
    while sequence < end && !interrupt.seen() {
        let mut records = Vec::new();
        for due in schedule.due(BATCH.min(end - sequence)) {
            records.extend(load.records(sequence, due)?);
            sequence += 1;
        }
        if records.is_empty() {
            interrupt.wait(schedule.wait());
        } else {
            sender.send(records)?;
        }
    }
    let count = sender.sent - set_up;
    let seconds = began.elapsed().as_secs_f64();
    talk.say(format!(
        "{} taken in within {seconds:.1} s, {:.0} a second",
        grouped(count),
        count as f64 / seconds
    ));
    if talk.json() {
        talk.print_json(&json!({
            "schema": "fermata.generate/1", "generator": generator.name, "seed": args.seed,
            "setup": set_up, "taken_in": count, "seconds": seconds,
        }));
    }
    Ok(Exit::Ok)
}

fn manifest(client: &mut Client) -> Result<Manifest, Failure> {
    let path = client.path("/manifest?format=toml")?;
    Ok(parse::parse("pipeline.toml", &client.text(&path)?)?)
}

fn chosen<'a>(manifest: &'a Manifest, name: Option<&str>) -> Result<&'a Generator, Failure> {
    let all = &manifest.generators;
    let found = match name {
        Some(name) => all.iter().find(|g| g.name == name),
        None if all.len() == 1 => all.first(),
        None => None,
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|g| g.name.as_str()).collect();
        Failure::new(
            codes::HTTP_NOT_FOUND,
            Exit::NotFound,
            format!("name a generator; pipeline {} has: {}", manifest.name, names.join(", ")),
        )
    })
}

struct Sender {
    client: Client,
    sent: u64,
}

impl Sender {
    fn send(&mut self, records: Vec<NewRecord>) -> Result<(), Failure> {
        let mut by_topic: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for record in records {
            let text = |bytes: Option<bytes::Bytes>| bytes.map(|b| String::from_utf8_lossy(&b).into_owned());
            let headers: BTreeMap<String, Option<String>> = record
                .headers
                .into_iter()
                .map(|h| (h.key.into_owned(), text(h.value)))
                .collect();
            by_topic.entry(record.topic.to_string()).or_default().push(json!({
                "key": text(record.key),
                "value": text(record.value),
                "headers": headers,
                "timestamp": record.timestamp.0,
            }));
        }
        for (topic, records) in by_topic {
            let path = self.client.path(&format!("/topics/{}/records", segment(&topic)))?;
            let count = records.len() as u64;
            self.client
                .post_bytes(&path, ENVELOPE, json!({ "records": records }).to_string().as_bytes())?;
            self.sent += count;
        }
        Ok(())
    }

    /// Set-up must have ended before load begins.
    fn wait_taken_in(&mut self) -> Result<(), Failure> {
        let path = self.client.path("/status")?;
        let still = |status: &Value| {
            status["lag"] == 0
                && matches!(&status["in_flight"], Value::Null | Value::Number(_))
                && status["in_flight"].as_u64().unwrap_or(0) == 0
        };
        let deadline = Instant::now() + SETUP_WAIT;
        loop {
            if still(&self.client.get(&path)?) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::new(
                    codes::CLI_TIMEOUT,
                    Exit::TimedOut,
                    "the set-up has not ended in time",
                ));
            }
            std::thread::sleep(LOOK);
        }
    }
}
