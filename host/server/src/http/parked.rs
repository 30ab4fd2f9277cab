//! Parked records: who waits behind what, and the wish to release or skip them.

use super::commands::{self, Body};
use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking, shape};
use crate::host::App;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use fermata_core::control::{Parked as Which, RecordKey, Verb};
use fermata_core::{StageName, codes};
use fermata_runtime::parked::{ParkedKey, Wanted};
use fermata_runtime::views::{ParkedAnswer, ViewFailure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PAGE: usize = 100;
const MAX_PAGE: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    reason: Option<String>,
    stage: Option<String>,
    key: Option<RecordKey>,
    #[serde(default)]
    all: bool,
}

pub async fn list(State(app): Shared, raw: request::Query) -> Answer<Json<Value>> {
    let query = request::query(&raw)?;
    let (stage, limit) = parameters(&app, &query)?;
    blocking(move || {
        let key = None;
        let found = ask(&app, &Wanted { stage, key, limit })?;
        let records = crate::host::status::parked(&app);
        let keys: Vec<Value> = found.queues.iter().map(|(key, _)| shape::parked_key(key)).collect();
        Ok(Json(json!({
            "records": records, "parked": keys, "partial": found.partial, "missing": found.missing,
        })))
    })
    .await
}

pub async fn one(State(app): Shared, segments: Segments, raw: request::Query) -> Answer<Json<Value>> {
    show(app, segments.get("key").to_owned(), raw).await
}

/// Keys that are called as the verbs beside them.
pub async fn called_release(State(app): Shared, raw: request::Query) -> Answer<Json<Value>> {
    show(app, "release".to_owned(), raw).await
}
pub async fn called_skip(State(app): Shared, raw: request::Query) -> Answer<Json<Value>> {
    show(app, "skip".to_owned(), raw).await
}

async fn show(app: std::sync::Arc<App>, key: String, raw: request::Query) -> Answer<Json<Value>> {
    let query = request::query(&raw)?;
    let (stage, limit) = parameters(&app, &query)?;
    let key = RecordKey::from(key);
    blocking(move || {
        let wanted = Wanted {
            stage,
            key: Some(key.clone()),
            limit,
        };
        let found = ask(&app, &wanted)?;
        if found.queues.is_empty() {
            return Err(not_parked(&key, wanted.stage.as_ref(), &found));
        }
        let queues: Vec<Value> = found
            .queues
            .iter()
            .map(|(summary, records)| {
                let mut queue = shape::parked_key(summary);
                queue["queue"] = records.iter().map(shape::parked_record).collect();
                queue
            })
            .collect();
        Ok(Json(json!({
            "key": key, "queues": queues, "partial": found.partial, "missing": found.missing,
        })))
    })
    .await
}

pub async fn release(State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    let wish: Wish = request::json(&request::body(body)?)?;
    if wish.key.is_some() == wish.all {
        return Err(Problem::bad_request(
            "name one \"key\", or say \"all\": true for every parked record",
        ));
    }
    blocking(move || {
        let which = which(&app, &wish)?;
        if let Some(key) = &which.key {
            queues(&app, &which, key)?;
        }
        commands::send(&app, &headers, wish.reason, Verb::Release(which))
    })
    .await
}

pub async fn skip(State(app): Shared, headers: HeaderMap, body: Body) -> Answer {
    let wish: Wish = request::json(&request::body(body)?)?;
    blocking(move || {
        let mut which = which(&app, &wish)?;
        let Some(key) = which.key.clone().filter(|_| !wish.all) else {
            return Err(Problem::bad_request(
                "\"key\" is missing: the first parked record of one key is skipped",
            ));
        };
        let found = queues(&app, &which, &key)?;
        if let [one, other, ..] = found.as_slice() {
            let (one, other) = (&one.stage, &other.stage);
            let both = format!("key {key} is parked at {one} and at {other}");
            return Err(
                Problem::new(StatusCode::CONFLICT, codes::CONTROL_REFUSED, both).help("name the stage with \"stage\"")
            );
        }
        which.stage = found.first().map(|queue| queue.stage.clone());
        commands::send(&app, &headers, wish.reason, Verb::Skip(which))
    })
    .await
}

fn which(app: &App, wish: &Wish) -> Answer<Which> {
    let stage = wish.stage.as_deref().map(|name| commands::stage(app, name));
    Ok(Which {
        stage: stage.transpose()?,
        key: wish.key.clone(),
    })
}

/// The key's queues; it is an error when there is none.
fn queues(app: &App, which: &Which, key: &RecordKey) -> Answer<Vec<ParkedKey>> {
    let wanted = Wanted {
        stage: which.stage.clone(),
        key: Some(key.clone()),
        limit: 1,
    };
    let found = ask(app, &wanted)?;
    if found.queues.is_empty() {
        return Err(not_parked(key, which.stage.as_ref(), &found));
    }
    Ok(found.queues.into_iter().map(|(queue, _)| queue).collect())
}

/// Wherever the shards are held.
fn ask(app: &App, wanted: &Wanted) -> Answer<ParkedAnswer> {
    let refused = |e: ViewFailure| Problem::new(StatusCode::SERVICE_UNAVAILABLE, e.code(), e.to_string());
    app.views.parked(wanted).map_err(refused)
}

fn not_parked(key: &RecordKey, stage: Option<&StageName>, found: &ParkedAnswer) -> Problem {
    let at = stage.map(|s| format!(" at stage {s}")).unwrap_or_default();
    if found.missing.is_empty() {
        return Problem::not_found(format!("key {key} is not parked{at}")).help("fermata parked list");
    }
    let missing: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
    let said = format!(
        "whether key {key} is parked{at} cannot be told: shard {} does not answer",
        missing.join(", ")
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, codes::HTTP_UNAVAILABLE, said).help("ask again in a moment")
}

fn parameters(app: &App, query: &BTreeMap<String, String>) -> Answer<(Option<StageName>, usize)> {
    let stage = query.get("stage").map(|name| commands::stage(app, name));
    let limit: Option<usize> = request::param(query, "limit")?;
    Ok((stage.transpose()?, limit.unwrap_or(PAGE).min(MAX_PAGE)))
}
