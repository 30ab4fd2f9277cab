//! What the manifest's `summary` counts, read from topics and views only.

use super::App;
use fermata_core::manifest::{Count, CountSource, Field};
use fermata_core::names::Purpose;
use fermata_core::{Shard, TopicName};
use serde_json::{Map, Value};

/// The summary's figures in the manifest's order, which are on disk when this returns.
pub fn summary(app: &App) -> Result<Map<String, Value>, String> {
    let figures = app
        .manifest
        .summary
        .iter()
        .map(|count| Ok((count.name.clone(), one(app, count)?)));
    let figures = figures.collect::<Result<Map<_, _>, String>>()?;
    app.settle().map_err(|e| e.to_string())?;
    Ok(figures)
}

fn one(app: &App, count: &Count) -> Result<Value, String> {
    match &count.source {
        CountSource::Topic(topic) => Ok(records(app, topic)?.into()),
        CountSource::View(field) => view_field(app, field),
    }
}

/// Records of a topic; of a head only those that its readers have taken in.
pub fn records(app: &App, topic: &TopicName) -> Result<u64, String> {
    if app.manifest.topics.get(topic).is_some_and(|t| t.head) {
        return Ok((0..app.manifest.partitions)
            .map(|p| taken_in(app, topic, Shard(p)))
            .sum());
    }
    written(app, topic)
}

/// Records that were ever appended: offsets of the embedded log have no gaps.
pub fn written(app: &App, topic: &TopicName) -> Result<u64, String> {
    let mut all = 0;
    for shard in (0..app.manifest.partitions).map(Shard) {
        all += app.log.bounds(topic, shard).map_err(|e| e.to_string())?.end.0;
    }
    Ok(all)
}

pub fn dead_letters(app: &App) -> Result<u64, String> {
    written(app, &Purpose::DeadLetters.topic(&app.manifest.name))
}

fn taken_in(app: &App, topic: &TopicName, shard: Shard) -> u64 {
    let reports = app.nodes.reports();
    let Some(report) = reports.get(&shard) else { return 0 };
    let readers = app.manifest.readers(topic);
    let positions = readers.map(|s| {
        let task = report.tasks.get(&s.name);
        task.and_then(|t| t.positions.get(topic)).map_or(0, |o| o.0)
    });
    positions.min().unwrap_or(0)
}

/// Records of heads and between stages that wait to be read.
pub fn lag(app: &App) -> Result<u64, String> {
    let reports = app.nodes.reports();
    let mut lag = 0;
    for stage in &app.manifest.stages {
        for (_, topic) in &stage.inputs {
            for shard in (0..app.manifest.partitions).map(Shard) {
                let end = app.log.bounds(topic, shard).map_err(|e| e.to_string())?.end.0;
                let task = reports.get(&shard).and_then(|r| r.tasks.get(&stage.name));
                let next = task.and_then(|t| t.positions.get(topic)).map_or(0, |o| o.0);
                lag += end.saturating_sub(next);
            }
        }
    }
    Ok(lag)
}

/// Nothing waits on any head.
pub fn heads_read(app: &App) -> Result<bool, String> {
    for topic in app.manifest.heads() {
        if written(app, topic)? > records(app, topic)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a JSON Pointer finds in a view's answer.
pub fn view_field(app: &App, at: &Field) -> Result<Value, String> {
    let answer = app
        .views
        .query(&at.view, None, Value::Object(Map::new()))
        .map_err(|e| format!("view {}: {e}", at.view))?;
    match answer.data.pointer(&at.field) {
        Some(found) => Ok(found.clone()),
        None => Err(format!("view {} has no field {:?}", at.view, at.field)),
    }
}
