//! Wishes: appended to the control topic, acknowledged once they are durable, followed by their outcome.

use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking};
use crate::host::App;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fermata_core::StageName;
use fermata_core::control::{Command, VERSION, Verb};
use fermata_core::{codes, manifest::parse::parse_duration};
use fermata_runtime::control::{self, CommandOutcome};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a request waits for its command to become durable.
const DURABLE_WAIT: Duration = Duration::from_secs(10);
/// How long a deployment's request waits to learn its number.
const NUMBER_WAIT: Duration = Duration::from_secs(5);
const AUTHOR: &str = "local";

/// What any command may carry. Times as `200ms`, `60s`, `5m`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    reason: Option<String>,
    timeout: Option<String>,
    component: Option<String>,
    probation: Option<String>,
}

pub(super) type Body = Result<Bytes, BytesRejection>;

pub async fn pause(State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    simple(app, headers, body, |_, _| Ok(Verb::Pause)).await
}

pub async fn resume(State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    simple(app, headers, body, |_, _| Ok(Verb::Resume)).await
}

pub async fn drain(State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    simple(app, headers, body, |app, wish| {
        let timeout = duration(wish.timeout.as_deref(), "timeout")?.unwrap_or(app.manifest.drain.timeout);
        Ok(Verb::Drain {
            timeout_ms: millis(timeout),
        })
    })
    .await
}

async fn simple(
    app: Arc<App>,
    headers: HeaderMap,
    body: Body,
    verb: impl FnOnce(&App, &Wish) -> Answer<Verb>,
) -> Answer {
    let wish: Wish = request::json(&request::body(body)?)?;
    let verb = verb(&app, &wish)?;
    let command = command(&app, &headers, wish.reason, verb)?;
    let id = command.id;
    blocking(move || append(&app, command).map(|()| accepted(&app, command_path(&app, id), id, None))).await
}

pub async fn deploy(State(app): Shared, segments: Segments, headers: HeaderMap, body: Body) -> Answer {
    let wish: Wish = request::json(&request::body(body)?)?;
    let stage = stage(&app, segments.get("stage"))?;
    let Some(component) = wish.component.clone() else {
        return Err(Problem::bad_request(
            "\"component\" is missing: builtin:name@version or sha256:<64 hex digits>",
        ));
    };
    if !component.starts_with("builtin:") && !component.starts_with("sha256:") {
        return Err(Problem::bad_request(format!(
            "component {component:?} is neither builtin:name@version nor sha256:<64 hex digits>"
        ))
        .help("upload a file first: POST /api/v1/components"));
    }
    let probation = duration(wish.probation.as_deref(), "probation")?;
    blocking(move || {
        let artifact = app.artifacts.resolve(&component)?;
        let verb = Verb::Deploy {
            stage,
            component,
            digest: artifact.digest,
            probation_ms: probation.map(millis),
        };
        numbered(&app, command(&app, &headers, wish.reason, verb)?)
    })
    .await
}

pub async fn rollback(State(app): Shared, segments: Segments, headers: HeaderMap, body: Body) -> Answer {
    let wish: Wish = request::json(&request::body(body)?)?;
    let stage = stage(&app, segments.get("stage"))?;
    let command = command(&app, &headers, wish.reason, Verb::Rollback { stage })?;
    blocking(move || numbered(&app, command)).await
}

