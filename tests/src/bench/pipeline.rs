//! The whole process, without its API, in a folder of its own.

use super::Outcome;
use super::load::Load;
use super::machine::Moment;
use fermata_core::NewRecord;
use fermata_core::manifest::{Manifest, parse};
use fermata_core::ports::{self, Artifacts, Executor, Probe};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_server::executor;
use fermata_server::host::artifacts::Files;
use fermata_server::host::{App, Host, HostSpec, figures, flow, watch};
use fermata_store::{Embedded, Options};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MANIFEST: &str = include_str!("../../../examples/payments/pipeline.toml");
/// Records appended in one commit where speed is not measured.
const PAGE: usize = 1_000;
const TAKE_IN: Duration = Duration::from_secs(600);
const AUTHOR: &str = "bench";
/// Between two looks at what has ended.
pub const LOOK: Duration = Duration::from_millis(5);
/// Nothing has ended for so long: nothing will.
const QUIET: Duration = Duration::from_millis(500);

/// What runs the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Wasm,
    Native,
}

/// A folder with the accounts funded, between two starts of the process.
pub struct Pipeline {
    pub manifest: Arc<Manifest>,
    folder: TempDir,
    executor: Arc<dyn Executor>,
    artifacts: Arc<dyn Artifacts>,
}

pub fn manifest() -> Outcome<Manifest> {
    Ok(parse::parse("pipeline.toml", MANIFEST)?)
}

impl Pipeline {
    pub fn new(kind: Kind) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("fermata-bench-").tempdir()?;
        let (executor, artifacts): (Arc<dyn Executor>, Arc<dyn Artifacts>) = match kind {
            Kind::Wasm => (
                Arc::new(executor::wasm()?),
                Arc::new(Files::open(folder.path(), folder.path())?),
            ),
            Kind::Native => (
                Arc::new(NativeExecutor::default()),
                Arc::new(NativeArtifacts::default()),
            ),
        };
        Ok(Self {
            manifest: Arc::new(manifest()?),
            folder,
            executor,
            artifacts,
        })
    }

    pub fn start(&self, probe: Arc<dyn Probe>) -> Outcome<Host> {
        let mut spec = HostSpec::new(
            self.manifest.clone(),
            MANIFEST.to_owned(),
            self.folder.path().to_owned(),
            self.executor.clone(),
            self.artifacts.clone(),
        );
        spec.probe = probe;
        Ok(Host::start(spec)?)
    }

    /// A process that has funded all accounts and takes payments in.
    pub fn funded(&self, load: &mut Load<'_>) -> Outcome<Host> {
        let host = self.start(Arc::new(ports::NoProbe))?;
        append(&*host.app.log, load.set_up()?)?;
        flow::take_in_and_drain(&host.app, AUTHOR, TAKE_IN)?;
        flow::resume(&host.app, AUTHOR)?;
        Ok(host)
    }

    /// Appends while no process runs.
    pub fn append_at_rest(&self, records: Vec<NewRecord>) -> Outcome<()> {
        append(&*self.at_rest()?, records)
    }

    /// The log and the state while no process runs.
    pub fn at_rest(&self) -> Outcome<Arc<Embedded>> {
        Ok(Embedded::open(self.folder.path(), Options::default())?)
    }
}

pub fn append(log: &dyn ports::Log, records: Vec<NewRecord>) -> Outcome<()> {
    let mut last = None;
    for page in records.chunks(PAGE) {
        last = Some(log.append(page.to_vec())?.commit);
    }
    if let Some(commit) = last {
        log.wait_durable(commit, TAKE_IN)?;
    }
    Ok(())
}

/// Waits until all heads are read and nothing ends any more. Answers when the last payment had ended durably.
pub fn last_end(app: &App) -> Outcome<(u64, Moment)> {
    let mut seen = (0, Moment::now()?);
    let deadline = Instant::now() + TAKE_IN;
    loop {
        std::thread::sleep(LOOK);
        if let Some(because) = app.failed() {
            return Err(because.into());
        }
        let ended = watch::latency(app).len();
        if ended != seen.0 {
            seen = (ended, Moment::now()?);
        } else if seen.1.at.elapsed() > QUIET && figures::heads_read(app)? {
            return Ok(seen);
        }
        if Instant::now() > deadline {
            return Err(format!("{ended} payments ended within {} s, and not all", TAKE_IN.as_secs()).into());
        }
    }
}

/// Calls into stages so far, by the counts that the journal carries.
pub fn stage_calls(app: &App) -> u64 {
    let reports = app.board.reports();
    let tasks = reports.values().flat_map(|r| r.tasks.values());
    tasks.map(|t| t.counts.processed).sum()
}

/// When a worker first had something in a batch.
#[derive(Default)]
pub struct FirstWork(OnceLock<Moment>);

impl FirstWork {
    pub fn moment(&self) -> Outcome<Moment> {
        Ok(*self.0.get().ok_or("no worker ever had anything to do")?)
    }
}

impl Probe for FirstWork {
    fn reached(&self, moment: ports::Moment) {
        let first = moment == ports::Moment::Append && self.0.get().is_none();
        if let (true, Ok(now)) = (first, Moment::now()) {
            // Of two workers that were first at once, one is.
            let _ = self.0.set(now);
        }
    }
}
