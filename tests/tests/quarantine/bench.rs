//! A pipeline `in -> first -> mid -> second -> end` whose stages fail on words, on the simulated log: with workers that
//! a test kills, starts and orders about.

use fermata_core::control::{Parked, RecordKey};
use fermata_core::manifest::{Manifest, parse::parse};
use fermata_core::names::{self, Purpose};
use fermata_core::partition::shard_of;
use fermata_core::ports::{Artifacts, Clock, Executor, Log, NoProbe, StateStore};
use fermata_core::{NewRecord, Offset, Record, Shard, StageName, Timestamp, TopicName};
use fermata_native::{NativeArtifacts, NativeExecutor, Registry};
use fermata_runtime::board::{Board, Directive, Intake, Orders, StageDirective, TaskReport, Unpark};
use fermata_runtime::control::config_json;
use fermata_runtime::parked::{ParkedKey, Wanted, queues};
use fermata_runtime::verify::{Replay, Report, VerifySpec, verify};
use fermata_runtime::worker::{BatchLimits, Progress, Worker, WorkerSpec, topics};
use fermata_stage::{Context, Description, Due, Emission, Input, Rejection, Stage, StoreDecl};
use fermata_tests::simulated::{Faults, Mode, Simulated};
use std::sync::Arc;
use std::time::Duration;

const MANIFEST: &str = r#"
manifest = 1
name = "words"
partitions = SHARDS
topics."in" = { head = true }

[stage.first]
component = "builtin:picky@1.0.0"
in = { in = "in" }
out = { out = "mid" }
config = { side = "first" }
POLICY

[stage.second]
component = "builtin:picky@1.0.0"
in = { in = "mid" }
out = { out = "end" }
config = { side = "second" }
POLICY
"#;

/// Both failures are parked, without a limit that a test meets.
pub const QUARANTINE: &str = "on-reject = \"quarantine\"\non-fault = \"quarantine\"";

/// Passes values `<number>:<word>` on and keeps the numbers of each key in order. It fails on its own side's words:
/// `first-fault`, `first-reject`; minor version 1 passes them, minor version 2 faults on everything.
pub struct Picky<const MINOR: u8> {
    side: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    side: String,
}

impl<const MINOR: u8> Stage for Picky<MINOR> {
    const NAME: &'static str = "picky";
    const VERSION: &'static str = match MINOR {
        0 => "1.0.0",
        1 => "1.1.0",
        _ => "1.2.0",
    };
    type Config = Config;
    type Message = Input;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("in", &[1])
            .output("out", &[1])
            .store(StoreDecl::new("seen", 1))
            .timers()
    }
    fn init(config: Config) -> Result<Self, String> {
        Ok(Self { side: config.side })
    }
    fn parse(input: Input) -> Result<Input, Rejection> {
        Ok(input)
    }
    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        let value = String::from_utf8(input.value.clone().unwrap_or_default()).expect("made by a test");
        let (number, word) = value.split_once(':').unwrap_or((&value, ""));
        let key = input.key.clone().unwrap_or_default();
        see(cx, &key, number);
        assert!(MINOR < 2, "this version faults on everything");
        match word.strip_prefix(self.side.as_str()) {
            Some("-fault") if MINOR == 0 => panic!("as told"),
            Some("-reject") if MINOR == 0 => return Err(Rejection::new("told-to", "as told")),
            Some("-later") => cx.set_timer(&timer_of(&key), cx.now() + 1_000, number.as_bytes()),
            Some("-cancel") => cx.cancel_timer(&timer_of(&key)),
            Some("-large") => {
                let large = vec![b'x'; 16 << 10];
                return Ok(vec![Emission {
                    headers: vec![fermata_stage::Header {
                        key: "large".to_owned(),
                        value: Some(large),
                    }],
                    ..emission(input.key, value.into_bytes())
                }]);
            }
            _ => {}
        }
        Ok(vec![emission(input.key, value.into_bytes())])
    }
    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        let number = String::from_utf8(timer.payload).expect("made here");
        see(cx, timer.key.as_deref().unwrap_or_default(), &format!("t{number}"));
        Ok(vec![emission(timer.key, format!("t{number}:fired").into_bytes())])
    }
}

fn timer_of(key: &[u8]) -> String {
    format!("of-{}", String::from_utf8_lossy(key))
}

fn emission(key: Option<Vec<u8>>, value: Vec<u8>) -> Emission {
    Emission {
        port: "out".into(),
        key,
        value: Some(value),
        headers: Vec::new(),
    }
}

fn see(cx: &mut dyn Context, key: &[u8], number: &str) {
    let mut seen = cx.get_raw("seen", key).unwrap_or_default();
    seen.extend(format!("{number} ").into_bytes());
    cx.put_raw("seen", key, &seen);
}

