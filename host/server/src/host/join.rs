//! What the threads of the process do, step by step, and what they do while the log is away.

use super::threads::Outcome;
use super::weather::{Backoff, Weather};
use super::{App, HostSpec};
use crate::failure::Failure;
use crate::ground::{Standing, Unfit};
use fermata_core::Shard;
use fermata_core::codes;
use fermata_core::names::Purpose;
use fermata_core::ports::LogError;
use fermata_runtime::board::Board;
use fermata_runtime::control::Controller;
use fermata_runtime::worker::{Worker, WorkerError, WorkerSpec};
use std::sync::Arc;
use std::time::Duration;

/// The longest that a worker waits for records before it looks at its orders again.
const WORKER_WAIT: Duration = Duration::from_millis(20);
/// Waits between steps while the log is away.
const FIRST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(2);

/// One party to the log: says whether it is answered, and waits longer and longer while it is not.
struct Party {
    name: String,
    app: Arc<App>,
    backoff: Option<Backoff>,
}

impl Party {
    fn new(name: String, app: &Arc<App>) -> Self {
        Self {
            name,
            app: app.clone(),
            backoff: None,
        }
    }

    fn met(&mut self, away: Option<&str>) {
        let weather: &Weather = &self.app.weather;
        if away.is_some() || self.backoff.is_some() {
            weather.note(&self.name, away);
        }
        match away {
            None => self.backoff = None,
            Some(_) => {
                let backoff = self.backoff.get_or_insert_with(|| Backoff::new(FIRST, MOST));
                self.app.stop.wait(backoff.pause());
            }
        }
    }
}

pub fn control(app: &Arc<App>, mut controller: Controller) -> impl FnMut() -> Outcome + Send + 'static {
    let mut party = Party::new("the control plane".to_owned(), app);
    let wait = app.nature.control_wait;
    move || match controller.step(wait) {
        Ok(()) => {
            party.met(controller.away());
            Outcome::Again
        }
        Err(e) => Outcome::Failed(format!("{} {e}", e.code())),
    }
}

pub fn worker(spec: &HostSpec, standing: &Standing, board: &Arc<Board>, index: usize) -> Result<Worker, Unfit> {
    let joined = Worker::join(WorkerSpec {
        index,
        node: spec.node.name.clone(),
        manifest: spec.manifest.clone(),
        log: standing.log.clone(),
        store: standing.store.clone(),
        clock: spec.clock.clone(),
        board: board.clone(),
        engine_name: spec.executor.name().to_owned(),
        probe: spec.probe.clone(),
        batch: spec.batch,
    });
    joined.map_err(|error| match error {
        WorkerError::Log(LogError::Away(why)) => Unfit::Away(why),
        error => Failure::coded(codes::LOG_FAILED, format!("worker {index} cannot start: {error}")).into(),
    })
}

pub fn steps(app: &Arc<App>, index: usize, mut worker: Worker) -> impl FnMut() -> Outcome + Send + 'static {
    let mut party = Party::new(format!("worker {index}"), app);
    move || match worker.step(WORKER_WAIT) {
        Ok(_) => {
            party.met(worker.away());
            Outcome::Again
        }
        Err(WorkerError::Log(e @ LogError::Trimmed { .. })) => Outcome::Failed(format!(
            "{}: worker {index} stopped: {e}; records that it had not read yet were removed",
            codes::LOG_KAFKA_POSITION
        )),
        Err(e) => Outcome::Failed(format!("worker {index} stopped: {e}")),
    }
}

/// Asks the log something small, so that readiness knows of an absence that nobody else meets.
pub fn probe(app: &Arc<App>) -> impl FnMut() + Send + 'static {
    let app = app.clone();
    let topic = Purpose::Status.topic(&app.manifest.name);
    let mut told = app.peer_secret.is_some();
    move || {
        if !told && !app.nodes.live().is_empty() {
            told = true;
            tracing::warn!(
                "this is not the only instance, and auth.peer-secret is not set: instances ask each other nothing, and \
                 every view is partial. Set the same secret in fermata.toml of each"
            );
        }
        let away = match app.log.bounds(&topic, Shard(0)) {
            Err(LogError::Away(why)) => Some(why),
            // Whoever needs it meets any other error, and decides.
            Ok(_) | Err(_) => None,
        };
        app.weather.note("the probe", away.as_deref());
    }
}
