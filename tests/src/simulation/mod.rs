//! Workers on the simulated log and clock, driven by one seed: kills, moves, zombies, aborted and unanswered commits,
//! swaps and time-outs, with the payments' invariants checked at every step.

mod checks;
mod load;

pub use checks::{Checks, Violation};

use crate::simulated::{Faults, Injected, Mode, Simulated};
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Executor, Log, NoProbe, StateStore, Version};
use fermata_core::{Shard, StageName, names};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_runtime::board::{Board, Directive, Intake, StageDirective};
use fermata_runtime::control::config_json;
use fermata_runtime::views::Views;
use fermata_runtime::worker::{BatchLimits, Worker, WorkerSpec, topics};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What one run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub faults: Faults,
    /// Actions before the end is sought.
    pub steps: u32,
    pub workers: usize,
    /// Payments sent at random moments.
    pub payments: u32,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let workers = 1 + (seed % 3) as usize;
        Self {
            seed,
            faults: Faults::HARSH,
            steps: 300,
            workers,
            payments: 40,
        }
    }
}

/// What a run did, to show that it did something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ran {
    pub commits: u64,
    pub kills: u64,
    pub swaps: u64,
    pub accepted: u64,
    pub confirmed: u64,
    pub failed: u64,
    pub rejected: u64,
    pub dead: u64,
    pub skipped: u64,
    pub timers: u64,
    pub injected: Injected,
}

pub struct Simulation {
    plan: Plan,
    rng: ChaCha8Rng,
    manifest: Arc<Manifest>,
    log: Simulated,
    board: Arc<Board>,
    views: Views,
    workers: Vec<Option<Worker>>,
    /// The two versions of each stage.
    versions: BTreeMap<StageName, [Arc<dyn Version>; 2]>,
    load: load::Load,
    pub checks: Checks,
    ran: Ran,
    deployments: u64,
}

/// The pipeline that the repository ships, as the simulation runs it.
pub fn manifest() -> Manifest {
    let text = include_str!("../../../examples/payments/pipeline.toml");
    fermata_core::manifest::parse::parse("examples/payments/pipeline.toml", text)
        .expect("the shipped manifest is valid")
}

impl Simulation {
    pub fn new(plan: Plan) -> Self {
        Self::with(plan, manifest())
    }

    pub fn with(plan: Plan, manifest: Manifest) -> Self {
        let manifest = Arc::new(manifest);
        let log = Simulated::new(plan.seed, Mode::Kafka, Faults::NONE);
        log.ensure(&topics(&manifest)).expect("no faults yet");
        let (executor, artifacts) = (NativeExecutor::default(), NativeArtifacts::default());
        let mut versions = BTreeMap::new();
        let mut stages = BTreeMap::new();
        for stage in &manifest.stages {
            let prepare = |minor: u32| {
                let artifact = artifacts
                    .resolve(&format!("builtin:{}@1.{minor}.0", stage.name))
                    .expect("registered");
                executor
                    .prepare(&artifact, &config_json(stage), &stage.limits)
                    .expect("the shipped stages are whole")
            };
            let both = [prepare(0), prepare(1)];
            let directive = StageDirective {
                version: both[0].clone(),
                config_json: config_json(stage),
                deployment: 0,
                rollback: false,
                second_opinion: None,
            };
            stages.insert(stage.name.clone(), directive);
            versions.insert(stage.name.clone(), both);
        }
        let first = Directive {
            epoch: 1,
            intake: Intake::Open,
            draining: false,
            stages,
        };
        let board = Arc::new(Board::new(first));
        let views = Views::new(
            manifest.clone(),
            Arc::new(log.clone()),
            Arc::new(log.clone()),
            board.clone(),
        );
        let rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let mut simulation = Self {
            load: load::Load::new(plan.seed, plan.payments),
            checks: Checks::new(manifest.clone()),
            workers: (0..plan.workers).map(|_| None).collect(),
            ran: Ran::default(),
            deployments: 0,
            plan,
            rng,
            manifest,
            log,
            board,
            views,
            versions,
        };
        for index in 0..simulation.plan.workers {
            simulation.start(index);
        }
        simulation
    }

