//! Is the process alive, and does the pipeline run?

use super::problem::{Answer, Problem};
use super::{Shared, request};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fermata_core::codes;
use serde_json::{Value, json};

pub async fn live() -> &'static str {
    "ok\n"
}

pub async fn version() -> Json<Value> {
    Json(json!({ "name": "fermata", "version": crate::VERSION, "contract": fermata_core::journal::CONTRACT }))
}

/// Ready: nothing has failed, the log answers, and every shard is held by a worker.
pub async fn ready(State(app): Shared, raw: request::Query) -> Answer {
    let verbose = request::query(&raw)?.contains_key("verbose");
    let held = app.nodes.reports().len() as u64;
    let all = u64::from(app.manifest.partitions);
    if let Some(because) = app.failed() {
        return Err(Problem::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            codes::HTTP_UNAVAILABLE,
            because,
        ));
    }
    if let Some(why) = app.weather.away() {
        return Err(Problem::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            codes::LOG_AWAY,
            format!("the log cannot be reached: {why}"),
        ));
    }
    if held < all {
        return Err(Problem::unavailable(format!(
            "{held} of {all} shards are held by a worker"
        )));
    }
    let response: Response = if verbose {
        Json(json!({ "ready": true, "shards": { "held": held, "all": all } })).into_response()
    } else {
        "ok\n".into_response()
    };
    Ok(response)
}
