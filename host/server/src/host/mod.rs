//! The process: log, workers, control plane and API of one pipeline, put together.
//!
//! Everything is a thread with a name: one a worker, one for the controller, one that watches rates, and those of the
//! HTTP server. The first that cannot go on says why ([`Host::failed`]) and the process stops.

mod app;
pub mod artifacts;
pub(crate) mod bundles;
pub mod counts;
pub mod figures;
pub mod flow;
pub mod goals;
pub mod hold;
mod join;
mod patience;
pub mod peers;
pub mod persist;
pub mod status;
mod threads;
pub mod validators;
pub mod watch;
pub mod weather;

pub use app::App;
pub use patience::{Patience, away};

use crate::failure::{Exit, Failure};
use crate::ground::{Ground, Site, Standing, Unfit};
use crate::http::Api;
use fermata_core::codes;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Clock, Executor, LogError, NoProbe, Probe, SystemClock};
use fermata_runtime::artifacts::LogArtifacts;
use fermata_runtime::board::Board;
use fermata_runtime::control::{self, ControlError, Controller, ControllerSpec, Preparing};
use fermata_runtime::nodes::NodeSpec;
use fermata_runtime::nodes::report::farewell;
use fermata_runtime::views::{NoPeers, Peers};
use fermata_runtime::worker::BatchLimits;
use patience::{Impatience, patiently};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use threads::{Stop, Threads};

const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// Copy of the manifest kept in the data folder, for `verify --data-dir`.
pub const MANIFEST_COPY: &str = "pipeline.toml";

/// What to run, and on what.
pub struct HostSpec {
    pub manifest: Arc<Manifest>,
    /// The manifest as written.
    pub manifest_text: String,
    pub data_dir: PathBuf,
    pub workers: usize,
    /// Which instance of the pipeline this is. Whether there may be others, the ground knows.
    pub node: NodeSpec,
    /// What instances know each other by; without it none is asked or answered.
    pub peer_secret: Option<String>,
    /// `None`: no API.
    pub listener: Option<TcpListener>,
    pub executor: Arc<dyn Executor>,
    pub artifacts: Arc<dyn Artifacts>,
    pub clock: Arc<dyn Clock>,
    pub probe: Arc<dyn Probe>,
    /// The log, and where state is kept.
    pub ground: Ground,
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
            ground: Ground::default(),
            batch: BatchLimits::default(),
        }
    }
}

/// A running pipeline. Dropping it stops it.
pub struct Host {
    pub app: Arc<App>,
    threads: Threads,
    api: Option<Api>,
}

impl Host {
    pub fn start(spec: HostSpec) -> Result<Self, Failure> {
        Self::start_patiently(spec, &Impatience)
    }

    /// As [`Host::start`], where the log may be away. Meanwhile the API says that nothing is ready, and why.
    pub fn start_patiently(mut spec: HostSpec, patience: &dyn Patience) -> Result<Self, Failure> {
        let stop = Stop::default();
        let mut api = spec.listener.take().map(Api::open).transpose()?;
        if spec.node.address.is_none() {
            // Enough for instances on one machine; others are told by `node.advertise`.
            spec.node.address = api.as_ref().map(|api| format!("http://{}", api.address()));
        }
        let waiting = Waiting {
            patience,
            api: api.as_ref(),
            stop: &stop.clone(),
        };
        let Begun {
            standing,
            artifacts,
            board,
            controller,
        } = patiently(&waiting, || begin(&spec, &stop))?;
        spec.artifacts = artifacts;
        let app = Arc::new(App::new(&spec, &standing, board.clone(), &controller, stop.clone()));
        let mut threads = Threads::new(stop);
        threads.run("fermata-control", join::control(&app, controller))?;
        for index in 0..spec.workers {
            let worker = patiently(&waiting, || join::worker(&spec, &standing, &board, index))?;
            threads.run(&format!("fermata-worker-{index}"), join::steps(&app, index, worker))?;
        }
        let watched = app.clone();
        threads.every("fermata-watch", WATCH_INTERVAL, move || watched.watch.sample(&watched))?;
        if let Some(interval) = standing.nature.probe {
            threads.every("fermata-probe", interval, join::probe(&app))?;
        }
        if let Some(api) = &mut api {
            api.serve(app.clone())?;
        }
        Ok(Self { app, threads, api })
    }