    pub fn log(&self) -> &Simulated {
        &self.log
    }
    pub fn manifest(&self) -> Arc<Manifest> {
        self.manifest.clone()
    }
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// Runs the whole plan: the storm, then the calm, then the sums.
    pub fn run(mut self) -> Result<Ran, Violation> {
        self.load.fund(&self.log, &self.manifest);
        self.calm("funding")?;
        self.log.set_faults(self.plan.faults);
        for _ in 0..self.plan.steps {
            self.act()?;
            self.check()?;
        }
        self.log.set_faults(Faults::NONE);
        self.load.send_rest(&self.log, &self.manifest);
        self.calm("the end")?;
        self.checks.drained(&self.log, &self.views)?;
        let counted = self.checks.counted();
        self.ran.accepted = counted.accepted;
        self.ran.confirmed = counted.confirmed;
        self.ran.failed = counted.failed;
        self.ran.rejected = counted.rejected;
        self.ran.dead = counted.dead;
        for report in self.board.reports().values() {
            for task in report.tasks.values() {
                self.ran.skipped += task.counts.skipped;
                self.ran.timers += task.counts.timers;
            }
        }
        self.ran.commits = self.log.committed().0;
        self.ran.injected = self.log.injected();
        Ok(self.ran)
    }

    fn start(&mut self, index: usize) {
        let spec = WorkerSpec {
            index,
            node: "sim".into(),
            manifest: self.manifest.clone(),
            log: Arc::new(self.log.clone()),
            store: Arc::new(self.log.clone()) as Arc<dyn StateStore>,
            clock: self.log.clock(),
            board: self.board.clone(),
            engine_name: "native".into(),
            probe: Arc::new(NoProbe),
            // Small batches: more commits, more boundaries.
            batch: BatchLimits {
                records: self.rng.random_range(1..8),
                time: Duration::from_millis(10),
            },
        };
        // The log may be away: the worker is started again later.
        self.workers[index] = Worker::join(spec).ok();
    }

    fn act(&mut self) -> Result<(), Violation> {
        let group = names::group(&self.manifest.name);
        let index = self.rng.random_range(0..self.workers.len());
        let shard = Shard(self.rng.random_range(0..self.manifest.partitions));
        match self.rng.random_range(0..1_000) {
            0..=14 => {
                // Killed: no goodbye, its transaction stays open.
                if self.workers[index].is_some() {
                    self.log.kill_session(&group, &format!("sim.{index}"));
                    self.workers[index] = None;
                    self.ran.kills += 1;
                }
            }
            15..=29 => {
                let to = format!("sim.{index}");
                self.log.move_shard(&group, shard, &to);
            }
            30..=37 => {
                self.log.make_zombie(&group, shard);
            }
            38..=45 => {
                self.log.lose_shard(&group, shard);
            }
            46..=69 => self.swap(),
            70..=79 => self.publish(|d| {
                d.intake = if d.intake == Intake::Open {
                    Intake::Closed
                } else {
                    Intake::Open
                };
            }),
            80..=219 => self.load.send_one(&mut self.rng, &self.log, &self.manifest),
            220..=349 => self
                .log
                .clock()
                .advance(Duration::from_millis(self.rng.random_range(1..120))),
            350..=359 => self
                .log
                .clock()
                .advance(Duration::from_secs(self.rng.random_range(1..40))),
            360..=399 => {
                if self.workers[index].is_none() {
                    self.start(index);
                }
            }
            _ => self.step(index)?,
        }
        Ok(())
    }

