//! `fermata status`.

use super::client::Client;
use super::talk::{Talk, grouped, micros, plain, table};
use crate::failure::{Exit, Failure};
use serde_json::Value;

pub fn run(talk: &Talk, mut client: Client) -> Result<Exit, Failure> {
    let path = client.path("/status")?;
    let status = client.get(&path)?;
    if talk.json() {
        talk.print_json(&status);
    } else {
        talk.print(head(&status));
        talk.print(stages(&status));
        if let Some(validators) = validators(&status) {
            talk.print(validators);
        }
        for line in remarks(&status) {
            talk.print(line);
        }
    }
    Ok(Exit::Ok)
}

fn head(status: &Value) -> String {
    let p99 = status["latency_us"]["p99"]
        .as_u64()
        .map_or_else(|| "-".to_owned(), micros);
    format!(
        "{}  {}  {}/{} shards  lag {}  in flight {}  p99 {p99}  goals {}/{}  dead {}  parked {}  epoch {}",
        plain(&status["pipeline"]),
        plain(&status["state"]),
        status["shards"]["held"],
        status["shards"]["all"],
        plain(&status["lag"]),
        plain(&status["in_flight"]),
        status["goals"]["met"],
        status["goals"]["all"],
        plain(&status["dead_letters"]),
        plain(&status["parked"]),
        status["epoch"],
    )
}

fn stages(status: &Value) -> String {
    let rows = status["stages"].as_array().into_iter().flatten().map(|s| {
        let number = |name: &str| s[name].as_u64().map_or_else(|| "-".to_owned(), grouped);
        vec![
            plain(&s["stage"]),
            plain(&s["version"]),
            plain(&s["digest"]).chars().take(12).collect(),
            s["records_per_s"]
                .as_f64()
                .map_or_else(|| "-".to_owned(), |r| grouped(r.round() as u64)),
            number("processed"),
            number("rejected"),
            number("faults"),
        ]
    });
    table(
        &[
            "STAGE",
            "VERSION",
            "DIGEST",
            "RECORDS/S",
            "RECORDS",
            "REJECTED",
            "FAULTS",
        ],
        &rows.collect::<Vec<_>>(),
    )
}

/// `None`: no stage has one.
fn validators(status: &Value) -> Option<String> {
    let mut rows = Vec::new();
    for stage in status["stages"].as_array().into_iter().flatten() {
        for v in stage["validators"].as_array().into_iter().flatten() {
            let codes = |name: &str| {
                let codes = v[name].as_object().into_iter().flatten();
                let shown: Vec<String> = codes
                    .map(|(code, n)| format!("{code} {}", grouped(n.as_u64().unwrap_or_default())))
                    .collect();
                if shown.is_empty() {
                    "-".to_owned()
                } else {
                    shown.join(", ")
                }
            };
            rows.push(vec![
                plain(&v["validator"]),
                plain(&stage["stage"]),
                plain(&v["mode"]),
                grouped(v["seen"].as_u64().unwrap_or_default()),
                codes("refused"),
                codes("faults"),
            ]);
        }
    }
    let heads = ["VALIDATOR", "STAGE", "MODE", "SEEN", "REFUSED", "FAULTS"];
    (!rows.is_empty()).then(|| table(&heads, &rows))
}

/// What a person should know beyond the figures.
fn remarks(status: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for goal in status["goals"]["each"].as_array().into_iter().flatten() {
        if goal["met"] == false {
            lines.push(format!("! goal not met: {}", plain(&goal["text"])));
        }
    }
    if let Some(paused) = status["paused"].as_object() {
        let reason = paused
            .get("reason")
            .filter(|r| !r.is_null())
            .map(|r| format!(": {}", plain(r)));
        let by = paused.get("by").map(plain).unwrap_or_default();
        lines.push(format!(
            "! intake is closed by {by}{}; next: fermata resume",
            reason.unwrap_or_default()
        ));
    }
    for (stage, found) in status["at_fault"].as_object().into_iter().flatten() {
        lines.push(format!(
            "! {} stage {stage} is at fault and stands still: {}",
            plain(&found["code"]),
            plain(&found["because"])
        ));
        lines.push(format!(
            "  next: fermata rollback {stage} · fermata deploy {stage} COMPONENT · fermata resume (tries it again)"
        ));
    }
    for stage in status["stages"].as_array().into_iter().flatten() {
        let name = plain(&stage["stage"]);
        if stage["parked"].as_u64().is_some_and(|n| n > 0) {
            lines.push(format!(
                "! {} records are parked at {name}; next: fermata parked list --stage {name}",
                plain(&stage["parked"])
            ));
        }
        if !status["at_fault"][&name].is_null() {
            continue;
        }
        for task in stage["paused"].as_array().into_iter().flatten() {
            lines.push(format!(
                "! stage {} is paused on shard {}: {}",
                plain(&stage["stage"]),
                task["shard"],
                plain(&task["because"])
            ));
        }
    }
    lines
}
