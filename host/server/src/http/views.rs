//! Views: `{data, positions, partial}`.

use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking};
use crate::host::App;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use fermata_runtime::views::{Answer as ViewAnswer, ViewFailure};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub async fn list(State(app): Shared) -> Json<Value> {
    let all: Vec<Value> = app
        .views
        .list()
        .into_iter()
        .map(|(stage, view)| {
            json!({
                "view": view.name,
                "stage": stage,
                "scope": view.scope,
                "params": schema(&view.params),
                "answer": schema(&view.answer),
            })
        })
        .collect();
    Json(json!({ "views": all }))
}

/// Schemas are texts of the component: shown as JSON where they are.
fn schema(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

pub async fn whole(State(app): Shared, segments: Segments, raw: request::Query) -> Answer<Json<Value>> {
    ask(app, segments.get("view").to_owned(), None, &raw)
        .await
        .map(|(_, body)| body)
}

pub async fn keyed(State(app): Shared, segments: Segments, raw: request::Query) -> Answer<(HeaderMap, Json<Value>)> {
    let key = Some(segments.get("key").to_owned());
    ask(app, segments.get("view").to_owned(), key, &raw).await
}

async fn ask(
    app: Arc<App>,
    view: String,
    key: Option<String>,
    raw: &request::Query,
) -> Answer<(HeaderMap, Json<Value>)> {
    let params = request::query(raw)?.into_iter().map(|(name, text)| {
        // `limit=20` is a number to the component, `id=abc` a string.
        let value = serde_json::from_str::<Value>(&text)
            .ok()
            .filter(|v| !v.is_object() && !v.is_array());
        (name, value.unwrap_or_else(|| text.into()))
    });
    let params = Value::Object(params.collect::<Map<_, _>>());
    blocking(move || {
        let answer = app
            .views
            .query(&view, key.as_deref(), params)
            .map_err(|e| refused(&app, &view, e))?;
        let positions: Map<String, Value> = answer
            .positions
            .iter()
            .map(|(shard, at)| (shard.to_string(), at.0.into()))
            .collect();
        let body = json!({ "data": answer.data, "positions": positions, "partial": answer.partial });
        Ok((whence(&answer), Json(body)))
    })
    .await
}

/// Who answered for the one shard, and as of which record of its journal.
fn whence(answer: &ViewAnswer) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let one = answer.owners.iter().next().zip(answer.positions.iter().next());
    if let Some(((_, owner), (shard, at))) = one
        && let Ok(owner) = HeaderValue::from_str(owner)
        && let Ok(position) = HeaderValue::from_str(&format!("{shard}:{at}"))
    {
        headers.insert("x-fermata-owner", owner);
        headers.insert("x-fermata-position", position);
    }
    headers
}

fn refused(app: &App, view: &str, failure: ViewFailure) -> Problem {
    match failure {
        ViewFailure::NoSuchView { .. } => {
            let declared = app.views.list();
            Problem::missing("view", view, declared.iter().map(|(_, v)| v.name.as_str()))
        }
        ViewFailure::NoSuchEntry { .. } => Problem::not_found(failure.to_string()),
        ViewFailure::BadParams { .. } => Problem::bad_request(failure.to_string()),
        other => Problem::new(StatusCode::SERVICE_UNAVAILABLE, other.code(), other.to_string()),
    }
}