    fn step(&mut self, index: usize) -> Result<(), Violation> {
        let Some(worker) = self.workers[index].as_mut() else {
            return Ok(());
        };
        match worker.step(Duration::ZERO) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.violation(format!("worker {index} failed: {error}"))),
        }
    }

    fn swap(&mut self) {
        let stages: Vec<_> = self.versions.keys().cloned().collect();
        let stage = stages[self.rng.random_range(0..stages.len())].clone();
        let minor = self.rng.random_range(0..2);
        let watched = self.rng.random_bool(0.5);
        let [old, new] = [&self.versions[&stage][1 - minor], &self.versions[&stage][minor]].map(Arc::clone);
        if self.board.directive().stages[&stage].version.id() == new.id() {
            return;
        }
        self.deployments += 1;
        let deployment = self.deployments;
        self.ran.swaps += 1;
        self.publish(|directive| {
            let entry = directive.stages.get_mut(&stage).expect("every stage is there");
            entry.version = new.clone();
            entry.deployment = deployment;
            entry.rollback = minor == 0;
            entry.second_opinion = watched.then(|| old.clone());
        });
    }

    fn publish(&mut self, change: impl FnOnce(&mut Directive)) {
        let mut next = (*self.board.directive()).clone();
        next.epoch += 1;
        change(&mut next);
        self.board.publish(next);
    }

    fn check(&mut self) -> Result<(), Violation> {
        let found = self.checks.step(&self.log, &self.views);
        found.map_err(|v| self.violation(v.what))
    }

    /// Everybody lives, nothing is refused, and time goes on until nothing moves and nothing is in flight.
    fn calm(&mut self, why: &str) -> Result<(), Violation> {
        self.publish(|d| d.intake = Intake::Open);
        let mut quiet = 0;
        for _ in 0..4_000 {
            for index in 0..self.workers.len() {
                if self.workers[index].is_none() {
                    self.start(index);
                }
                self.step(index)?;
            }
            self.check()?;
            let idle = self.at_rest();
            quiet = if idle { quiet + 1 } else { 0 };
            if quiet > 3 {
                return Ok(());
            }
            let pace = if idle { 500 } else { 20 };
            self.log.clock().advance(Duration::from_millis(pace));
        }
        let in_flight = self
            .views
            .query("inflight", None, serde_json::json!({}))
            .map(|a| a.data);
        let owners = self.log.owners(&names::group(&self.manifest.name));
        let held: Vec<Vec<Shard>> = self.workers.iter().flatten().map(|w| w.shards().collect()).collect();
        let idle: Vec<_> = self
            .board
            .reports()
            .iter()
            .map(|(s, r)| (*s, r.worker, r.epoch, r.idle))
            .collect();
        Err(self.violation(format!(
            "not at rest after {why}: {in_flight:?}; the group says {owners:?}, the workers hold {held:?}, reports {idle:?}"
        )))
    }

    /// Every record of every topic is read by every reader, and no payment is in flight.
    fn at_rest(&self) -> bool {
        let reports = self.board.reports();
        for shard in (0..self.manifest.partitions).map(Shard) {
            let Some(report) = reports.get(&shard) else {
                return false;
            };
            if !report.idle {
                return false;
            }
            for stage in &self.manifest.stages {
                let Some(task) = report.tasks.get(&stage.name) else {
                    return false;
                };
                for (_, topic) in &stage.inputs {
                    let next = task.positions.get(topic).copied().unwrap_or_default();
                    if !self.log.read(topic, shard, next, 1).is_ok_and(|r| r.is_empty()) {
                        return false;
                    }
                }
            }
        }
        let answer = self.views.query("inflight", None, serde_json::json!({}));
        answer.is_ok_and(|a| a.data["count"] == 0)
    }

    fn violation(&self, what: String) -> Violation {
        Violation {
            what: format!(
                "seed {}: {what} (reproduce: FERMATA_SEED={})",
                self.plan.seed, self.plan.seed
            ),
        }
    }
}
