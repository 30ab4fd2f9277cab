//! Intake: records from outside, acknowledged when they are on disk.
//!
//! - `application/json`: one message, kept as it came; `application/x-ndjson`: one message a line.
//! - `application/vnd.fermata.records+json`: `{"records": [{"key", "value", "headers", "timestamp"}]}`, where key,
//!   value and the values of headers are texts; what has no `value` is a tombstone. Bytes that are no text stand as
//!   hex in `key_hex`, `value_hex` and `headers_hex` instead.
//! - any other type: the body is the value, whatever it is.
//!
//! A key is taken from the record, else from `?key=`, else from the JSON field that the manifest names for the topic.

use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking, topics};
use crate::host::App;
use crate::keys;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use fermata_core::partition::shard_of;
use fermata_core::{Header, NewRecord, Timestamp, TopicName, codes, limits, names};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const DURABLE_WAIT: Duration = Duration::from_secs(10);
const ENVELOPE: &str = "application/vnd.fermata.records+json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    records: Vec<Incoming>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming {
    key: Option<String>,
    key_hex: Option<String>,
    value: Option<String>,
    value_hex: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    #[serde(default)]
    headers_hex: BTreeMap<String, String>,
    /// Milliseconds since the Unix epoch.
    timestamp: Option<i64>,
    #[serde(skip)]
    raw: Option<Bytes>,
}

pub async fn produce(
    State(app): Shared,
    segments: Segments,
    raw: request::Query,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = request::body(body)?;
    let query = request::query(&raw)?;
    let kind = request::header(&headers, "content-type")?
        .unwrap_or("application/json")
        .to_owned();
    blocking(move || {
        let topic = head(&app, segments.get("topic"))?;
        let incoming = read(&kind, body)?;
        if incoming.is_empty() {
            return Err(refused("there is no record in the body"));
        }
        let key = query.get("key");
        let records = incoming
            .into_iter()
            .enumerate()
            .map(|(i, one)| record(&app, &topic, key, one).map_err(|why| refused(format!("record {i}: {why}"))));
        let records = records.collect::<Answer<Vec<_>>>()?;
        if let Some(most) = (app.sizes)(&topic)? {
            let large = records.iter().enumerate().find(|(_, record)| record.size() > most);
            if let Some((i, record)) = large {
                let found = format!("record {i}: it has {} bytes, and {topic} takes {most}", record.size());
                return Err(refused(found).help(format!("raise max.message.bytes of {topic}")));
            }
        }
        let shards: Vec<u32> = records.iter().map(|r| r.shard.0).collect();
        let appended = app.log.append(records)?;
        if !app.log.wait_durable(appended.commit, DURABLE_WAIT)? {
            return Err(
                Problem::unavailable("the records are not on disk yet; they may still become so")
                    .help("stages that know duplicates may be sent the same records again"),
            );
        }
        let places = shards.iter().zip(&appended.offsets);
        let places: Value = places.map(|(p, o)| json!({ "partition": p, "offset": o.0 })).collect();
        Ok((StatusCode::ACCEPTED, Json(json!({ "topic": topic, "records": places }))).into_response())
    })
    .await
}

fn refused(why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, codes::RECORD_REFUSED, why)
}

/// Only heads take records in: what a stage writes is the stage's, what the host writes is the host's.
fn head(app: &App, name: &str) -> Answer<TopicName> {
    let topic = topics::known(app, name)?.name;
    if app.manifest.topics.get(&topic).is_some_and(|t| t.head) {
        return Ok(topic);
    }
    let owner = match app.manifest.writers(&topic).next() {
        Some(stage) => format!("stage {}", stage.name),
        None => "the host".to_owned(),
    };
    let heads: Vec<&str> = app.manifest.heads().map(TopicName::as_str).collect();
    Err(Problem::new(
        StatusCode::CONFLICT,
        codes::RECORD_TOPIC_OWNED,
        format!("topic {topic} is written by {owner}"),
    )
    .help(format!("records are taken in on: {}", heads.join(", "))))
}

