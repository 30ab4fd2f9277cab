//! What the manifest's `summary` counts, read from topics and views only.

use super::App;
use fermata_core::manifest::{Count, CountSource, Field};
use fermata_core::names::Purpose;
use fermata_core::ports::LogError;
use fermata_core::{Offset, Shard, TopicName};
use fermata_runtime::board::Intake;
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

/// Records of a topic; of a head only those that its readers have taken in. `None`: they are still being counted.
pub fn records(app: &App, topic: &TopicName) -> Result<Option<u64>, String> {
    if app.manifest.topics.get(topic).is_some_and(|t| t.head) {
        return sum(app, topic, |shard| Some(taken_in(app, topic, shard)));
    }
    written(app, topic)
}

/// Records that were ever appended. `None`: they are still being counted.
pub fn written(app: &App, topic: &TopicName) -> Result<Option<u64>, String> {
    sum(app, topic, |_| None)
}

pub fn dead_letters(app: &App) -> Result<Option<u64>, String> {
    written(app, &Purpose::DeadLetters.topic(&app.manifest.name))
}

fn sum(app: &App, topic: &TopicName, bound: impl Fn(Shard) -> Option<Offset>) -> Result<Option<u64>, String> {
    let mut all = Some(0);
    for shard in (0..app.manifest.partitions).map(Shard) {
        let records = app.counts.records(&*app.log, topic, shard, bound(shard));
        all = all.zip(records.map_err(|e| e.to_string())?).map(|(all, one)| all + one);
    }
    Ok(all)
}

/// The lowest position of a head's readers.
fn taken_in(app: &App, topic: &TopicName, shard: Shard) -> Offset {
    let reports = app.nodes.reports();
    let Some(report) = reports.get(&shard) else {
        return Offset(0);
    };
    let readers = app.manifest.readers(topic);
    let positions = readers.map(|s| {
        let task = report.tasks.get(&s.name);
        task.and_then(|t| t.positions.get(topic)).copied().unwrap_or_default()
    });
    positions.min().unwrap_or_default()
}

/// Records of heads and between stages that wait to be read; where offsets have gaps, these are among them while
/// anything moves.
pub fn lag(app: &App) -> Result<u64, String> {
    let reports = app.nodes.reports();
    let open = app.board.directive().intake == Intake::Open;
    let mut lag = 0;
    for stage in &app.manifest.stages {
        for (_, topic) in &stage.inputs {
            let flows = open || app.manifest.topics.get(topic).is_none_or(|t| !t.head);
            for shard in (0..app.manifest.partitions).map(Shard) {
                let report = reports.get(&shard);
                let task = report.and_then(|r| r.tasks.get(&stage.name));
                let next = task.and_then(|t| t.positions.get(topic)).copied().unwrap_or_default();
                let idle = report.is_some_and(|r| r.idle);
                // Whoever is idle has found nothing more; whoever is not will find something.
                let known = match task.is_some_and(|t| t.paused.is_none()) && flows {
                    true => Some(idle),
                    false => None,
                };
                lag += waiting(app, topic, shard, next, known)?;
            }
        }
    }
    Ok(lag)
}

/// `at_end`: whether all that lies behind `next` is known to be gaps; `None`: it is looked up.
fn waiting(app: &App, topic: &TopicName, shard: Shard, next: Offset, at_end: Option<bool>) -> Result<u64, String> {
    let look = || {
        let bounds = app.log.bounds(topic, shard)?;
        let next = next.max(bounds.start);
        if next >= bounds.end {
            return Ok(0);
        }
        let gaps = match at_end.filter(|_| !app.nature.gapless) {
            Some(known) => known,
            None => !app.nature.gapless && app.log.read(topic, shard, next, 1)?.is_empty(),
        };
        Ok(if gaps { 0 } else { bounds.end.0 - next.0 })
    };
    look().map_err(|e: LogError| e.to_string())
}

/// Nothing waits on any head.
pub fn heads_read(app: &App) -> Result<bool, String> {
    for topic in app.manifest.heads() {
        for shard in (0..app.manifest.partitions).map(Shard) {
            if waiting(app, topic, shard, taken_in(app, topic, shard), None)? > 0 {
                return Ok(false);
            }
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
