//! One worker of stages without WebAssembly on the simulated log, stepped until it rests.

use crate::simulated::{Faults, Mode, Simulated};
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Clock, Executor, Log, NoProbe, StateStore};
use fermata_core::{NewRecord, Offset, Record, Shard, Timestamp};
use fermata_native::{NativeArtifacts, NativeExecutor, Registry};
use fermata_runtime::board::{Board, Directive, Intake, StageDirective};
use fermata_runtime::control::config_json;
use fermata_runtime::verify::{Replay, Report, VerifySpec, verify};
use fermata_runtime::worker::{BatchLimits, Progress, Worker, WorkerSpec, topics};
use std::sync::Arc;
use std::time::Duration;

pub mod slow;

/// Far more steps than any load of a test needs.
const STEPS: usize = 100_000;

pub struct Native {
    pub log: Simulated,
    pub manifest: Arc<Manifest>,
    artifacts: NativeArtifacts,
    executor: Arc<dyn Executor>,
    worker: Worker,
}

impl Native {
    /// `registry` has every component that the manifest names.
    pub fn start(manifest: Arc<Manifest>, registry: Registry) -> Self {
        Self::with(manifest, registry, |executor| executor)
    }

    /// With another executor around that of the registry's stages.
    pub fn with(
        manifest: Arc<Manifest>,
        registry: Registry,
        around: impl FnOnce(Arc<dyn Executor>) -> Arc<dyn Executor>,
    ) -> Self {
        let log = Simulated::new(1, Mode::Kafka, Faults::NONE);
        log.ensure(&topics(&manifest)).expect("no faults");
        let artifacts = NativeArtifacts::new(&registry);
        let executor = around(Arc::new(NativeExecutor::new(registry)));
        let worker = worker(&log, &manifest, &artifacts, &*executor);
        Self {
            log,
            manifest,
            artifacts,
            executor,
            worker,
        }
    }

    /// Another worker in the place of the one there was, which knows only what is on the log.
    pub fn restart(self) -> Self {
        drop(self.worker);
        let worker = worker(&self.log, &self.manifest, &self.artifacts, &*self.executor);
        Self { worker, ..self }
    }

    /// Verifies everything and runs it again; `recut`: on instances that are dropped after each call, with batches that
    /// end elsewhere.
    pub fn verify(&self, recut: Option<u64>) -> Report {
        let mut replay = Replay::new(&*self.executor, &self.artifacts as &dyn Artifacts);
        replay.recut = recut;
        replay.drop_instances = recut.is_some();
        let spec = VerifySpec {
            manifest: &self.manifest,
            log: &self.log,
            views: None,
            replay: Some(replay),
        };
        verify(&spec).expect("the log can be read")
    }

    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        self.log.clock().now().0
    }

    /// Appends a record of now to shard 0.
    pub fn send(&self, topic: &str, key: &str, value: &str) {
        let record = NewRecord {
            topic: topic.parse().expect("a name"),
            shard: Shard(0),
            timestamp: Timestamp(self.now()),
            key: Some(key.to_owned().into()),
            value: Some(value.to_owned().into()),
            headers: Vec::new(),
        };
        self.log.append(vec![record]).expect("no faults");
    }

    /// The records of shard 0.
    pub fn read(&self, topic: &str) -> Vec<Record> {
        let topic = topic.parse().expect("a name");
        self.log.read(&topic, Shard(0), Offset(0), 1_000).expect("no faults")
    }

    /// Time goes on, and then the work.
    pub fn pass(&mut self, time: Duration) {
        self.log.clock().advance(time);
        self.settle();
    }

    /// Works until nothing is left to read.
    pub fn settle(&mut self) {
        for _ in 0..STEPS {
            if self.worker.step(Duration::ZERO).expect("the worker goes on") == Progress::Idle {
                return;
            }
        }
        panic!("the worker does not come to rest");
    }
}

/// Goes on where the log says that the one before it stood.
fn worker(log: &Simulated, manifest: &Arc<Manifest>, artifacts: &dyn Artifacts, executor: &dyn Executor) -> Worker {
    let stages = manifest.stages.iter().map(|stage| {
        let artifact = artifacts.resolve(&stage.component).expect("registered");
        let config_json = config_json(stage);
        let version = executor.prepare(&artifact, &config_json, &stage.limits);
        let directive = StageDirective {
            version: version.expect("stages of tests are whole"),
            config_json,
            deployment: 0,
            rollback: false,
            second_opinion: None,
        };
        (stage.name.clone(), directive)
    });
    let directive = Directive {
        epoch: 1,
        intake: Intake::Open,
        draining: false,
        stages: stages.collect(),
    };
    let worker = Worker::join(WorkerSpec {
        index: 0,
        node: "test".into(),
        manifest: manifest.clone(),
        log: Arc::new(log.clone()),
        store: Arc::new(log.clone()) as Arc<dyn StateStore>,
        clock: log.clock(),
        board: Arc::new(Board::new(directive)),
        engine_name: "native".into(),
        probe: Arc::new(NoProbe),
        batch: BatchLimits::default(),
    });
    worker.expect("no faults")
}
