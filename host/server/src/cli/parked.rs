//! `fermata parked`: records that wait because one of their key could not be treated.

use super::args::{Global, ParkedVerb};
use super::client::{Client, segment};
use super::flow::shown;
use super::talk::{Talk, grouped, plain, table};
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use serde_json::{Value, json};
use std::time::Duration;

/// How long an order is waited for when `--timeout` says nothing.
const WAIT: Duration = Duration::from_secs(60);

pub fn run(talk: &Talk, mut client: Client, global: &Global, verb: ParkedVerb) -> Result<Exit, Failure> {
    match verb {
        ParkedVerb::List { stage, limit } => {
            let path = client.path(&format!("/parked?limit={limit}{}", of_stage(stage.as_deref())))?;
            let found = client.get(&path)?;
            if talk.json() {
                talk.print_json(&found);
            } else {
                list(talk, &found);
            }
            Ok(Exit::Ok)
        }
        ParkedVerb::Show { key, stage, limit } => {
            let stage = of_stage(stage.as_deref());
            let path = client.path(&format!("/parked/{}?limit={limit}{stage}", segment(&key)))?;
            let found = client.get(&path)?;
            if talk.json() {
                talk.print_json(&found);
            } else {
                show(talk, &found);
            }
            Ok(Exit::Ok)
        }
        ParkedVerb::Release { key, all, stage } => {
            let body = json!({ "key": key, "all": all, "stage": stage, "reason": global.reason });
            order(talk, client, global, "/parked/release", &body)
        }
        ParkedVerb::Skip { key, stage } => {
            let body = json!({ "key": key, "stage": stage, "reason": global.reason });
            order(talk, client, global, "/parked/skip", &body)
        }
    }
}

fn of_stage(stage: Option<&str>) -> String {
    stage.map(|s| format!("&stage={}", segment(s))).unwrap_or_default()
}

fn list(talk: &Talk, found: &Value) {
    let rows = found["parked"].as_array().into_iter().flatten().map(|parked| {
        let first = &parked["first"];
        vec![
            plain(&parked["key"]),
            plain(&parked["stage"]),
            plain(&parked["records"]),
            plain(&parked["since"]),
            plain(&first["code"]),
            plain(&first["attempts"]),
            plain(&first["place"]),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let head = ["KEY", "STAGE", "RECORDS", "SINCE", "CODE", "ATTEMPTS", "FIRST"];
    talk.print(table(&head, &rows));
    let total = found["records"].as_u64().unwrap_or_default();
    talk.say(format!(
        "{} parked, {} shown",
        counted(total, "record"),
        counted(rows.len() as u64, "key")
    ));
    whether_partial(talk, found);
}

/// Shards that did not answer are named, so that nobody takes a part for the whole.
fn whether_partial(talk: &Talk, found: &Value) {
    let missing: Vec<String> = found["missing"].as_array().into_iter().flatten().map(plain).collect();
    if !missing.is_empty() {
        talk.say(format!("partial: shard {} did not answer", missing.join(", ")));
    } else if found["partial"] == true {
        talk.say("partial: not every shard is held by a worker, and what is shown may be behind");
    }
}

fn show(talk: &Talk, found: &Value) {
    for queue in found["queues"].as_array().into_iter().flatten() {
        talk.print(format!(
            "key {} at {} on shard {}: {} records since {}",
            plain(&queue["key"]),
            plain(&queue["stage"]),
            queue["partition"],
            plain(&queue["records"]),
            plain(&queue["since"])
        ));
        for (index, record) in queue["queue"].as_array().into_iter().flatten().enumerate() {
            talk.print(format!(
                "{:>4}  {}  {}{}",
                index + 1,
                plain(&record["place"]),
                plain(&record["since"]),
                failure(record)
            ));
            talk.print(format!("      {}", plain(&record["value"])));
        }
    }
    whether_partial(talk, found);
}

fn failure(record: &Value) -> String {
    if record["code"].is_null() {
        return "  waits".to_owned();
    }
    format!(
        "  {} ({} attempts, {}): {}",
        plain(&record["code"]),
        record["attempts"],
        plain(&record["digest"]),
        plain(&record["message"])
    )
}

/// `1 record`, `61 records`.
fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

/// Sends the order and waits for what came of it.
fn order(talk: &Talk, mut client: Client, global: &Global, rest: &str, body: &Value) -> Result<Exit, Failure> {
    let path = client.path(rest)?;
    let answer = client.post(&path, body, &[])?;
    let command = answer.body["command_url"].as_str().unwrap_or_default().to_owned();
    let wait = global.timeout.unwrap_or(WAIT);
    let ended = client.wait(&command, wait, |outcome| {
        let open = matches!(outcome["outcome"].as_str(), Some("waiting" | "running"));
        (!open).then(|| outcome.clone())
    })?;
    let outcome = ended.map_err(|_| {
        let text = format!("the order has not been carried out within {}", shown(wait));
        Failure::new(codes::CLI_TIMEOUT, Exit::TimedOut, text)
            .help("it goes on: fermata parked list, fermata status; a shard without owner keeps it waiting")
    })?;
    if outcome["outcome"] != "unparked" {
        let code = outcome["code"].as_str().unwrap_or(codes::CONTROL_REFUSED);
        return Err(Failure::new(code, Exit::Refused, plain(&outcome["because"])));
    }
    if talk.json() {
        talk.print_json(&outcome);
    }
    let number = |name: &str| outcome[name].as_u64().unwrap_or_default();
    let skipped = match number("skipped") {
        0 => String::new(),
        n => format!("skipped {}, it is a dead letter now; ", counted(n, "record")),
    };
    let said = format!(
        "{skipped}released {} in order, {} free again",
        counted(number("released"), "record"),
        counted(number("keys"), "key")
    );
    let refused: Vec<String> = outcome["refused"].as_array().into_iter().flatten().map(plain).collect();
    if !refused.is_empty() {
        let text = format!("{said}; not at every task: {}", refused.join("; "));
        return Err(Failure::new(codes::RECORD_TASK_PAUSED, Exit::Refused, text)
            .help("deploy, roll back or resume first, then release again"));
    }
    match number("failed") {
        0 => {
            talk.say(said);
            Ok(Exit::Ok)
        }
        // The order was to skip one record; that the next fails in its turn is news, not a failure of the order.
        failed if number("skipped") > 0 => {
            talk.say(format!(
                "{said}; {} parked behind the next that failed",
                counted(failed, "key")
            ));
            Ok(Exit::Ok)
        }
        failed => Err(Failure::new(
            codes::RECORD_FAILED_AGAIN,
            Exit::Failed,
            format!(
                "{said}; {} still parked: the first record failed again",
                counted(failed, "key")
            ),
        )
        .help("fermata parked list shows how; deploy a version that treats it, or fermata parked skip KEY")),
    }
}
