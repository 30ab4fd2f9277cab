//! Quiescent and drained: is anything of the pipeline still moving, and what keeps it from being done?

use crate::board::ShardReport;
use crate::views::Views;
use fermata_core::journal::Counts;
use fermata_core::manifest::{Condition, Field, Manifest};
use fermata_core::ports::{Log, LogError};
use fermata_core::{Offset, Shard, StageName, TopicName};
use serde_json::Value;
use std::collections::BTreeMap;

/// One look at all shards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sweep {
    pub counts: BTreeMap<(Shard, StageName), Counts>,
    /// Why it cannot be quiescent; empty: as far as one look can tell, it is.
    pub obstacles: Vec<String>,
}

/// `reports` must have been taken before: what is committed after them shows as unread then.
pub fn sweep(
    manifest: &Manifest,
    log: &dyn Log,
    reports: &BTreeMap<Shard, ShardReport>,
    epoch: u64,
) -> Result<Sweep, LogError> {
    let mut sweep = Sweep::default();
    for shard in (0..manifest.partitions).map(Shard) {
        let Some(report) = reports.get(&shard).filter(|r| r.epoch >= epoch) else {
            sweep
                .obstacles
                .push(format!("shard {shard}: its worker has not answered yet"));
            continue;
        };
        if !report.idle {
            sweep.obstacles.push(format!("shard {shard}: a batch is open"));
        }
        for stage in &manifest.stages {
            let Some(task) = report.tasks.get(&stage.name) else {
                sweep
                    .obstacles
                    .push(format!("stage {} on shard {shard} has not started", stage.name));
                continue;
            };
            if let Some(why) = &task.paused {
                sweep
                    .obstacles
                    .push(format!("stage {} on shard {shard} is paused: {why}", stage.name));
            }
            sweep.counts.insert((shard, stage.name.clone()), task.counts);
        }
        for topic in manifest.internal() {
            for stage in manifest.readers(topic) {
                let task = report.tasks.get(&stage.name);
                let next = task.and_then(|t| t.positions.get(topic)).copied().unwrap_or_default();
                if let Some(behind) = behind(log, topic, shard, next)? {
                    let stage = &stage.name;
                    sweep.obstacles.push(format!(
                        "{topic}/{shard}: stage {stage} has up to {behind} records to read"
                    ));
                }
            }
        }
    }
    Ok(sweep)
}

/// Offsets may have gaps, so a position short of the end is behind only if a record lies between.
fn behind(log: &dyn Log, topic: &TopicName, shard: Shard, next: Offset) -> Result<Option<u64>, LogError> {
    let end = log.bounds(topic, shard)?.end;
    if next >= end || log.read(topic, shard, next, 1)?.is_empty() {
        return Ok(None);
    }
    Ok(Some(end.0 - next.0))
}

/// Why a pipeline is not known to be complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// As long as nothing happens it stays so.
    #[error("{0}")]
    Found(String),
    /// The view may answer when it is asked again.
    #[error("{0}")]
    Unanswered(String),
}

/// Does the manifest's `complete-when` hold? The error says what is there instead.
pub fn complete(condition: Option<&Condition>, views: &Views) -> Result<(), Incomplete> {
    let Some(Condition { at, equals }) = condition else {
        return Ok(());
    };
    let found = field(at, views).map_err(Incomplete::Unanswered)?;
    if same(&found, equals) {
        return Ok(());
    }
    Err(Incomplete::Found(format!(
        "view {}{} is {found}, complete when it is {equals}",
        at.view, at.field
    )))
}

/// What still blocks, by name: first what the manifest's view lists, then what is in the way of being quiescent.
pub fn blocking(manifest: &Manifest, views: &Views, obstacles: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(at) = &manifest.drain.blocking {
        match field(at, views) {
            Ok(Value::Array(entries)) => names.extend(entries.iter().map(name)),
            Ok(Value::Null) => {}
            Ok(other) => names.push(name(&other)),
            Err(why) => names.push(why),
        }
    }
    names.extend(super::parked::blocking(views));
    if names.is_empty() {
        let why = complete(manifest.drain.complete_when.as_ref(), views).err();
        names.extend(why.map(|why| why.to_string()));
    }
    names.extend_from_slice(obstacles);
    names
}

fn field(at: &Field, views: &Views) -> Result<Value, String> {
    let (answer, _) = views.answer(&at.view, None, &Value::Null).map_err(|e| e.to_string())?;
    if answer.partial && views.among_others() {
        // A smaller sum than the true one proves nothing.
        let missing: Vec<String> = answer.missing.iter().map(ToString::to_string).collect();
        return Err(format!(
            "view {} has no answer of shard {}",
            at.view,
            missing.join(", ")
        ));
    }
    let found = answer.data.pointer(&at.field).cloned();
    found.ok_or_else(|| format!("view {} has no field {}", at.view, at.field))
}

/// An entry of a blocking list: the text itself, or the `id` of an object.
fn name(entry: &Value) -> String {
    match entry.get("id").unwrap_or(entry) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// JSON equality, but 0 equals 0.0.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a == b)
}
