//! Topics and the records on them.

use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking, shape};
use crate::host::App;
use axum::Json;
use axum::extract::State;
use fermata_core::ports::TopicSpec;
use fermata_core::{Offset, Shard, TopicName};
use serde_json::{Value, json};

/// Records of one answer, unless the request says fewer.
const PAGE: usize = 100;
const MAX_PAGE: usize = 10_000;

pub async fn list(State(app): Shared) -> Answer<Json<Value>> {
    blocking(move || {
        let topics = app.topics()?;
        let all = topics
            .iter()
            .map(|spec| describe(&app, spec))
            .collect::<Answer<Vec<Value>>>()?;
        app.settle()?;
        Ok(Json(json!({ "topics": all })))
    })
    .await
}

pub async fn one(State(app): Shared, segments: Segments) -> Answer<Json<Value>> {
    blocking(move || {
        let found = describe(&app, &known(&app, segments.get("topic"))?)?;
        app.settle()?;
        Ok(Json(found))
    })
    .await
}

/// The topic of that name, or the nearest one as a hint.
pub fn known(app: &App, name: &str) -> Answer<TopicSpec> {
    let topics = app.topics()?;
    match topics.iter().find(|t| t.name.as_str() == name) {
        Some(spec) => Ok(spec.clone()),
        None => Err(Problem::missing("topic", name, topics.iter().map(|t| t.name.as_str()))),
    }
}

fn describe(app: &App, spec: &TopicSpec) -> Answer<Value> {
    let mut partitions = Vec::new();
    for shard in (0..spec.partitions).map(Shard) {
        let bounds = app.log.bounds(&spec.name, shard)?;
        partitions.push(json!({ "partition": shard.0, "start": bounds.start.0, "end": bounds.end.0 }));
    }
    let declared = app.manifest.topics.get(&spec.name);
    let names = |stages: Vec<&fermata_core::manifest::Stage>| -> Vec<String> {
        stages.iter().map(|s| s.name.to_string()).collect()
    };
    Ok(json!({
        "topic": spec.name,
        "partitions": partitions,
        "head": declared.is_some_and(|t| t.head),
        "key": declared.and_then(|t| t.key.clone()),
        "host": declared.is_none(),
        "written_by": names(app.manifest.writers(&spec.name).collect()),
        "read_by": names(app.manifest.readers(&spec.name).collect()),
    }))
}

/// Records of one partition, or of all of them one after another. `next` is where to go on in that partition.
pub async fn browse(State(app): Shared, segments: Segments, raw: request::Query) -> Answer<Json<Value>> {
    let query = request::query(&raw)?;
    let partition: Option<u32> = request::param(&query, "partition")?;
    let offset = Offset(request::param(&query, "offset")?.unwrap_or(0));
    let limit = request::param(&query, "limit")?.unwrap_or(PAGE).min(MAX_PAGE);
    blocking(move || {
        let spec = known(&app, segments.get("topic"))?;
        let shards: Vec<Shard> = match partition {
            None => (0..spec.partitions).map(Shard).collect(),
            Some(p) if p < spec.partitions => vec![Shard(p)],
            Some(p) => {
                let last = spec.partitions - 1;
                return Err(Problem::not_found(format!(
                    "{} has partitions 0 to {last}, not {p}",
                    spec.name
                )));
            }
        };
        let mut records = Vec::new();
        let mut next = serde_json::Map::new();
        for shard in shards {
            let (found, at) = read(&app, &spec.name, shard, offset, limit - records.len())?;
            records.extend(found);
            next.insert(shard.to_string(), at.0.into());
        }
        Ok(Json(json!({ "topic": spec.name, "records": records, "next": next })))
    })
    .await
}

/// What can be shown of a partition: only what is on disk, from the oldest kept on.
fn read(app: &App, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Answer<(Vec<Value>, Offset)> {
    let from = from.max(app.log.bounds(topic, shard)?.start);
    if limit == 0 {
        return Ok((Vec::new(), from));
    }
    let found = app.durable_records(topic, shard, from, limit)?;
    let next = found.last().map_or(from, |r| r.offset.next());
    Ok((found.iter().map(shape::record).collect(), next))
}
