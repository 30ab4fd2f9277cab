//! What instances of one pipeline ask each other. Not a part of the API: it may change with every version.

use super::problem::{Answer, Problem};
use super::request;
use super::{Shared, blocking};
use crate::host::peers;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use fermata_core::{Digest, codes};
use fermata_runtime::views::{Question, Reply};

/// The parts of a view for shards that are held here.
pub async fn views(State(app): Shared, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Answer<Json<Reply>> {
    let refused = |detail: &str| Problem::new(StatusCode::FORBIDDEN, codes::HTTP_BAD_REQUEST, detail);
    let Some(secret) = &app.peer_secret else {
        return Err(refused(
            "this instance takes no questions of others: it has no peer secret",
        ));
    };
    let given = request::header(&headers, peers::SECRET)?.unwrap_or_default();
    // Digests, so that the time of the comparison says nothing of the secret.
    if Digest::of(given.as_bytes()) != Digest::of(secret.as_bytes()) {
        return Err(refused("the peer secret is not the one of this instance"));
    }
    let question: Question = request::json(&request::body(body)?)?;
    blocking(move || Ok(Json(app.views.parts(&question)))).await
}
