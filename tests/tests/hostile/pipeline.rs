//! A guest among sound neighbours, on the simulated log and clock with the real engine.

use super::fixture::{Fixture, component};
use super::validator;
use fermata_core::manifest::{Manifest, Stage, parse::parse};
use fermata_core::names::{Purpose, stores};
use fermata_core::ports::{Artifact, ArtifactError, Artifacts, Executor, Log, Namespace, NoProbe, StateStore, Version};
use fermata_core::{Digest, Header, NewRecord, Offset, Record, Shard, StageName, Timestamp, TopicName, partition};
use fermata_engine::{Compile, EngineOptions, WasmExecutor};
use fermata_runtime::board::{Board, Directive, Intake, StageDirective};
use fermata_runtime::control::Refusal;
use fermata_runtime::guarded;
use fermata_runtime::views::{ViewFailure, Views};
use fermata_runtime::worker::{BatchLimits, Progress, Worker, WorkerSpec, meters, topics};
use fermata_tests::simulated::{Faults, Mode, Simulated};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Whose key the records have that trigger.
pub const BAD: &str = "bad";
/// Records on the head of the stage in question, in two waves.
const RECORDS: usize = 50;
/// Those that trigger; each among sound ones of one batch.
const BAD_AT: [usize; 2] = [7, 40];
const WAVE: usize = 30;
/// More steps than this without rest: something keeps the worker busy.
const STEPS: usize = 100;

const MANIFEST: &str = r#"
manifest = 1
name = "hostile"
partitions = 2
topics."work" = { head = true }
topics."other" = { head = true }

[stage.hostile]
component = "builtin:hostile@1.0.0"
in = { in = "work" }
out = { out = "worked" }

[stage.behind]
component = "builtin:echo@1.0.0"
in = { in = "worked" }
out = { out = "ended" }

[stage.beside]
component = "builtin:echo@1.0.0"
in = { in = "other" }
out = { out = "othered" }
"#;

/// One engine, and machine code kept for all runs.
pub static ENGINE: LazyLock<WasmExecutor> = LazyLock::new(|| {
    let cache = tempfile::tempdir().expect("a temporary folder").keep();
    let options = EngineOptions {
        compile: Compile::InProcess,
        cache: Some(cache),
    };
    WasmExecutor::new(options).unwrap_or_else(|e| panic!("{e}"))
});

/// Compiles, links, describes and starts the guest, as a deployment would.
pub fn prepare(fixture: &Fixture) -> Result<Arc<dyn Version>, Refusal> {
    let manifest = manifest(fixture);
    let stage = manifest.stage("hostile").expect("it is in the manifest");
    Shelf::of(fixture).prepare(stage).map(|(version, _)| version)
}

/// The pipeline with the guest's configuration and limits.
pub fn manifest(fixture: &Fixture) -> Manifest {
    let limits = match fixture.limits.is_empty() {
        true => String::new(),
        false => format!("[stage.hostile.limits]\n{}", fixture.limits),
    };
    let mut manifest = parse(
        "hostile.toml",
        &validator::attach(&format!("{MANIFEST}\n{limits}"), fixture),
    )
    .unwrap_or_else(|e| panic!("{}: {e}", fixture.name));
    for stage in manifest.stages.iter_mut().filter(|s| s.name.as_str() == "hostile") {
        stage.config = fixture.config.clone().into();
    }
    manifest
}

/// A record without its offset, which a record of the guest's own may shift.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub topic: TopicName,
    pub shard: Shard,
    pub timestamp: Timestamp,
    pub key: String,
    pub value: String,
    pub headers: Vec<Header>,
}

impl From<Record> for Row {
    fn from(record: Record) -> Self {
        let text = |bytes: &Option<bytes::Bytes>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into();
        Self {
            key: text(&record.key),
            value: text(&record.value),
            topic: record.topic,
            shard: record.shard,
            timestamp: record.timestamp,
            headers: record.headers,
        }
    }
}

/// An entry of a stage's store: stage, store, shard, key, value.
pub type Kept = (String, String, Shard, String, Vec<u8>);

/// What was seen of one run.
pub struct Seen {
    pub rows: Vec<Row>,
    pub dead: Vec<Row>,
    pub kept: Vec<Kept>,
    pub series: BTreeMap<meters::Series, meters::Value>,
    /// Ticks of both shards together.
    pub ticks: usize,
    /// Why the guest's task is paused.
    pub paused: Option<String>,
    pub view: Result<Value, ViewFailure>,
    pub log: Simulated,
    pub manifest: Arc<Manifest>,
    pub shelf: Shelf,
}

