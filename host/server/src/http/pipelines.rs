//! The pipeline as a whole.

use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking};
use crate::books;
use crate::host::status;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

pub async fn list(State(app): Shared) -> Json<Value> {
    let name = &app.manifest.name;
    Json(json!({ "pipelines": [{
        "name": name,
        "state": status::flow_name(app.state().flow),
        "epoch": app.epoch(),
        "url": format!("{}/{name}", super::PIPELINES),
    }] }))
}

pub async fn one(State(app): Shared, segments: Segments) -> Json<Value> {
    let base = format!("{}/{}", super::PIPELINES, segments.get("pipeline"));
    let parts = ["status", "manifest", "stages", "deployments", "views", "topics", "dlq"];
    let urls = parts.map(|part| format!("{base}/{part}"));
    Json(json!({
        "name": app.manifest.name,
        "partitions": app.manifest.partitions,
        "noun": app.manifest.noun,
        "state": status::flow_name(app.state().flow),
        "epoch": app.epoch(),
        "heads": app.manifest.heads().collect::<Vec<_>>(),
        "urls": urls,
    }))
}

pub async fn status(State(app): Shared) -> Answer {
    blocking(move || {
        let shape = status::status(&app).map_err(Problem::unavailable)?;
        let epoch = format!("\"{}\"", app.epoch());
        Ok(([(header::ETAG, epoch)], Json(shape)).into_response())
    })
    .await
}

/// As checked, with all defaults; `?format=toml`: as written.
pub async fn manifest(State(app): Shared, raw: request::Query) -> Answer {
    match request::query(&raw)?.get("format").map(String::as_str) {
        None | Some("json") => Ok(Json(&*app.manifest).into_response()),
        Some("toml") => Ok(([(header::CONTENT_TYPE, "application/toml")], app.manifest_text.clone()).into_response()),
        Some(other) => Err(Problem::bad_request(format!(
            "format {other:?} is neither json nor toml"
        ))),
    }
}

pub async fn stages(State(app): Shared) -> Json<Value> {
    Json(json!({ "stages": status::stages(&app) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verification {
    #[serde(default)]
    replay: bool,
}

/// The report itself: nothing of it is kept.
pub async fn verify(State(app): Shared, body: Result<Bytes, BytesRejection>) -> Answer<Json<Value>> {
    let asked: Verification = request::json(&request::body(body)?)?;
    blocking(move || {
        let report = books::live(&app, asked.replay)?;
        app.settle()?;
        Ok(Json(report))
    })
    .await
}
