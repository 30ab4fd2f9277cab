//! Dead letters. A letter's id is its own partition and offset in the dead letter topic.

use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking, shape};
use axum::Json;
use axum::extract::State;
use fermata_core::names::Purpose;
use fermata_core::{Offset, Shard};
use serde_json::{Value, json};

const PAGE: usize = 100;

pub async fn list(State(app): Shared, raw: request::Query) -> Answer<Json<Value>> {
    let query = request::query(&raw)?;
    let limit = request::param(&query, "limit")?.unwrap_or(PAGE);
    blocking(move || {
        let topic = Purpose::DeadLetters.topic(&app.manifest.name);
        let mut letters = Vec::new();
        let mut total = Some(0);
        for shard in (0..app.manifest.partitions).map(Shard) {
            let bounds = app.log.bounds(&topic, shard)?;
            let kept = app.counts.kept(&*app.log, &topic, shard)?;
            total = total.zip(kept).map(|(all, one): (u64, u64)| all + one);
            let room = limit.saturating_sub(letters.len());
            if room > 0 {
                letters.extend(app.durable_records(&topic, shard, bounds.start, room)?);
            }
        }
        letters.sort_by_key(|l| l.timestamp);
        let letters: Vec<Value> = letters.iter().map(shape::dead_letter).collect();
        Ok(Json(json!({ "total": total, "dead_letters": letters })))
    })
    .await
}

pub async fn one(State(app): Shared, segments: Segments) -> Answer<Json<Value>> {
    let (shard, offset) = (Shard(segments.number("partition")?), Offset(segments.number("offset")?));
    blocking(move || {
        let none = || Problem::not_found(format!("there is no dead letter {shard}/{offset}"));
        if shard.0 >= app.manifest.partitions {
            return Err(none());
        }
        let topic = Purpose::DeadLetters.topic(&app.manifest.name);
        let found = app.durable_records(&topic, shard, offset, 1)?;
        let letter = found.first().filter(|r| r.offset == offset).ok_or_else(none)?;
        Ok(Json(shape::dead_letter(letter)))
    })
    .await
}
