//! The API and its server. Handlers read the fold and append commands; they never touch a worker.

mod commands;
mod components;
mod deployments;
mod dlq;
mod errors;
mod health;
mod index;
mod intake;
mod internal;
mod metrics;
mod nodes;
mod parked;
mod pipelines;
pub mod problem;
mod request;
mod server;
mod shape;
mod topics;
mod views;

pub use server::Api;

use crate::failure::{Exit, Failure};
use crate::host::App;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fermata_core::codes;
use problem::Problem;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// Bytes of a request's body.
pub const MAX_BODY: usize = 64 << 20;

const PIPELINES: &str = "/api/v1/pipelines";

type Shared = State<Arc<App>>;

/// Takes the address, or says why not.
pub fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    if !listen.ip().is_loopback() {
        return Err(Failure::new(
            codes::HTTP_LISTEN,
            Exit::Refused,
            format!("{listen} is not a loopback address, and there are no access rights yet"),
        )
        .help("listen on 127.0.0.1 or [::1] and put a proxy with authentication in front"));
    }
    let listener = TcpListener::bind(listen).map_err(|e| {
        Failure::new(
            codes::HTTP_LISTEN,
            Exit::Failed,
            format!("cannot listen on {listen}: {e}"),
        )
        .help(format!(
            "another process may hold the port; choose one with --listen {}:0",
            listen.ip()
        ))
    })?;
    listener
        .set_nonblocking(true)
        .map_err(|e| Failure::failed(codes::HTTP_LISTEN, format!("cannot use {listen}: {e}")))?;
    Ok(listener)
}

pub fn router(app: Arc<App>) -> Router {
    let mut pipeline = Router::new();
    for (path, methods) in [
        ("", get(pipelines::one)),
        ("/status", get(pipelines::status)),
        ("/manifest", get(pipelines::manifest)),
        ("/stages", get(pipelines::stages)),
        ("/pause", post(commands::pause)),
        ("/resume", post(commands::resume)),
        ("/drain", post(commands::drain)),
        ("/commands/{id}", get(commands::outcome)),
        ("/stages/{stage}/deployments", post(commands::deploy)),
        ("/stages/{stage}/rollback", post(commands::rollback)),
        ("/deployments", get(deployments::list)),
        ("/deployments/{number}", get(deployments::one)),
        ("/deployments/{number}/receipts", get(deployments::receipts)),
        ("/views", get(views::list)),
        ("/views/{view}", get(views::whole)),
        ("/views/{view}/{key}", get(views::keyed)),
        ("/topics", get(topics::list)),
        ("/topics/{topic}", get(topics::one)),
        ("/topics/{topic}/records", get(topics::browse).post(intake::produce)),
        ("/dlq", get(dlq::list)),
        ("/dlq/{partition}/{offset}", get(dlq::one)),
        ("/parked", get(parked::list)),
        ("/parked/release", get(parked::called_release).post(parked::release)),
        ("/parked/skip", get(parked::called_skip).post(parked::skip)),
        ("/parked/{key}", get(parked::one)),
        ("/shards", get(nodes::shards)),
        ("/verifications", post(pipelines::verify)),
    ] {
        pipeline = pipeline.route(&format!("{PIPELINES}/{{pipeline}}{path}"), methods);
    }
    let pipeline = pipeline.route_layer(middleware::from_fn_with_state(app.clone(), known_pipeline));
    Router::new()
        .route("/", get(index::page))
        .route("/healthz", get(health::live))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/version", get(health::version))
        .route("/metrics", get(metrics::text))
        .route(PIPELINES, get(pipelines::list))
        .merge(pipeline)
        .route("/api/v1/nodes", get(nodes::list))
        .route("/api/v1/nodes/{node}/evacuate", post(nodes::evacuate))
        .route(crate::host::peers::PATH, post(internal::views))
        .route("/api/v1/errors/{code}", get(errors::page))
        .route("/api/v1/components", post(components::upload))
        .route("/api/v1/components/{digest}", get(components::one))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(local_host_only))
        .with_state(app)
}

async fn nothing_here(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at {}", request.uri().path()))
}

async fn wrong_method(method: Method, request: Request) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        codes::HTTP_METHOD,
        format!("{} does not take {method}", request.uri().path()),
    )
}

/// One process serves one pipeline; its name in the path must be right.
async fn known_pipeline(State(app): Shared, request: Request, next: Next) -> Response {
    let own = app.manifest.name.as_str();
    let rest = request.uri().path().strip_prefix(PIPELINES).unwrap_or_default();
    let asked = rest.trim_start_matches('/').split('/').next().unwrap_or_default();
    if asked == own {
        return next.run(request).await;
    }
    Problem::missing("pipeline", asked, [own]).into_response()
}

/// A page of another site must not reach this API through a name that it makes resolve to this machine.
async fn local_host_only(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get("host")
        .and_then(|h| h.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) {
            name
        } else {
            host
        }
    });
    let local = matches!(name, "" | "localhost" | "127.0.0.1" | "[::1]")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if local {
        return next.run(request).await;
    }
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        codes::HTTP_BAD_REQUEST,
        format!("this server answers on loopback names only, not as {host:?}"),
    )
    .into_response()
}

/// Runs what blocks (log, views, verify) away from the threads that answer.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> problem::Answer<T> + Send + 'static) -> problem::Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(_) => Err(Problem::unavailable("the request was given up: the server is stopping")),
    }
}