pub struct Bench {
    pub manifest: Arc<Manifest>,
    pub log: Simulated,
    pub board: Arc<Board>,
    pub workers: Vec<Option<Worker>>,
    pub executor: NativeExecutor,
    pub artifacts: NativeArtifacts,
    batch: BatchLimits,
    pub sent: u64,
    orders: u64,
    deployments: u64,
}

impl Bench {
    /// One shard, one worker. `policy`: lines of each stage.
    pub fn new(policy: &str) -> Self {
        let mut bench = Self::wide(1, 1, 1, policy);
        bench.start(0);
        bench
    }

    /// Nobody works yet.
    pub fn wide(seed: u64, shards: u32, workers: usize, policy: &str) -> Self {
        let text = MANIFEST
            .replace("SHARDS", &shards.to_string())
            .replace("POLICY", policy);
        let manifest = Arc::new(parse("words.toml", &text).unwrap_or_else(|e| panic!("{e}")));
        let log = Simulated::new(seed, Mode::Kafka, Faults::NONE);
        log.ensure(&topics(&manifest)).expect("no faults");
        let registry = Registry::empty()
            .stage::<Picky<0>>()
            .stage::<Picky<1>>()
            .stage::<Picky<2>>();
        let (artifacts, executor) = (NativeArtifacts::new(&registry), NativeExecutor::new(registry));
        let board = Arc::new(Board::new(Directive {
            epoch: 1,
            intake: Intake::Open,
            draining: false,
            stages: std::collections::BTreeMap::default(),
        }));
        let bench = Self {
            manifest,
            log,
            board,
            workers: (0..workers).map(|_| None).collect(),
            executor,
            artifacts,
            batch: BatchLimits::default(),
            sent: 0,
            orders: 0,
            deployments: 0,
        };
        let mut first = (*bench.board.directive()).clone();
        for name in ["first", "second"] {
            first.stages.insert(stage(name), bench.version(name, 0, 0));
        }
        bench.board.publish(first);
        bench
    }

    fn version(&self, name: &str, minor: u8, deployment: u64) -> StageDirective {
        let declared = self.manifest.stage(name).expect("declared");
        let artifact = self.artifacts.resolve(&format!("builtin:picky@1.{minor}.0"));
        let artifact = artifact.expect("registered");
        let config_json = config_json(declared);
        let version = self.executor.prepare(&artifact, &config_json, &declared.limits);
        StageDirective {
            version: version.expect("whole"),
            config_json,
            deployment,
            rollback: false,
            second_opinion: None,
        }
    }

    pub fn start(&mut self, index: usize) {
        let spec = WorkerSpec {
            index,
            node: "test".into(),
            manifest: self.manifest.clone(),
            log: Arc::new(self.log.clone()),
            store: Arc::new(self.log.clone()) as Arc<dyn StateStore>,
            clock: self.log.clock(),
            board: self.board.clone(),
            engine_name: "native".into(),
            probe: Arc::new(NoProbe),
            batch: self.batch,
        };
        // The log may be away: it is started again later.
        self.workers[index] = Worker::join(spec).ok();
    }

    pub fn batches_of(&mut self, records: usize) {
        self.batch.records = records;
    }

    /// As SIGKILL does: no goodbye, and an open transaction stays open.
    pub fn kill(&mut self, index: usize) {
        let group = names::group(&self.manifest.name);
        self.log.kill_session(&group, &format!("test.{index}"));
        self.workers[index] = None;
    }

    /// Deploys `picky@1.<minor>.0` on a stage.
    pub fn deploy(&mut self, name: &str, minor: u8) {
        self.deployments += 1;
        let next = self.version(name, minor, self.deployments);
        self.publish(|directive| {
            directive.stages.insert(stage(name), next);
        });
    }

    pub fn publish(&self, change: impl FnOnce(&mut Directive)) {
        let mut next = (*self.board.directive()).clone();
        next.epoch += 1;
        change(&mut next);
        self.board.publish(next);
    }

    pub fn order(&self, change: impl FnOnce(&mut Orders)) {
        let mut next = (*self.board.orders()).clone();
        change(&mut next);
        self.board.order(next);
        self.publish(|_| {});
    }

    /// `key`: `None` for all.
    pub fn release(&mut self, stage: Option<&str>, key: Option<&str>) {
        self.unpark(stage, key, false);
    }
    pub fn skip(&mut self, key: &str) {
        self.unpark(None, Some(key), true);
    }
    pub fn unpark(&mut self, of: Option<&str>, key: Option<&str>, skip: bool) {
        self.orders += 1;
        let unpark = Unpark {
            number: self.orders,
            which: Parked {
                stage: of.map(stage),
                key: key.map(|k| RecordKey(k.to_owned().into())),
            },
            skip,
        };
        self.order(|orders| orders.unpark = Some(unpark));
    }

