//! The server's socket and threads. Before there is a pipeline it says that there is none yet, and why.

use super::problem::{Answer, Problem};
use super::{health, router};
use crate::failure::Failure;
use crate::host::App;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use fermata_core::codes;
use parking_lot::Mutex;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Requests under way get this long when the process stops.
const GRACE: Duration = Duration::from_secs(2);

pub struct Api {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    waiting: Mutex<Option<Waiting>>,
}

/// The server of a process that has no pipeline yet.
struct Waiting {
    why: Arc<Mutex<String>>,
    /// Dropped, it ends that server.
    _end: oneshot::Sender<()>,
}

fn failed(error: std::io::Error) -> Failure {
    Failure::failed(codes::HTTP_LISTEN, format!("the API cannot start: {error}"))
}

impl Api {
    /// Nobody is answered before [`Api::wait`] or [`Api::serve`].
    pub fn open(listener: TcpListener) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fermata-http")
            .enable_all()
            .build()
            .map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            runtime,
            listener,
            waiting: Mutex::default(),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn listener(&self) -> Result<tokio::net::TcpListener, Failure> {
        let listener = self.listener.try_clone().map_err(failed)?;
        let _inside = self.runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(failed)
    }

    /// Answers from now on that the pipeline has not started, because of `why`.
    pub fn wait(&self, why: &str) {
        let mut waiting = self.waiting.lock();
        if let Some(waiting) = &*waiting {
            why.clone_into(&mut waiting.why.lock());
            return;
        }
        // Without it the process waits all the same: only nobody is told over HTTP.
        let Ok(listener) = self.listener() else { return };
        let why = Arc::new(Mutex::new(why.to_owned()));
        let (end, ended) = oneshot::channel();
        let server = axum::serve(listener, not_yet(why.clone())).with_graceful_shutdown(async {
            // The sender only ever goes away.
            let _ = ended.await;
        });
        self.runtime.spawn(async {
            if let Err(e) = server.await {
                tracing::warn!("nobody can be told that the pipeline has not started: {e}");
            }
        });
        *waiting = Some(Waiting { why, _end: end });
    }

    /// Answers for the pipeline from now on.
    pub fn serve(&mut self, app: Arc<App>) -> Result<(), Failure> {
        let listener = self.listener()?;
        *self.waiting.lock() = None;
        self.runtime.spawn(async move {
            if let Err(e) = axum::serve(listener, router(app.clone())).await {
                app.fail(format!("the API stopped: {e}"));
            }
        });
        Ok(())
    }

    pub fn end(self) {
        self.runtime.shutdown_timeout(GRACE);
    }
}

fn not_yet(why: Arc<Mutex<String>>) -> Router {
    Router::new()
        .route("/healthz", get(health::live))
        .route("/livez", get(health::live))
        .route("/version", get(health::version))
        .fallback(nothing_yet)
        .with_state(why)
}

async fn nothing_yet(State(why): State<Arc<Mutex<String>>>) -> Answer {
    let found = format!(
        "the pipeline has not started: the log cannot be reached: {}",
        why.lock()
    );
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, codes::LOG_AWAY, found))
}