/// Appends, and waits for the number that the fold gives, so that `Location` is the deployment.
fn numbered(app: &App, command: Command) -> Answer {
    let id = command.id;
    append(app, command)?;
    let deadline = Instant::now() + NUMBER_WAIT;
    let known = loop {
        let outcome = app.outcome(&id);
        if outcome.is_some() || Instant::now() >= deadline || app.failed().is_some() {
            break outcome;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ok(match known.and_then(|o| o.deployment) {
        Some(number) => {
            let path = format!("/api/v1/pipelines/{}/deployments/{number}", app.manifest.name);
            accepted(app, path, id, Some(number))
        }
        None => accepted(app, command_path(app, id), id, None),
    })
}

/// 404 until the command is met; then what came of it.
pub async fn outcome(State(app): Shared, segments: Segments) -> Answer<Json<Value>> {
    let text = segments.get("id");
    let id: Uuid = text
        .parse()
        .map_err(|_| Problem::not_found(format!("{text:?} is not a command's id")))?;
    if let Some(outcome) = app.outcome(&id) {
        return Ok(Json(outcome_shape(&app, id, &outcome)));
    }
    if app.appended(&id) {
        return Ok(Json(json!({ "id": id, "outcome": "waiting" })));
    }
    Err(Problem::not_found(format!("there is no command {id}")))
}

fn outcome_shape(app: &App, id: Uuid, outcome: &CommandOutcome) -> Value {
    let mut shape = serde_json::to_value(outcome).unwrap_or_default();
    shape["id"] = json!(id);
    if let Some(number) = outcome.deployment {
        shape["deployment_url"] = format!("/api/v1/pipelines/{}/deployments/{number}", app.manifest.name).into();
    }
    shape
}

/// Makes a command of a wish and appends it.
pub(super) fn send(app: &App, headers: &HeaderMap, reason: Option<String>, verb: Verb) -> Answer {
    let command = command(app, headers, reason, verb)?;
    let id = command.id;
    append(app, command)?;
    Ok(accepted(app, command_path(app, id), id, None))
}

fn append(app: &App, command: Command) -> Answer<()> {
    let id = command.id;
    let appended = control::append_command(&*app.log, &app.manifest, command)?;
    app.remember(id);
    if app.log.wait_durable(appended.commit, DURABLE_WAIT)? {
        Ok(())
    } else {
        Err(
            Problem::unavailable("the command is not on disk yet: ask for its outcome or send it again")
                .help(command_path(app, id)),
        )
    }
}

fn command_path(app: &App, id: Uuid) -> String {
    format!("/api/v1/pipelines/{}/commands/{id}", app.manifest.name)
}

fn accepted(app: &App, location: String, id: Uuid, deployment: Option<u64>) -> Response {
    let mut body = json!({ "id": id, "command_url": command_path(app, id) });
    if let Some(number) = deployment {
        body["deployment"] = number.into();
    }
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(body)).into_response()
}

fn command(app: &App, headers: &HeaderMap, reason: Option<String>, verb: Verb) -> Answer<Command> {
    let id = match request::header(headers, "idempotency-key")? {
        None => Uuid::now_v7(),
        Some(text) => text
            .trim_matches('"')
            .parse()
            .map_err(|_| Problem::bad_request(format!("Idempotency-Key {text:?} is not a UUID")))?,
    };
    let expect_epoch = match request::header(headers, "if-match")? {
        None | Some("*") => None,
        Some(text) => Some(text.trim_matches('"').parse().map_err(|_| {
            Problem::bad_request(format!("If-Match {text:?} is not an epoch: a number as in the status"))
        })?),
    };
    if let Some(expected) = expect_epoch {
        let epoch = app.epoch();
        let known = app.outcome(&id).is_some();
        if expected != epoch && !known {
            return Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                codes::CONTROL_STALE,
                format!("the command was made for epoch {expected}, the pipeline is at {epoch}"),
            )
            .help("look at the status again and decide anew"));
        }
    }
    Ok(Command {
        v: VERSION,
        id,
        at: app.clock.now().0,
        author: AUTHOR.to_owned(),
        reason,
        expect_epoch,
        verb,
    })
}

pub(super) fn stage(app: &App, name: &str) -> Answer<StageName> {
    match app.manifest.stage(name) {
        Some(stage) => Ok(stage.name.clone()),
        None => Err(Problem::missing(
            "stage",
            name,
            app.manifest.stages.iter().map(|s| s.name.as_str()),
        )),
    }
}

fn duration(text: Option<&str>, name: &str) -> Answer<Option<Duration>> {
    text.map(|text| {
        parse_duration(text)
            .ok_or_else(|| Problem::bad_request(format!("{name} {text:?} is not a duration such as 200ms or 60s")))
    })
    .transpose()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
