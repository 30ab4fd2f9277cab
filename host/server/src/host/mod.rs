//! The process: log, workers, control plane and API of one pipeline, put together.
//!
//! Everything is a thread with a name: one a worker, one for the controller, one that watches rates, and those of the
//! HTTP server. The first that cannot go on says why ([`Host::failed`]) and the process stops.

mod app;
pub mod artifacts;
pub(crate) mod bundles;
pub mod figures;
pub mod flow;
pub mod goals;
pub mod hold;
pub mod peers;
pub mod persist;
pub mod status;
mod threads;
pub mod validators;
pub mod watch;

pub use app::App;

use crate::failure::{Exit, Failure};
use crate::http;
use fermata_core::codes;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Clock, Executor, Log, LogError, NoProbe, Probe, StateStore, SystemClock};
use fermata_runtime::control::{self, ControlError, ControllerSpec, Preparing};
use fermata_runtime::nodes::{self, NodeSpec};
use fermata_runtime::views::{NoPeers, Peers};
use fermata_runtime::worker::{self, BatchLimits, Worker, WorkerSpec};
use fermata_store::{Embedded, Options};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use threads::{Outcome, Stop, Threads};

/// The longest that a worker waits for records before it looks at its orders again.
const WORKER_WAIT: Duration = Duration::from_millis(20);
const CONTROL_WAIT: Duration = Duration::from_millis(5);
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// Requests under way get this long when the process stops.
const HTTP_GRACE: Duration = Duration::from_secs(2);

/// Copy of the manifest kept in the data folder, for `verify --data-dir`.
pub const MANIFEST_COPY: &str = "pipeline.toml";

/// What to run, and on what.
pub struct HostSpec {
    pub manifest: Arc<Manifest>,
    /// The manifest as written.
    pub manifest_text: String,
    pub data_dir: PathBuf,
    pub workers: usize,
    /// Which instance of the pipeline this is; [`NodeSpec::alone`] by default.
    pub node: NodeSpec,
    /// What instances of the pipeline know each other by; without it, others are neither asked nor answered.
    pub peer_secret: Option<String>,
    /// `None`: no API.
    pub listener: Option<TcpListener>,
    pub executor: Arc<dyn Executor>,
    pub artifacts: Arc<dyn Artifacts>,
    pub clock: Arc<dyn Clock>,
    pub probe: Arc<dyn Probe>,
    /// Sizes of the store, and the hook between a commit and the disk.
    pub store: Options,
    pub batch: BatchLimits,
}

impl HostSpec {
    /// Two workers, no API, the machine's clock.
    pub fn new(
        manifest: Arc<Manifest>,
        manifest_text: String,
        data_dir: PathBuf,
        executor: Arc<dyn Executor>,
        artifacts: Arc<dyn Artifacts>,
    ) -> Self {
        Self {
            manifest,
            manifest_text,
            data_dir,
            workers: 2,
            node: NodeSpec::alone(),
            peer_secret: None,
            listener: None,
            executor,
            artifacts,
            clock: Arc::new(SystemClock::default()),
            probe: Arc::new(NoProbe),
            store: Options::default(),
            batch: BatchLimits::default(),
        }
    }
}

/// A running pipeline. Dropping it stops it.
pub struct Host {
    pub app: Arc<App>,
    address: Option<SocketAddr>,
    threads: Threads,
    http: Option<tokio::runtime::Runtime>,
}

