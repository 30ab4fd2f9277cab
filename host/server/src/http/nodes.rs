//! The instances of the pipeline, and which of them holds which shard.

use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking, commands};
use crate::host::App;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use fermata_core::Shard;
use fermata_core::control::Verb;
use fermata_core::manifest::parse::parse_duration;
use fermata_runtime::nodes::report::{NodeReport, NodeState};
use fermata_runtime::nodes::{GONE, Owner, SILENT};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A worker leaves at the latest after this, warm standby or not.
const EVACUATE_WITHIN: Duration = Duration::from_secs(60);

pub async fn list(State(app): Shared) -> Json<Value> {
    let nodes = &app.nodes;
    let mut all: Vec<(String, Value)> = nodes
        .known()
        .into_iter()
        .map(|(heard, age)| (heard.report.node.clone(), shape(&heard.report, Some(age))))
        .collect();
    all.push((nodes.own.name.clone(), own(&app)));
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let all: Vec<Value> = all.into_iter().map(|(_, shape)| shape).collect();
    Json(json!({ "nodes": all }))
}

fn shape(report: &NodeReport, age: Option<Duration>) -> Value {
    let numbers = |shards: &mut dyn Iterator<Item = &Shard>| shards.map(|s| s.0).collect::<Vec<_>>();
    json!({
        "node": report.node,
        "address": report.address,
        "version": report.version,
        "state": state(report.state, age.unwrap_or_default()),
        "leads": report.leads.is_some(),
        "epoch": report.epoch,
        "workers": report.workers.len(),
        "shards": numbers(&mut report.shards.keys()),
        "restoring": numbers(&mut report.restoring.iter()),
        "standby": report.standby.iter().map(|(shard, lag)| (shard.to_string(), (*lag).into())).collect::<serde_json::Map<_, Value>>(),
        "heard_ms": age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    })
}

fn state(said: NodeState, age: Duration) -> &'static str {
    match said {
        _ if age >= GONE => "Gone",
        _ if age >= SILENT => "Silent",
        NodeState::Ready => "Ready",
        NodeState::Restoring => "Restoring",
        NodeState::Evacuating => "Evacuating",
    }
}

/// This instance; one that is alone never told anybody.
fn own(app: &App) -> Value {
    if let Some(said) = app.nodes.said() {
        return shape(&said, None);
    }
    let own = &app.nodes.own;
    let held = app.board.tenure.held();
    let shards = app.board.reports();
    let restoring: Vec<u32> = held.keys().filter(|s| !shards.contains_key(s)).map(|s| s.0).collect();
    json!({
        "node": own.name,
        "address": own.address,
        "version": own.version,
        "state": if restoring.is_empty() { "Ready" } else { "Restoring" },
        "leads": true,
        "epoch": app.epoch(),
        "workers": app.board.tenure.workers().len(),
        "shards": shards.keys().map(|s| s.0).collect::<Vec<_>>(),
        "restoring": restoring,
        "standby": {},
        "heard_ms": null,
    })
}

/// Each shard: who holds it, how far it is, what waits on it, and who follows it.
pub async fn shards(State(app): Shared) -> Answer<Json<Value>> {
    blocking(move || {
        let reports = app.nodes.reports();
        let owners = app.nodes.owners();
        let mut standby: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
        let live = app.nodes.live();
        let followers = live
            .iter()
            .map(|heard| (heard.report.node.clone(), heard.report.standby.clone()));
        for (node, followed) in followers.chain([(app.nodes.own.name.clone(), (app.nodes.own.standby)())]) {
            for (shard, left) in followed {
                standby
                    .entry(shard.0)
                    .or_default()
                    .push(json!({ "node": node, "lag": left }));
            }
        }
        let mut all = Vec::new();
        for shard in (0..app.manifest.partitions).map(Shard) {
            let report = reports.get(&shard);
            let node = owners.get(&shard).map(|owner| match owner {
                Owner::Here => app.nodes.own.name.clone(),
                Owner::There { node, .. } => node.clone(),
            });
            let mut lag = 0;
            for stage in &app.manifest.stages {
                for (_, topic) in &stage.inputs {
                    let end = app.log.bounds(topic, shard)?.end.0;
                    let task = report.and_then(|r| r.tasks.get(&stage.name));
                    let next = task.and_then(|t| t.positions.get(topic)).map_or(0, |next| next.0);
                    lag += end.saturating_sub(next);
                }
            }
            all.push(json!({
                "shard": shard.0,
                "node": node,
                "worker": report.map(|r| r.worker),
                "sequence": report.map(|r| r.sequence.0),
                "epoch": report.map(|r| r.epoch),
                "lag": lag,
                "standby": standby.remove(&shard.0).unwrap_or_default(),
            }));
        }
        Ok(Json(json!({ "shards": all })))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Evacuation {
    reason: Option<String>,
    timeout: Option<String>,
}

pub async fn evacuate(
    State(app): Shared,
    segments: Segments,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let wish: Evacuation = request::json(&request::body(body)?)?;
    let timeout = match wish.timeout.as_deref() {
        None => EVACUATE_WITHIN,
        Some(text) => parse_duration(text)
            .ok_or_else(|| Problem::bad_request(format!("timeout {text:?} is not a duration such as 200ms or 60s")))?,
    };
    let verb = Verb::Evacuate {
        node: segments.get("node").to_owned(),
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
    };
    blocking(move || commands::send(&app, &headers, wish.reason, verb)).await
}
