//! Topics of a running pipeline, over HTTP.

use crate::cli::client::{Client, segment};
use crate::cli::talk::{Talk, grouped, plain, table};
use crate::failure::{Exit, Failure};
use serde_json::Value;

pub fn list(talk: &Talk, mut client: Client) -> Result<Exit, Failure> {
    let path = client.path("/topics")?;
    let found = client.get(&path)?;
    if talk.json() {
        talk.print_json(&found);
        return Ok(Exit::Ok);
    }
    let topics = found["topics"].as_array().into_iter().flatten();
    let rows = topics.map(|topic| {
        vec![
            plain(&topic["topic"]),
            kind(topic).to_owned(),
            partitions(topic).len().to_string(),
            grouped(partitions(topic).iter().map(held).sum()),
            names(&topic["written_by"]),
            names(&topic["read_by"]),
        ]
    });
    let head = ["TOPIC", "KIND", "PARTITIONS", "OFFSETS", "WRITTEN BY", "READ BY"];
    talk.print(table(&head, &rows.collect::<Vec<_>>()));
    Ok(Exit::Ok)
}

pub fn describe(talk: &Talk, mut client: Client, topic: &str) -> Result<Exit, Failure> {
    let path = client.path(&format!("/topics/{}", segment(topic)))?;
    let found = client.get(&path)?;
    if talk.json() {
        talk.print_json(&found);
        return Ok(Exit::Ok);
    }
    for (name, value) in [
        ("topic", plain(&found["topic"])),
        ("kind", kind(&found).to_owned()),
        ("key", plain(&found["key"])),
        ("written by", names(&found["written_by"])),
        ("read by", names(&found["read_by"])),
    ] {
        talk.print(format!("{name:<10} {value}"));
    }
    let rows = partitions(&found).iter().map(|p| {
        let offset = |name: &str| p[name].as_u64().unwrap_or_default().to_string();
        vec![offset("partition"), offset("start"), offset("end")]
    });
    talk.print(table(&["PARTITION", "START", "END"], &rows.collect::<Vec<_>>()));
    Ok(Exit::Ok)
}

fn partitions(topic: &Value) -> &[Value] {
    topic["partitions"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Offsets from the oldest that is kept on: on Kafka some of them are of no record.
fn held(partition: &Value) -> u64 {
    let offset = |name: &str| partition[name].as_u64().unwrap_or_default();
    offset("end").saturating_sub(offset("start"))
}

fn kind(topic: &Value) -> &'static str {
    let any = |name: &str| topic[name].as_array().is_some_and(|all| !all.is_empty());
    match (topic["host"] == true, any("written_by"), any("read_by")) {
        (true, ..) => "host",
        (_, false, _) => "source",
        (_, true, true) => "internal",
        (_, true, false) => "end",
    }
}

fn names(value: &Value) -> String {
    let all: Vec<String> = value.as_array().into_iter().flatten().map(plain).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_topic_is_known_by_who_writes_and_reads_it() {
        for (topic, expected) in [
            (json!({ "host": true }), "host"),
            (json!({ "host": false, "written_by": [], "read_by": ["a"] }), "source"),
            (
                json!({ "host": false, "written_by": ["a"], "read_by": ["b"] }),
                "internal",
            ),
            (json!({ "host": false, "written_by": ["a"], "read_by": [] }), "end"),
        ] {
            assert_eq!(kind(&topic), expected, "{topic}");
        }
    }
}