    /// Where the API is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(Api::address)
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
        if let Some(api) = self.api.take() {
            api.end();
        }
        if self.threads.end() && self.app.nodes.shared() && self.app.failed().is_none() {
            self.say_farewell();
        }
    }
}

impl Host {
    /// The others need not wait until this instance is taken for gone.
    fn say_farewell(&self) {
        let app = &self.app;
        let word = farewell(&app.manifest.name, &app.nodes.own.name, app.clock.now().0);
        if let Err(error) = app.log.append(vec![word]) {
            tracing::debug!("no farewell: {error}");
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end();
    }
}

/// Why the control plane does not start, with its code said once.
fn refused(error: ControlError) -> Failure {
    let (code, said) = (error.code(), error.to_string());
    let exit = match &error {
        ControlError::Views(_) => Exit::Refused,
        _ => Exit::Failed,
    };
    Failure::new(code, exit, said.replace(&format!("{code} "), ""))
}

/// What a start makes first; all of it again when the log goes away in the middle.
struct Begun {
    standing: Standing,
    /// Those of the process, and where others may need them, those on the log.
    artifacts: Arc<dyn Artifacts>,
    board: Arc<Board>,
    controller: Controller,
}

fn begin(spec: &HostSpec, stop: &Stop) -> Result<Begun, Unfit> {
    let fatal = stop.clone();
    let standing = spec.ground.open(&Site {
        manifest: &spec.manifest,
        node: &spec.node.name,
        workers: spec.workers,
        data_dir: &spec.data_dir,
        fatal: Arc::new(move |because| fatal.fail(format!("the log failed: {because}"))),
    })?;
    keep_manifest(spec)?;
    standing.log.ensure(&standing.topics)?;
    let artifacts: Arc<dyn Artifacts> = match standing.shared {
        true => Arc::new(LogArtifacts::new(
            spec.artifacts.clone(),
            standing.log.clone(),
            &spec.manifest.name,
        )),
        false => spec.artifacts.clone(),
    };
    let node = NodeSpec {
        shared: standing.shared,
        standby: standing.standby.clone(),
        ..spec.node.clone()
    };
    let started = control::start(ControllerSpec {
        manifest: spec.manifest.clone(),
        log: standing.log.clone(),
        store: standing.store.clone(),
        clock: spec.clock.clone(),
        executor: spec.executor.clone(),
        artifacts: artifacts.clone(),
        probe: spec.probe.clone(),
        preparing: Preparing::Background,
        node,
        peers: peers(spec),
    });
    let (board, controller) = started.map_err(|error| match error {
        ControlError::Log(LogError::Away(why)) => Unfit::Away(why),
        error => refused(error).into(),
    })?;
    Ok(Begun {
        standing,
        artifacts,
        board,
        controller,
    })
}

/// How other instances are asked.
fn peers(spec: &HostSpec) -> Arc<dyn Peers> {
    match &spec.peer_secret {
        Some(secret) => Arc::new(peers::HttpPeers::new(secret)),
        None => Arc::new(NoPeers),
    }
}

/// Whose patience it is, and where else is said what is waited for.
struct Waiting<'a> {
    patience: &'a dyn Patience,
    api: Option<&'a Api>,
    stop: &'a Stop,
}

impl Patience for Waiting<'_> {
    fn wait(&self, why: &str, pause: Duration) -> bool {
        if let Some(api) = self.api {
            api.wait(why);
        }
        !self.stop.asked() && self.patience.wait(why, pause)
    }
}

fn keep_manifest(spec: &HostSpec) -> Result<(), Failure> {
    let path = spec.data_dir.join(MANIFEST_COPY);
    std::fs::write(&path, &spec.manifest_text)
        .map_err(|e| Failure::failed(codes::LOG_FAILED, format!("cannot write {}: {e}", path.display())))
}
