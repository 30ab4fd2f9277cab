//! What was deployed, and the proofs.

use super::problem::{Answer, Problem};
use super::request::Segments;
use super::{Shared, blocking, shape};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

pub async fn list(State(app): Shared) -> Json<Value> {
    let fold = app.fold();
    let all: Vec<Value> = fold.deployments.values().map(|d| shape::deployment(&app, d)).collect();
    Json(json!({ "deployments": all }))
}

pub async fn one(State(app): Shared, segments: Segments) -> Answer<Json<Value>> {
    let number: u64 = segments.number("number")?;
    match app.fold().deployments.get(&number) {
        Some(deployment) => Ok(Json(shape::deployment(&app, deployment))),
        None => Err(Problem::not_found(format!("there is no deployment {number}"))),
    }
}

/// Read from the journals: what is shown is on disk.
pub async fn receipts(State(app): Shared, segments: Segments) -> Answer<Json<Value>> {
    let number: u64 = segments.number("number")?;
    blocking(move || match app.control.receipts(number)? {
        None => Err(Problem::not_found(format!("there is no deployment {number}"))),
        Some(found) => {
            let receipts: Value = found.iter().map(shape::receipt).collect();
            Ok(Json(
                json!({ "deployment": number, "shards": app.manifest.partitions, "receipts": receipts }),
            ))
        }
    })
    .await
}
