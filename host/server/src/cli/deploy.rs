//! `deploy`, `rollback`, `deployments`, `receipts`.

use super::args::{DeployArgs, DeploymentsVerb, Global};
use super::client::{Answer, Client, segment};
use super::flow::shown;
use super::talk::{Talk, micros, plain, table};
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Compiling, switching and probation fit well within.
const WAIT: Duration = Duration::from_secs(300);

pub fn deploy(talk: &Talk, mut client: Client, global: &Global, args: DeployArgs) -> Result<Exit, Failure> {
    let component = reference(talk, &client, &args.component)?;
    let mut body = json!({ "component": component, "reason": global.reason });
    if let Some(probation) = args.probation {
        body["probation"] = format!("{}ms", probation.as_millis()).into();
    }
    let path = client.path(&format!("/stages/{}/deployments", segment(&args.stage)))?;
    let answer = client.post(&path, &body, &[])?;
    follow(talk, &client, global, answer)
}

/// What the server can resolve itself; a file is uploaded.
fn reference(talk: &Talk, client: &Client, component: &str) -> Result<String, Failure> {
    if component.starts_with("builtin:") || component.starts_with("sha256:") {
        return Ok(component.to_owned());
    }
    let bytes = crate::host::artifacts::file(Path::new(component))?;
    let answer = client.post_bytes("/api/v1/components", "application/wasm", &bytes)?;
    let kept = plain(&answer.body["component"]);
    talk.say(format!(
        "uploaded {component}, {} KiB, {kept}",
        bytes.len().div_ceil(1024)
    ));
    Ok(kept)
}

pub fn rollback(talk: &Talk, mut client: Client, global: &Global, stage: &str) -> Result<Exit, Failure> {
    let path = client.path(&format!("/stages/{}/rollback", segment(stage)))?;
    let answer = client.post(&path, &json!({ "reason": global.reason }), &[])?;
    follow(talk, &client, global, answer)
}

