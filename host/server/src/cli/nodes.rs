//! `nodes list`, `nodes evacuate`, `shards list`.

use super::args::{Global, NodesVerb, ShardsVerb};
use super::client::{Client, segment};
use super::flow::shown;
use super::talk::{Talk, grouped, plain, table};
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use serde_json::{Value, json};
use std::time::Duration;

/// Workers leave at the latest after this, when `--timeout` says nothing.
const EVACUATE: Duration = Duration::from_secs(60);
/// Beyond it, so that the last worker is heard to have left.
const SLACK: Duration = Duration::from_secs(30);

pub fn run(talk: &Talk, client: Client, global: &Global, verb: NodesVerb) -> Result<Exit, Failure> {
    match verb {
        NodesVerb::List => list(talk, &client),
        NodesVerb::Evacuate { node } => evacuate(talk, &client, global, &node),
    }
}

fn list(talk: &Talk, client: &Client) -> Result<Exit, Failure> {
    let found = client.get("/api/v1/nodes")?;
    if talk.json() {
        talk.print_json(&found);
        return Ok(Exit::Ok);
    }
    let rows = found["nodes"].as_array().into_iter().flatten().map(|node| {
        let count = |name: &str| node[name].as_array().map_or(0, Vec::len);
        let (held, restoring) = (count("shards"), count("restoring"));
        let shards = match restoring {
            0 => held.to_string(),
            more => format!("{} ←", held + more),
        };
        let remark = match (restoring, node["heard_ms"].as_u64()) {
            (0, Some(ms)) if ms >= 3_000 => format!("not heard of for {} s", ms / 1_000),
            (0, _) => String::new(),
            (more, _) => format!("{held}/{} warm", held + more),
        };
        let state = plain(&node["state"]);
        let leads = if node["leads"] == true { " (leads)" } else { "" };
        vec![
            plain(&node["node"]),
            plain(&node["address"]),
            plain(&node["version"]),
            shards,
            node["standby"].as_object().map_or(0, serde_json::Map::len).to_string(),
            format!("{state}{leads}"),
            remark,
        ]
    });
    let heads = ["NODE", "ADDRESS", "VERSION", "SHARDS", "STANDBY", "STATE", ""];
    talk.print(table(&heads, &rows.collect::<Vec<_>>()));
    Ok(Exit::Ok)
}

fn evacuate(talk: &Talk, client: &Client, global: &Global, node: &str) -> Result<Exit, Failure> {
    let timeout = global.timeout.unwrap_or(EVACUATE);
    let body = json!({ "reason": global.reason, "timeout": format!("{}ms", timeout.as_millis()) });
    let path = format!("/api/v1/nodes/{}/evacuate", segment(node));
    let answer = client.post(&path, &body, &[])?;
    let command = answer.body["command_url"].as_str().unwrap_or_default().to_owned();
    // A refusal comes at once, whoever waits.
    let wait = if global.wait { timeout + SLACK } else { SLACK };
    let ended = client.wait(&command, wait, |outcome| match outcome["outcome"].as_str() {
        Some("waiting") => None,
        Some("running") if global.wait => None,
        _ => Some(outcome.clone()),
    })?;
    let outcome = ended.map_err(|_| {
        let found = format!("{node} has not given its shards away within {}", shown(wait));
        Failure::new(codes::CLI_TIMEOUT, Exit::TimedOut, found)
            .help("fermata nodes list and fermata shards list show how far it is")
    })?;
    if talk.json() {
        talk.print_json(&outcome);
    }
    match outcome["outcome"].as_str() {
        Some("done") => talk.say(format!("{node} holds no shards any more: its process can be stopped")),
        Some("running") => talk.say(format!(
            "{node} gives its shards away; how far it is: fermata nodes list"
        )),
        _ => {
            let code = outcome["code"].as_str().unwrap_or(codes::CONTROL_REFUSED);
            let exit = if code == codes::HTTP_NOT_FOUND {
                Exit::NotFound
            } else {
                Exit::Refused
            };
            return Err(Failure::new(code, exit, plain(&outcome["because"])));
        }
    }
    Ok(Exit::Ok)
}

pub fn shards(talk: &Talk, mut client: Client, verb: &ShardsVerb) -> Result<Exit, Failure> {
    let ShardsVerb::List = verb;
    let path = client.path("/shards")?;
    let found = client.get(&path)?;
    if talk.json() {
        talk.print_json(&found);
        return Ok(Exit::Ok);
    }
    let rows = found["shards"].as_array().into_iter().flatten().map(|shard| {
        let standby = shard["standby"].as_array().into_iter().flatten();
        let standby: Vec<String> = standby.map(follower).collect();
        vec![
            plain(&shard["shard"]),
            plain(&shard["node"]),
            plain(&shard["worker"]),
            plain(&shard["sequence"]),
            plain(&shard["lag"]),
            if standby.is_empty() {
                "-".to_owned()
            } else {
                standby.join(", ")
            },
        ]
    });
    let heads = ["SHARD", "OWNER", "WORKER", "SEQUENCE", "LAG", "STANDBY"];
    talk.print(table(&heads, &rows.collect::<Vec<_>>()));
    Ok(Exit::Ok)
}

fn follower(standby: &Value) -> String {
    let lag = grouped(standby["lag"].as_u64().unwrap_or_default());
    format!("{} (-{lag})", plain(&standby["node"]))
}
