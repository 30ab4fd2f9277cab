//! How records, versions and deployments look as JSON.

use crate::host::App;
use bytes::Bytes;
use fermata_core::control::{DeploymentState, RecordKey};
use fermata_core::names::headers;
use fermata_core::{Digest, Record, Timestamp, VersionId};
use fermata_runtime::control::{Cutover, Deployment, TaskReceipt};
use fermata_runtime::parked::ParkedKey;
use fermata_runtime::worker::quarantine::{Parked, What};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// RFC 3339 in UTC.
pub fn instant(at: Timestamp) -> String {
    let nanos = i128::from(at.0) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    time.and_then(|t| t.format(&Rfc3339).ok())
        .unwrap_or_else(|| at.0.to_string())
}

/// Text where the bytes are UTF-8 that a person can read, else hex under `<name>_hex`. A binary message may happen to
/// be UTF-8: its control characters give it away, and a terminal must not obey them.
fn bytes(into: &mut Map<String, Value>, name: &str, value: Option<&Bytes>) {
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let readable = |b| std::str::from_utf8(b).ok().filter(|text| !text.contains(control));
    match value.map(|b| (b, readable(b))) {
        None => into.insert(name.to_owned(), Value::Null),
        Some((_, Some(text))) => into.insert(name.to_owned(), text.into()),
        Some((raw, None)) => into.insert(format!("{name}_hex"), hex::encode(raw).into()),
    };
}

pub fn record(record: &Record) -> Value {
    let mut shape = Map::new();
    shape.insert("topic".into(), record.topic.as_str().into());
    shape.insert("partition".into(), record.shard.0.into());
    shape.insert("offset".into(), record.offset.0.into());
    shape.insert("timestamp".into(), record.timestamp.0.into());
    bytes(&mut shape, "key", record.key.as_ref());
    bytes(&mut shape, "value", record.value.as_ref());
    let headers = record.headers.iter().map(|h| {
        let mut one = Map::new();
        one.insert("name".into(), h.key.as_ref().into());
        bytes(&mut one, "value", h.value.as_ref());
        Value::Object(one)
    });
    shape.insert("headers".into(), headers.collect());
    Value::Object(shape)
}

/// A dead letter: what failed, where and why in front of the record itself.
pub fn dead_letter(letter: &Record) -> Value {
    let text = |name: &str| letter.header(name).map_or(Value::Null, Value::from);
    json!({
        "id": format!("{}/{}", letter.shard, letter.offset),
        "code": text(headers::CODE),
        "stage": text(headers::STAGE),
        "digest": text(headers::DIGEST),
        "port": text(headers::PORT),
        "message": text(headers::ERRORS_MESSAGE),
        "source": {
            "topic": text(headers::ERRORS_TOPIC),
            "partition": text(headers::ERRORS_PARTITION),
            "offset": text(headers::ERRORS_OFFSET),
        },
        "identity": text(headers::ID),
        "at": instant(letter.timestamp),
        "record": record(letter),
    })
}

/// The queue of one key: how long it is and what is in front.
pub fn parked_key(parked: &ParkedKey) -> Value {
    json!({
        "key": RecordKey(parked.key.clone()),
        "stage": parked.stage,
        "partition": parked.shard.0,
        "records": parked.records,
        "since": instant(Timestamp(parked.first.since)),
        "first": parked_record(&parked.first),
    })
}