/// Waits for the command's outcome; `--wait`: for the deployment's end, saying each state.
fn follow(talk: &Talk, client: &Client, global: &Global, answer: Answer) -> Result<Exit, Failure> {
    let wait = global.timeout.unwrap_or(WAIT);
    let Some(number) = answer.body["deployment"].as_u64() else {
        return refused(client, &plain(&answer.body["command_url"]));
    };
    let path = answer.location.unwrap_or_default();
    if !global.wait {
        let deployment = client.get(&path)?;
        if deployment["state"] == "Refused" {
            return Err(refusal(&deployment));
        }
        talk.say(format!("dep/{number} is under way: fermata deployments show {number}"));
        if talk.json() {
            talk.print_json(&deployment);
        }
        return Ok(Exit::Ok);
    }
    let mut said = 0;
    let mut began = false;
    let ended = client.wait(&path, wait, |deployment| {
        if !began {
            began = true;
            talk.part(format!("dep/{number} {} ", title(deployment)));
        }
        let states = deployment["states"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (i, state) in states.iter().enumerate().skip(said) {
            let name = plain(&state["state"]);
            let switched =
                deployment["tasks"].as_array().map(Vec::len) == deployment["shards"].as_u64().map(|n| n as usize);
            if name == "Switching" && i + 1 == states.len() && !switched {
                // Said once its count is whole, or when what follows is known.
                break;
            }
            let joint = if i == 0 { "" } else { "→" };
            talk.part(format!(" {joint} {}", state_line(deployment, &name)));
            said = i + 1;
        }
        // Nothing follows until somebody resumes: who deploys into a paused pipeline means to do so himself.
        let held = deployment["held"]["by"] == "pause";
        (deployment["ended"] == true || held).then(|| deployment.clone())
    });
    talk.say("");
    let deployment = ended?.map_err(|last| {
        let state = plain(&last["state"]);
        let found = format!("dep/{number} has not ended within {}: it is {state}", shown(wait));
        let failure = Failure::new(codes::CLI_TIMEOUT, Exit::TimedOut, found);
        match last["held"]["because"].as_str() {
            Some(because) => failure.help(format!("only time counts in which the stage runs, and {because}")),
            None => failure,
        }
    })?;
    if deployment["state"] == "Refused" {
        return Err(refusal(&deployment));
    }
    let receipts = client.get(&format!("{path}/receipts"))?;
    talk.say(receipt_line(&receipts));
    if deployment["ended"] == false {
        talk.say("the pipeline is paused: probation goes on with `fermata resume`");
    }
    if talk.json() {
        talk.print_json(&json!({
            "schema": "fermata.deployment/1",
            "deployment": deployment,
            "receipts": receipts["receipts"],
        }));
    }
    if deployment["state"] == "RolledBack" {
        return Err(Failure::new(
            plain_or(&deployment["code"], codes::CONTROL_REFUSED),
            Exit::RolledBack,
            format!("dep/{number} was rolled back: {}", plain(&deployment["because"])),
        ));
    }
    Ok(Exit::Ok)
}

/// A command without a deployment: its outcome says why.
fn refused(client: &Client, command: &str) -> Result<Exit, Failure> {
    let ended = client.wait(command, WAIT, |outcome| {
        (!matches!(outcome["outcome"].as_str(), Some("waiting" | "running"))).then(|| outcome.clone())
    })?;
    match ended {
        Ok(outcome) if outcome["outcome"] == "done" => Ok(Exit::Ok),
        Ok(outcome) => Err(Failure::new(
            plain_or(&outcome["code"], codes::CONTROL_REFUSED),
            Exit::Refused,
            plain(&outcome["because"]),
        )),
        Err(_) => Err(Failure::new(
            codes::CLI_TIMEOUT,
            Exit::TimedOut,
            "the command has not been met yet",
        )),
    }
}

fn refusal(deployment: &Value) -> Failure {
    Failure::new(
        plain_or(&deployment["code"], codes::CONTROL_REFUSED),
        Exit::Refused,
        format!(
            "{} was refused: {}",
            plain(&deployment["id"]),
            plain(&deployment["because"])
        ),
    )
}

fn plain_or<'a>(value: &'a Value, other: &'a str) -> &'a str {
    value.as_str().filter(|s| !s.is_empty()).unwrap_or(other)
}

fn short(version: &Value) -> String {
    plain(&version["digest"]).chars().take(12).collect()
}

/// `account 3f9a1c07b2de → b07c55e1a9f0`.
fn title(deployment: &Value) -> String {
    format!(
        "{} {} → {}",
        plain(&deployment["stage"]),
        short(&deployment["old"]),
        short(&deployment["new"])
    )
}

fn state_line(deployment: &Value, state: &str) -> String {
    let tasks = |name: &str| deployment[name].as_array().map_or(0, Vec::len);
    match state {
        "Switching" => format!("Switching {}/{}", tasks("tasks"), deployment["shards"]),
        "Probation" => {
            let probation = Duration::from_millis(deployment["probation_ms"].as_u64().unwrap_or_default());
            format!("Probation {}", shown(probation))
        }
        "RolledBack" => format!(
            "RolledBack {}/{}: {}",
            tasks("returned"),
            deployment["shards"],
            plain(&deployment["because"])
        ),
        other => capital(other),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|c| c.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

fn receipt_line(receipts: &Value) -> String {
    let all = receipts["receipts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let longest = |name: &str| all.iter().filter_map(|r| r[name].as_u64()).max();
    let synced = longest("synced_micros")
        .map(|s| format!(" ({} with the sync)", micros(s)))
        .unwrap_or_default();
    format!(
        "receipt: {} tasks, each in the first transaction of its new version; longest pause {}{synced}",
        all.len(),
        longest("pause_micros").map_or_else(|| "-".to_owned(), micros),
    )
}

fn number(text: &str) -> Result<u64, Failure> {
    let digits = text.strip_prefix("dep/").unwrap_or(text);
    digits
        .parse()
        .map_err(|_| Failure::usage(format!("{text:?} is not a deployment: expected 1 or dep/1")))
}

pub fn deployments(talk: &Talk, mut client: Client, verb: Option<DeploymentsVerb>) -> Result<Exit, Failure> {
    if let Some(DeploymentsVerb::Show { deployment }) = verb {
        let path = client.path(&format!("/deployments/{}", number(&deployment)?))?;
        let one = client.get(&path)?;
        if talk.json() {
            talk.print_json(&one);
            return Ok(Exit::Ok);
        }
        talk.print(format!(
            "{} {}  {}",
            plain(&one["id"]),
            title(&one),
            capital(&plain(&one["state"]))
        ));
        talk.print(format!("component {}", plain(&one["component"])));
        for name in ["reason", "because", "code"] {
            if !one[name].is_null() {
                talk.print(format!("{name} {}", plain(&one[name])));
            }
        }
        for state in one["states"].as_array().into_iter().flatten() {
            talk.print(format!("{}  {}", plain(&state["at"]), capital(&plain(&state["state"]))));
        }
        return Ok(Exit::Ok);
    }
    let path = client.path("/deployments")?;
    let all = client.get(&path)?;
    if talk.json() {
        talk.print_json(&all);
        return Ok(Exit::Ok);
    }
    let rows = all["deployments"].as_array().into_iter().flatten().map(|d| {
        let longest = d["tasks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|t| t["pause_micros"].as_u64())
            .max();
        vec![
            plain(&d["id"]),
            plain(&d["stage"]),
            short(&d["old"]),
            short(&d["new"]),
            capital(&plain(&d["state"])),
            longest.map_or_else(|| "-".to_owned(), micros),
            plain(&d["component"]),
            plain(&d["reason"]),
        ]
    });
    let head = [
        "DEPLOYMENT",
        "STAGE",
        "OLD",
        "NEW",
        "STATE",
        "PAUSE",
        "COMPONENT",
        "REASON",
    ];
    talk.print(table(&head, &rows.collect::<Vec<_>>()));
    Ok(Exit::Ok)
}

pub fn receipts(talk: &Talk, mut client: Client, deployment: &str) -> Result<Exit, Failure> {
    let path = client.path(&format!("/deployments/{}/receipts", number(deployment)?))?;
    let found = client.get(&path)?;
    if talk.json() {
        talk.print_json(&found);
        return Ok(Exit::Ok);
    }
    let rows = found["receipts"].as_array().into_iter().flatten().map(|r| {
        let positions = r["positions"].as_object();
        let positions: Vec<String> = positions
            .into_iter()
            .flatten()
            .map(|(t, o)| format!("{t}:{}", plain(o)))
            .collect();
        vec![
            plain(&r["shard"]),
            plain(&r["sequence"]),
            short(&r["old"]),
            short(&r["new"]),
            plain(&r["processed_before"]),
            r["pause_micros"].as_u64().map_or_else(|| "-".to_owned(), micros),
            r["synced_micros"].as_u64().map_or_else(|| "-".to_owned(), micros),
            positions.join(" "),
        ]
    });
    let head = [
        "SHARD",
        "JOURNAL",
        "OLD",
        "NEW",
        "RECORDS BEFORE",
        "PAUSE",
        "WITH SYNC",
        "CUTOVER",
    ];
    talk.print(table(&head, &rows.collect::<Vec<_>>()));
    Ok(Exit::Ok)
}