impl Seen {
    /// Runs the pipeline; `bad`: with the records that trigger, else with silent ones in their places. Where these are
    /// not what makes it misbehave, or it is only its word that differs: with the sound guest in its place.
    pub fn of(fixture: &Fixture, bad: bool) -> Self {
        let mut manifest = manifest(fixture);
        let sound = !bad && fixture.wat.is_none() && fixture.speaks();
        if sound {
            for stage in &mut manifest.stages {
                stage.config = json!({});
                let guards = stage.validators.iter_mut();
                for guard in guards.filter(|v| v.policy.name.as_str() == validator::GUARD) {
                    guard.config = validator::sound();
                }
            }
        }
        let mut bench = Bench::new(manifest, fixture);
        let trigger = if bad || sound { BAD } else { "skip" };
        bench.send(0..WAVE, trigger);
        bench.rest();
        bench.pass(Duration::from_secs(2));
        bench.send(WAVE..RECORDS, trigger);
        bench.rest();
        bench.pass(Duration::from_secs(2));
        bench.seen()
    }
}

/// Components by the names of the manifest, and by digest.
#[derive(Clone)]
pub struct Shelf(Vec<(&'static str, Artifact)>);

impl Shelf {
    fn of(fixture: &Fixture) -> Self {
        let mut all = vec![
            ("builtin:hostile@1.0.0", fixture.artifact()),
            ("builtin:echo@1.0.0", component("echo-1.0.0")),
        ];
        if fixture.validator.is_some() {
            let guest = component("hostile-validator-1.0.0");
            let guard = fixture
                .wat
                .as_ref()
                .map_or_else(|| guest.clone(), |wat| wat.validator());
            all.extend([("builtin:guard@1.0.0", guard), ("builtin:calm@1.0.0", guest)]);
        }
        Self(all)
    }

    /// A stage with its validators, and what the journal keeps of it.
    pub fn prepare(&self, stage: &Stage) -> Result<(Arc<dyn Version>, String), Refusal> {
        let component = self.resolve(&stage.component)?;
        let setup = guarded::setup(stage, self)?;
        let version = guarded::prepare(&*ENGINE, self, &component, &setup, &stage.limits)?;
        Ok((version, setup))
    }
}

impl Artifacts for Shelf {
    fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError> {
        let found = self.0.iter().find(|(name, _)| *name == reference);
        found.map(|(_, a)| a.clone()).ok_or_else(|| ArtifactError::NotFound {
            reference: reference.into(),
            found: "it is not on the shelf".into(),
        })
    }
    fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
        let found = self.0.iter().map(|(_, a)| a).find(|a| a.digest == *digest).cloned();
        found.ok_or_else(|| ArtifactError::NotFound {
            reference: digest.full(),
            found: "it is not on the shelf".into(),
        })
    }
    fn put(&self, bytes: bytes::Bytes) -> Result<Artifact, ArtifactError> {
        Ok(Artifact::new(bytes))
    }
}

/// The pipeline with one worker.
pub struct Bench {
    log: Simulated,
    manifest: Arc<Manifest>,
    board: Arc<Board>,
    worker: Worker,
    shelf: Shelf,
}

impl Bench {
    pub fn new(manifest: Manifest, fixture: &Fixture) -> Self {
        let manifest = Arc::new(manifest);
        let log = Simulated::new(1, Mode::Kafka, Faults::NONE);
        log.ensure(&topics(&manifest)).expect("no faults");
        let shelf = Shelf::of(fixture);
        let stages = manifest.stages.iter().map(|stage| {
            let (version, config_json) = shelf.prepare(stage).unwrap_or_else(|e| panic!("{}", e.because));
            let directive = StageDirective {
                version,
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
        let board = Arc::new(Board::new(directive));
        let spec = WorkerSpec {
            index: 0,
            node: "hostile".into(),
            manifest: manifest.clone(),
            log: Arc::new(log.clone()),
            store: Arc::new(log.clone()),
            clock: log.clock(),
            board: board.clone(),
            engine_name: ENGINE.name().into(),
            probe: Arc::new(NoProbe),
            batch: BatchLimits::default(),
        };
        let worker = Worker::join(spec).expect("no faults");
        Self {
            log,
            manifest,
            board,
            worker,
            shelf,
        }
    }

    fn send(&self, numbers: std::ops::Range<usize>, trigger: &str) {
        let mut records = Vec::new();
        for n in numbers {
            let value = if n % 9 == 4 {
                format!("timer {n}")
            } else {
                format!("value {n}")
            };
            if BAD_AT.contains(&n) {
                records.push(self.record("work", BAD, trigger));
            } else {
                records.push(self.record("work", &format!("key-{}", n % 6), &value));
            }
            records.push(self.record("other", &format!("key-{}", n % 4), &value));
        }
        self.log.append(records).expect("no faults");
    }

    fn record(&self, topic: &str, key: &str, value: &str) -> NewRecord {
        NewRecord {
            topic: TopicName::new(topic).expect("a valid name"),
            shard: partition::shard_of(key.as_bytes(), self.manifest.partitions),
            timestamp: Timestamp(1_000),
            key: Some(key.to_owned().into()),
            value: Some(value.to_owned().into()),
            headers: vec![Header::new("from", "outside")],
        }
    }

    pub fn put(&self, topic: &str, key: &str, value: &str) {
        self.log
            .append(vec![self.record(topic, key, value)])
            .expect("no faults");
    }

    /// Another key of the same shard.
    pub fn key_beside(&self, key: &str) -> String {
        let shard = |key: &str| partition::shard_of(key.as_bytes(), self.manifest.partitions);
        let mut others = (0..).map(|n| format!("key-{n}"));
        others
            .find(|other| shard(other) == shard(key))
            .expect("there are endless keys")
    }

    /// Records at the end of the pipeline from `from` on, on the key's shard.
    pub fn ended(&self, key: &str, from: Offset) -> usize {
        let topic = TopicName::new("ended").expect("a valid name");
        let shard = partition::shard_of(key.as_bytes(), self.manifest.partitions);
        self.log.read(&topic, shard, from, 100).expect("no faults").len()
    }

    pub fn step(&mut self) -> Progress {
        self.worker
            .step(Duration::ZERO)
            .unwrap_or_else(|e| panic!("the worker failed: {e}"))
    }

    /// Until nothing is to be done, or for as many steps as sound guests never need.
    pub fn rest(&mut self) {
        let mut idle = 0;
        for _ in 0..STEPS {
            idle = if self.step() == Progress::Idle { idle + 1 } else { 0 };
            if idle > 2 {
                return;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        for _ in 0..4 {
            self.log.clock().advance(time / 4);
            self.rest();
        }
    }

    fn rows(&self, topic: &TopicName) -> Vec<Row> {
        let shards = (0..self.manifest.partitions).map(Shard);
        let read = shards.flat_map(|s| self.log.read(topic, s, Offset(0), 100_000).expect("no faults"));
        read.map(Row::from).collect()
    }

    fn seen(self) -> Seen {
        let purpose = |purpose: Purpose| purpose.topic(&self.manifest.name);
        let views = Views::new(
            self.manifest.clone(),
            Arc::new(self.log.clone()),
            Arc::new(self.log.clone()),
            self.board.clone(),
        );
        let stage = StageName::new("hostile").expect("a valid name");
        let reports = self.board.reports();
        let paused = reports.values().find_map(|r| r.tasks.get(&stage)?.paused.clone());
        Seen {
            rows: self.manifest.topics.keys().flat_map(|t| self.rows(t)).collect(),
            dead: self.rows(&purpose(Purpose::DeadLetters)),
            kept: self.kept(),
            series: self.board.meters.series(),
            ticks: self.rows(&purpose(Purpose::Ticks)).len(),
            paused,
            view: views
                .query("hostile-count", None, Value::Null)
                .map(|answer| answer.data),
            log: self.log,
            manifest: self.manifest,
            shelf: self.shelf,
        }
    }

    fn kept(&self) -> Vec<Kept> {
        let (_, state) = self.log.snapshot().expect("no faults");
        let stages = self.manifest.stages.iter().flat_map(|stage| {
            ["counts", "store", stores::TIMERS, stores::MEMOS].map(|store| Namespace {
                stage: stage.name.clone(),
                store: store.into(),
                schema: 1,
            })
        });
        let mut kept = Vec::new();
        for namespace in stages {
            for shard in (0..self.manifest.partitions).map(Shard) {
                let entries = state.scan(&namespace, shard, b"", None, 1_000_000).expect("no faults");
                kept.extend(entries.into_iter().map(|(key, value)| {
                    let key = String::from_utf8_lossy(&key).into_owned();
                    (
                        namespace.stage.to_string(),
                        namespace.store.clone(),
                        shard,
                        key,
                        value.to_vec(),
                    )
                }));
            }
        }
        kept
    }
}
