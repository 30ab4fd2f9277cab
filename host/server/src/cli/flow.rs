//! `pause`, `resume`, `drain`.

use super::args::Global;
use super::client::Client;
use super::talk::{Talk, grouped, plain};
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use serde_json::{Value, json};
use std::time::Duration;

/// How long `--wait` waits when `--timeout` says nothing.
const WAIT: Duration = Duration::from_secs(30);
/// Beyond the drain's own deadline, so that its verdict is heard.
const SLACK: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Pause,
    Resume,
    Drain,
}

impl Wish {
    fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Drain => "drain",
        }
    }
}

pub fn run(talk: &Talk, mut client: Client, global: &Global, wish: Wish) -> Result<Exit, Failure> {
    let path = client.path(&format!("/{}", wish.word()))?;
    let mut body = json!({ "reason": global.reason });
    if let (Wish::Drain, Some(timeout)) = (wish, global.timeout) {
        body["timeout"] = format!("{}ms", timeout.as_millis()).into();
    }
    let answer = client.post(&path, &body, &[])?;
    let command = answer.body["command_url"].as_str().unwrap_or_default().to_owned();
    // Pause and resume take effect within a step: their outcome is always awaited, so that the next verb finds it.
    if wish == Wish::Drain && !global.wait {
        talk.say("draining; its outcome: fermata drain --wait, fermata status");
        print(talk, &answer.body);
        return Ok(Exit::Ok);
    }
    let wait = match (wish, global.timeout) {
        (Wish::Drain, Some(timeout)) => timeout + SLACK,
        (Wish::Drain, None) => drain_timeout(&mut client)? + SLACK,
        (_, timeout) => timeout.unwrap_or(WAIT),
    };
    let ended = client.wait(&command, wait, |outcome| {
        let open = matches!(outcome["outcome"].as_str(), Some("waiting" | "running"));
        (!open).then(|| outcome.clone())
    })?;
    let outcome = ended.map_err(|_| {
        Failure::new(
            codes::CLI_TIMEOUT,
            Exit::TimedOut,
            format!("{} has not taken effect within {}", wish.word(), shown(wait)),
        )
    })?;
    match outcome["outcome"].as_str() {
        Some("done") => {
            print(talk, &outcome);
            say_done(talk, &mut client, wish, global)?;
            Ok(Exit::Ok)
        }
        Some("not-drained") => Err(not_drained(&outcome)),
        _ => {
            let code = outcome["code"].as_str().unwrap_or(codes::CONTROL_REFUSED);
            Err(Failure::new(code, Exit::Refused, plain(&outcome["because"])))
        }
    }
}

fn print(talk: &Talk, value: &Value) {
    if talk.json() {
        talk.print_json(value);
    }
}

fn drain_timeout(client: &mut Client) -> Result<Duration, Failure> {
    let path = client.path("/manifest")?;
    let timeout = &client.get(&path)?["drain"]["timeout"];
    Ok(Duration::from_secs(timeout["secs"].as_u64().unwrap_or(60)))
}

fn say_done(talk: &Talk, client: &mut Client, wish: Wish, global: &Global) -> Result<(), Failure> {
    let path = client.path("/status")?;
    let status = client.get(&path)?;
    let epoch = &status["epoch"];
    let line = match wish {
        Wish::Pause => match &global.reason {
            Some(reason) => format!("paused at the head (epoch {epoch}): {reason}"),
            None => format!("paused at the head (epoch {epoch})"),
        },
        Wish::Resume => format!("resumed (epoch {epoch})"),
        Wish::Drain => {
            let took = status["drain"]["end"]["took-ms"].as_u64().unwrap_or_default();
            format!("drained in {} ms: {}", grouped(took), figures(&status))
        }
    };
    talk.say(line);
    Ok(())
}

/// `48,210 taken_in · 48,200 accepted · ...`, as the manifest's summary names them.
pub fn figures(status: &Value) -> String {
    let names = status["summary_order"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let mut parts: Vec<String> = names
        .map(|name| format!("{} {}", name.replace('_', " "), plain(&status["summary"][name])))
        .collect();
    parts.push(format!("parked {}", plain(&status["parked"])));
    parts.push(format!("dead {}", plain(&status["dead_letters"])));
    parts.join(" · ")
}

fn not_drained(outcome: &Value) -> Failure {
    let blocking: Vec<String> = outcome["blocking"]
        .as_array()
        .into_iter()
        .flatten()
        .map(plain)
        .collect();
    let timeout = Duration::from_millis(outcome["timeout-ms"].as_u64().unwrap_or_default());
    let failure = Failure::new(
        codes::CONTROL_NOT_DRAINED,
        Exit::TimedOut,
        format!("not drained after {}: {}", shown(timeout), blocking.join("; ")),
    );
    failure.help("intake stays closed; look into what blocks, drain again with a longer --timeout, or resume")
}

pub fn shown(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}
