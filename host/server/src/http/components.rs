//! Components that were uploaded or are kept already.

use super::problem::{Answer, Problem};
use super::request::{self, Segments};
use super::{Shared, blocking};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fermata_core::{Digest, codes};
use serde_json::{Value, json};

/// `\0asm`, then version and layer: a component, not a module.
const COMPONENT_MAGIC: &[u8] = b"\0asm\x0d\0\x01\0";

pub async fn upload(State(app): Shared, body: Result<Bytes, BytesRejection>) -> Answer {
    let bytes = request::body(body)?;
    if !bytes.starts_with(COMPONENT_MAGIC) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            codes::COMPONENT_FORMAT,
            "the body is not a WebAssembly component",
        )
        .help("a core module becomes a component with `wasm-tools component new`; native libraries cannot run here"));
    }
    blocking(move || {
        let artifact = app.artifacts.put(bytes)?;
        let location = format!("/api/v1/components/sha256:{}", artifact.digest.full());
        let body = Json(json!({
            "component": format!("sha256:{}", artifact.digest.full()),
            "digest": artifact.digest.full(),
            "bytes": artifact.bytes.len(),
        }));
        let response: Response = (StatusCode::CREATED, [(header::LOCATION, location)], body).into_response();
        Ok(response)
    })
    .await
}

pub async fn one(State(app): Shared, segments: Segments) -> Answer<Json<Value>> {
    let text = segments.get("digest").to_owned();
    let hex = text.strip_prefix("sha256:").unwrap_or(&text).to_owned();
    let digest = Digest::try_from(hex).map_err(|e| Problem::not_found(e.to_string()))?;
    blocking(move || {
        let artifact = app.artifacts.get(&digest)?;
        let uses = app.fold();
        let stages: Vec<&str> = uses
            .stages
            .iter()
            .filter(|(_, live)| live.version.component == digest)
            .map(|(name, _)| name.as_str())
            .collect();
        Ok(Json(
            json!({ "digest": digest.full(), "bytes": artifact.bytes.len(), "live_in": stages }),
        ))
    })
    .await
}