/// One parked record: what it is, and how it failed, if it has been tried.
pub fn parked_record(parked: &Parked) -> Value {
    let mut shape = Map::new();
    shape.insert("place".into(), parked.place().into());
    shape.insert("identity".into(), parked.identity.as_str().into());
    shape.insert("since".into(), instant(Timestamp(parked.since)).into());
    if let Some(failure) = &parked.failure {
        let digest = Digest::from_slice(&failure.component);
        shape.insert("code".into(), failure.code.as_str().into());
        shape.insert("message".into(), failure.reason.as_str().into());
        shape.insert("stack".into(), failure.stack.as_str().into());
        shape.insert("fault".into(), failure.fault.into());
        shape.insert("digest".into(), digest.map(|d| d.short()).into());
        shape.insert("attempts".into(), failure.attempts.into());
        shape.insert("tried".into(), instant(Timestamp(failure.at)).into());
    }
    match &parked.what {
        Some(What::Record(record)) => {
            shape.insert("port".into(), record.port.as_str().into());
            shape.insert("timestamp".into(), record.timestamp.into());
            bytes(&mut shape, "value", record.value.as_ref());
            let headers = record.headers.iter().map(|h| {
                let mut one = Map::new();
                one.insert("name".into(), h.name.as_str().into());
                bytes(&mut one, "value", h.value.as_ref());
                Value::Object(one)
            });
            shape.insert("headers".into(), headers.collect());
        }
        Some(What::Timer(timer)) => {
            shape.insert("timer".into(), timer.id.as_str().into());
            shape.insert("due".into(), instant(Timestamp(timer.at)).into());
            bytes(&mut shape, "value", Some(&timer.payload));
        }
        None => {}
    }
    Value::Object(shape)
}

fn version(id: &VersionId) -> Value {
    json!({ "digest": id.component.full(), "config": id.config.full() })
}

/// What keeps time from counting as probation; null: it counts, or there is none to serve.
fn held(app: &App, deployment: &Deployment) -> Value {
    if deployment.state() != DeploymentState::Probation {
        return Value::Null;
    }
    if app.fold().paused.is_some() {
        return json!({ "by": "pause", "because": "the pipeline is paused" });
    }
    let reports = app.nodes.reports();
    let mut paused = reports
        .iter()
        .filter_map(|(shard, report)| Some((shard, report.tasks.get(&deployment.stage)?.paused.as_ref()?)));
    paused.next().map_or(
        Value::Null,
        |(shard, why)| json!({ "by": "task", "because": format!("the task of shard {shard} is paused: {why}") }),
    )
}

pub fn deployment(app: &App, deployment: &Deployment) -> Value {
    let state = |state: &DeploymentState| serde_json::to_value(state).unwrap_or_default();
    let states = deployment.states.iter();
    let tasks = |all: &BTreeMap<fermata_core::Shard, Cutover>| -> Value {
        let each = all.iter().map(|(shard, cut)| {
            json!({
                "shard": shard.0,
                "pause_micros": cut.pause_micros,
                "synced_micros": cut.synced_micros,
                "at": instant(Timestamp(cut.at)),
            })
        });
        each.collect()
    };
    json!({
        "number": deployment.number,
        "id": format!("dep/{}", deployment.number),
        "stage": deployment.stage,
        "component": deployment.component,
        "old": version(&deployment.old),
        "new": version(&deployment.new),
        "state": state(&deployment.state()),
        "ended": deployment.ended(),
        "states": states
            .map(|(s, at)| json!({ "state": state(s), "at": instant(Timestamp(*at)) }))
            .collect::<Value>(),
        "probation_ms": deployment.probation_ms,
        "held": held(app, deployment),
        "rolls_back": deployment.rolls_back,
        "tasks": tasks(&deployment.switched),
        "returned": tasks(&deployment.returned),
        "shards": app.manifest.partitions,
        "code": deployment.code,
        "because": deployment.because,
        "author": deployment.author,
        "reason": deployment.reason,
    })
}

/// The proof of one task: where the old version ended is where the new one began.
pub fn receipt(receipt: &TaskReceipt) -> Value {
    json!({
        "deployment": receipt.deployment,
        "stage": receipt.stage,
        "shard": receipt.shard.0,
        "sequence": receipt.sequence.0,
        "old": version(&receipt.old),
        "new": version(&receipt.new),
        "positions": receipt.positions,
        "processed_before": receipt.processed_before,
        "migrated": receipt.migrated,
        "pause_micros": receipt.pause_micros,
        "synced_micros": receipt.synced_micros,
        "rollback": receipt.rollback,
        "at": instant(Timestamp(receipt.at_micros / 1_000)),
    })
}