impl Host {
    pub fn start(spec: HostSpec) -> Result<Self, Failure> {
        let stop = Stop::default();
        let mut options = spec.store.clone();
        let fatal = stop.clone();
        let told = options.on_fatal.take();
        options.on_fatal = Some(Arc::new(move |because| {
            fatal.fail(format!("the log failed: {because}"));
            if let Some(told) = &told {
                told(because);
            }
        }));
        let embedded = open(&spec.data_dir, options)?;
        keep_manifest(&spec)?;
        let log: Arc<dyn Log> = embedded.clone();
        let store: Arc<dyn StateStore> = embedded;
        log.ensure(&worker::topics(&spec.manifest))?;
        if spec.node.shared {
            log.ensure(&nodes::topics(&spec.manifest.name))?;
        }
        let (board, controller) = control::start(ControllerSpec {
            manifest: spec.manifest.clone(),
            log: log.clone(),
            store: store.clone(),
            clock: spec.clock.clone(),
            executor: spec.executor.clone(),
            artifacts: spec.artifacts.clone(),
            probe: spec.probe.clone(),
            preparing: Preparing::Background,
            node: spec.node.clone(),
            peers: peers(&spec),
        })
        .map_err(refused)?;
        let app = Arc::new(App::new(
            &spec,
            log.clone(),
            store.clone(),
            board.clone(),
            &controller,
            stop.clone(),
        ));
        let mut threads = Threads::new(stop);
        let mut controller = controller;
        threads.run("fermata-control", move || match controller.step(CONTROL_WAIT) {
            Ok(()) => Outcome::Again,
            Err(e) => Outcome::Failed(e.to_string()),
        })?;
        for index in 0..spec.workers {
            let spec = WorkerSpec {
                index,
                node: spec.node.name.clone(),
                manifest: spec.manifest.clone(),
                log: log.clone(),
                store: store.clone(),
                clock: spec.clock.clone(),
                board: board.clone(),
                engine_name: spec.executor.name().to_owned(),
                probe: spec.probe.clone(),
                batch: spec.batch,
            };
            let mut worker = Worker::join(spec)
                .map_err(|e| Failure::failed(codes::LOG_FAILED, format!("worker {index} cannot start: {e}")))?;
            threads.run(&format!("fermata-worker-{index}"), move || {
                match worker.step(WORKER_WAIT) {
                    Ok(_) => Outcome::Again,
                    Err(e) => Outcome::Failed(format!("worker {index} stopped: {e}")),
                }
            })?;
        }
        let watched = app.clone();
        threads.every("fermata-watch", WATCH_INTERVAL, move || watched.watch.sample(&watched))?;
        let mut host = Self {
            app,
            address: None,
            threads,
            http: None,
        };
        if let Some(listener) = spec.listener {
            host.serve(listener)?;
        }
        Ok(host)
    }

    fn serve(&mut self, listener: TcpListener) -> Result<(), Failure> {
        let failed = |e: std::io::Error| Failure::failed(codes::HTTP_LISTEN, format!("the API cannot start: {e}"));
        self.address = Some(listener.local_addr().map_err(failed)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fermata-http")
            .enable_all()
            .build()
            .map_err(failed)?;
        let router = http::router(self.app.clone());
        let stop = self.app.stop.clone();
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        runtime.spawn(async move {
            if let Err(e) = axum::serve(listener, router).await {
                stop.fail(format!("the API stopped: {e}"));
            }
        });
        self.http = Some(runtime);
        Ok(())
    }

    /// Where the API is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Why the process should stop, if it should.
    pub fn failed(&self) -> Option<String> {
        self.app.failed()
    }

    /// Waits until something failed, or `max_wait` has passed.
    pub fn wait_failed(&self, max_wait: Duration) -> Option<String> {
        self.app.stop.wait(max_wait);
        self.failed()
    }

    /// Ends after the batches under way. The error is what failed before or while stopping.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.end();
        match self.app.failed() {
            None => Ok(()),
            Some(because) => Err(Failure::failed(codes::LOG_FAILED, because)),
        }
    }

    fn end(&mut self) {
        if let Some(http) = self.http.take() {
            http.shutdown_timeout(HTTP_GRACE);
        }
        self.threads.end();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end();
    }
}

/// How other instances are asked.
fn peers(spec: &HostSpec) -> Arc<dyn Peers> {
    match &spec.peer_secret {
        Some(secret) => Arc::new(peers::HttpPeers::new(secret)),
        None => Arc::new(NoPeers),
    }
}

/// Why the control plane does not start, with its code said once.
fn refused(error: ControlError) -> Failure {
    let (code, said) = (error.code(), error.to_string());
    Failure::new(code, Exit::Failed, said.replace(&format!("{code} "), ""))
}

/// Opens the folder, with the code that says what is the matter.
pub fn open(data_dir: &std::path::Path, options: Options) -> Result<Arc<Embedded>, Failure> {
    Embedded::open(data_dir, options).map_err(|error| match &error {
        LogError::Fatal(found) if found.contains(codes::LOG_LOCKED) => Failure::new(
            codes::LOG_LOCKED,
            Exit::Refused,
            format!("{} is in use by another process", data_dir.display()),
        )
        .help("stop that process, or choose another folder with --data-dir"),
        _ => Failure::from(error),
    })
}

fn keep_manifest(spec: &HostSpec) -> Result<(), Failure> {
    let path = spec.data_dir.join(MANIFEST_COPY);
    std::fs::write(&path, &spec.manifest_text)
        .map_err(|e| Failure::failed(codes::LOG_FAILED, format!("cannot write {}: {e}", path.display())))
}