    /// Every task has done what it could about the last order.
    pub fn order_done(&self) -> bool {
        let Some(order) = self.board.orders().unpark.clone() else {
            return true;
        };
        let reports = self.board.reports();
        let done = |t: &TaskReport| (t.unparking.order, t.unparking.done) >= (order.number, true);
        (0..self.manifest.partitions).all(|shard| {
            reports.get(&Shard(shard)).is_some_and(|report| {
                let mut meant = report.tasks.iter().filter(|(name, _)| {
                    let only = order.which.stage.as_ref();
                    only.is_none_or(|only| only == *name)
                });
                meant.all(|(_, task)| done(task))
            })
        })
    }

    /// Takes a record in at the head.
    pub fn send(&mut self, key: &str, word: &str) {
        self.sent += 1;
        let value = format!("{}:{word}", self.sent);
        self.send_raw(Some(key), value.into_bytes());
    }

    pub fn send_raw(&mut self, key: Option<&str>, value: Vec<u8>) {
        let record = NewRecord {
            topic: topic("in"),
            shard: key.map_or(Shard(0), |k| shard_of(k.as_bytes(), self.manifest.partitions)),
            timestamp: Timestamp(self.log.clock().now().0),
            key: key.map(|k| k.to_owned().into()),
            value: Some(value.into()),
            headers: Vec::new(),
        };
        // A producer tries until it has an answer.
        let taken = (0..100).any(|_| self.log.append(vec![record.clone()]).is_ok());
        assert!(taken, "the simulated log was away a hundred times in a row");
    }

    pub fn step(&mut self, index: usize) -> Progress {
        match self.workers[index].as_mut() {
            Some(worker) => worker.step(Duration::ZERO).expect("the worker goes on"),
            None => Progress::Idle,
        }
    }

    /// Until nobody has anything to do.
    pub fn settle(&mut self) {
        for _ in 0..500 {
            let worked = (0..self.workers.len()).filter(|i| self.step(*i) == Progress::Worked);
            if worked.count() == 0 {
                return;
            }
        }
        panic!("the workers do not come to rest");
    }

    /// Time goes on, and everybody with it.
    pub fn pass(&mut self, time: Duration) {
        self.log.clock().advance(time);
        self.settle();
    }

    pub fn read(&self, name: &str) -> Vec<Record> {
        let topic = match name {
            "dlq" => Purpose::DeadLetters.topic(&self.manifest.name),
            name => topic(name),
        };
        let shards = (0..self.manifest.partitions).map(Shard);
        shards
            .flat_map(|shard| self.log.read(&topic, shard, Offset(0), 100_000).expect("no faults"))
            .collect()
    }

    /// The values of a topic, as `key=value`.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.read(name).iter().map(shown).collect()
    }

    pub fn parked(&self) -> Vec<ParkedKey> {
        let wanted = Wanted {
            limit: 1_000,
            ..Wanted::default()
        };
        let shards = (0..self.manifest.partitions).map(Shard);
        let found = shards.flat_map(|shard| queues(&self.log, &self.manifest, shard, &wanted).expect("no faults"));
        found.map(|(queue, _)| queue).collect()
    }

    /// `stage key: place of the first, how many, why`.
    pub fn queues(&self) -> Vec<String> {
        let queues = self.parked().into_iter().map(|p| {
            let key = String::from_utf8_lossy(&p.key).into_owned();
            let code = p.first.failure.as_ref().map_or("-", |f| f.code.as_str());
            format!("{} {key}: {} of {} {code}", p.stage, p.first.place(), p.records)
        });
        queues.collect()
    }

    pub fn task(&self, name: &str, shard: u32) -> TaskReport {
        self.board.reports()[&Shard(shard)].tasks[&stage(name)].clone()
    }

    /// Everything that the log can prove, journals executed again included.
    pub fn verify(&self) -> Report {
        let report = self.books(None);
        assert!(self.books(Some(7)).ok, "cut elsewhere, the replay differs");
        report
    }

    fn books(&self, recut: Option<u64>) -> Report {
        let mut replay = Replay::new(&self.executor as &dyn Executor, &self.artifacts as &dyn Artifacts);
        replay.recut = recut;
        replay.drop_instances = recut.is_some();
        let report = verify(&VerifySpec {
            manifest: &self.manifest,
            log: &self.log,
            views: None,
            replay: Some(replay),
        });
        let report = report.expect("the log can be read");
        assert!(report.ok, "{:#?}", report.problems);
        report
    }
}

pub fn shown(record: &Record) -> String {
    let text = |b: Option<&bytes::Bytes>| b.map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default();
    format!("{}={}", text(record.key.as_ref()), text(record.value.as_ref()))
}

pub fn topic(name: &str) -> TopicName {
    TopicName::new(name).expect("a name")
}

pub fn stage(name: &str) -> StageName {
    StageName::new(name).expect("a name")
}