fn read(kind: &str, body: Bytes) -> Answer<Vec<Incoming>> {
    let raw = |raw: Bytes| Incoming {
        raw: Some(raw),
        ..Incoming::default()
    };
    match kind.split(';').next().unwrap_or_default().trim() {
        ENVELOPE => Ok(request::json::<Envelope>(&body)?.records),
        "application/json" => {
            is_json(&body).map_err(|e| Problem::bad_request(format!("the body is not JSON: {e}")))?;
            Ok(vec![raw(body)])
        }
        "application/x-ndjson" => {
            let lines = body.split(|b| *b == b'\n').enumerate();
            let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
            let read = lines.map(|(i, line)| {
                is_json(line).map_err(|e| Problem::bad_request(format!("line {} is not JSON: {e}", i + 1)))?;
                Ok(raw(body.slice_ref(line.trim_ascii())))
            });
            read.collect()
        }
        _ => Ok(vec![raw(body)]),
    }
}

fn is_json(bytes: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map(|_| ())
}

fn record(app: &App, topic: &TopicName, key: Option<&String>, one: Incoming) -> Result<NewRecord, String> {
    let value = match one.raw {
        Some(raw) => Some(raw),
        None => either("value", one.value, one.value_hex)?,
    };
    let given = either("key", one.key, one.key_hex)?;
    let key = match given.or_else(|| key.cloned().map(Bytes::from)) {
        Some(key) => Some(key),
        None => derived(app, topic, value.as_ref())?,
    };
    let mut named = one.headers.keys().chain(one.headers_hex.keys());
    if let Some(reserved) = named.find(|name| names::headers::reserved(name)) {
        return Err(format!("header {reserved:?} is the host's to write"));
    }
    let texts = one
        .headers
        .into_iter()
        .map(|(key, value)| Ok((key, value.map(Bytes::from))));
    let others = one
        .headers_hex
        .into_iter()
        .map(|(key, hex)| Ok((key, either("header", None, Some(hex))?)));
    let headers: Vec<Header> = texts
        .chain(others)
        .map(|header| header.map(|(key, value)| Header { key: key.into(), value }))
        .collect::<Result<_, String>>()?;
    fits("key", key.as_ref().map_or(0, Bytes::len), limits::MAX_KEY)?;
    fits("value", value.as_ref().map_or(0, Bytes::len), limits::MAX_VALUE)?;
    let of_headers = headers
        .iter()
        .map(|h| h.key.len() + h.value.as_ref().map_or(0, Bytes::len))
        .sum();
    fits("headers", of_headers, limits::MAX_HEADERS)?;
    // Without a key any shard will do; the value's spreads them and is the same when sent again.
    let place = key.as_ref().or(value.as_ref()).map_or(&b""[..], |b| &b[..]);
    Ok(NewRecord {
        shard: shard_of(place, app.manifest.partitions),
        topic: topic.clone(),
        timestamp: one.timestamp.map_or_else(|| app.clock.now(), Timestamp),
        key,
        value,
        headers,
    })
}

/// Bytes from a text or from hex.
fn either(what: &str, text: Option<String>, hex: Option<String>) -> Result<Option<Bytes>, String> {
    match (text, hex) {
        (Some(_), Some(_)) => Err(format!("it has {what} and {what}_hex: one of them is meant")),
        (text, None) => Ok(text.map(Bytes::from)),
        (None, Some(hex)) => match hex::decode(&hex) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(found) => Err(format!("its {what} is not hex: {found}")),
        },
    }
}

fn fits(what: &str, found: usize, most: usize) -> Result<(), String> {
    if found <= most {
        Ok(())
    } else {
        Err(format!("its {what} has {found} bytes, the limit is {most}"))
    }
}

/// The key by the manifest's `key` field; `None` where the topic has no such field.
fn derived(app: &App, topic: &TopicName, value: Option<&Bytes>) -> Result<Option<Bytes>, String> {
    let field = app.manifest.topics.get(topic).and_then(|t| t.key.as_ref());
    let value = value.map(|value| &value[..]);
    field.map(|field| keys::derived(field, value)).transpose()
}
