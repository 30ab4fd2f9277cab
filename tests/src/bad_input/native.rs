//! The payment pipeline without WebAssembly, on the simulated log: one worker, stepped until it rests.

use crate::simulated::{Faults, Mode, Simulated};
use crate::simulation::manifest;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Clock, Executor, Log, NoProbe, StateStore};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_runtime::board::{Board, Directive, Intake, StageDirective};
use fermata_runtime::control::config_json;
use fermata_runtime::worker::{BatchLimits, Progress, Worker, WorkerSpec, topics};
use std::sync::Arc;
use std::time::Duration;

/// Far more steps than any load of a test needs.
const STEPS: usize = 100_000;

pub struct Native {
    pub log: Simulated,
    pub manifest: Arc<Manifest>,
    worker: Worker,
}

impl Native {
    pub fn start() -> Self {
        let manifest = manifest();
        let log = Simulated::new(1, Mode::Kafka, Faults::NONE);
        log.ensure(&topics(&manifest)).expect("no faults");
        let (executor, artifacts) = (NativeExecutor::default(), NativeArtifacts::default());
        let stages = manifest.stages.iter().map(|stage| {
            let artifact = artifacts.resolve(&stage.component).expect("registered");
            let config_json = config_json(stage);
            let version = executor.prepare(&artifact, &config_json, &stage.limits);
            let directive = StageDirective {
                version: version.expect("the shipped stages are whole"),
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
        Self {
            worker: worker.expect("no faults"),
            log,
            manifest,
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        self.log.clock().now().0
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
