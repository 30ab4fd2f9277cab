//! Two stages behind one another, validators in front of both, on the simulated log; all native.

use super::slow::SlowValidators;
use fermata_core::manifest::Manifest;
use fermata_core::manifest::parse::parse;
use fermata_core::names::{Purpose, stores};
use fermata_core::ports::{Artifacts, Clock, Log, Namespace, NoProbe, StateRead, StateStore};
use fermata_core::validation::Opinion;
use fermata_core::{Input, NewRecord, Offset, Record, Rejection, Shard, Timestamp, TopicName};
use fermata_native::{NativeArtifacts, NativeExecutor, NativeStage, NativeValidator, Registry};
use fermata_runtime::board::{Board, Directive, Intake, StageDirective};
use fermata_runtime::guarded;
use fermata_runtime::verify::{Figures, Replay, VerifySpec, verify};
use fermata_runtime::worker::meters::Value as Metric;
use fermata_runtime::worker::{BatchLimits, Progress, Worker, WorkerSpec, topics};
use fermata_stage as sdk;
use fermata_tests::simulated::{Faults, Mode, Simulated};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// `first` and `second`: the lists of validators.
fn manifest(first: &str, second: &str) -> String {
    format!(
        r#"
manifest = 1
name = "guarded"
partitions = 1
topics."in" = {{ head = true }}

[stage.first]
component = "builtin:first@1.0.0"
in = ["in"]
out = {{ middle = "middle" }}
validator = [{first}]

[stage.second]
component = "builtin:second@1.0.0"
in = ["middle"]
out = {{ end = "end" }}
validator = [{second}]
"#
    )
}

/// A stage that writes what validators told it behind the value; it rejects and faults when the value says so.
fn stage(name: &'static str, from: &'static str, to: &'static str) -> NativeStage {
    let description = sdk::Description::new(name, "1.0.0").input(from, &[1]).output(to, &[1]);
    NativeStage::closure(description, move |_, input| {
        let mut value = String::from_utf8(input.value.clone().unwrap_or_default()).expect("tests send text");
        match value.as_str() {
            "stage-rejects" => return Err(sdk::Rejection::new("told-to", "as told")),
            "stage-panics" => panic!("as told"),
            _ => {}
        }
        for verdict in &input.verdicts {
            let code = verdict.code.as_deref().unwrap_or("ok");
            value.push_str(&format!(" {}:{code}:{}", verdict.validator, verdict.reason));
        }
        Ok(vec![sdk::Emission {
            port: to.into(),
            key: input.key,
            value: Some(value.into_bytes()),
            headers: Vec::new(),
        }])
    })
}

/// A validator that does what the record's first word says, and else counts the records of a key in its memo.
fn script() -> NativeValidator {
    NativeValidator::new("script", "1.0.0", |config| {
        if config.contains("refuse-me") {
            return Err("as told".into());
        }
        let used = Cell::new(false);
        Ok(Box::new(move |input, memo| {
            let was_used = used.replace(true);
            judge(input, memo, was_used)
        }))
    })
}

fn judge(input: &Input, memo: Option<&[u8]>, was_used: bool) -> Opinion {
    let value = input.value.clone().unwrap_or_default();
    let value = std::str::from_utf8(&value).expect("tests send text");
    let count = memo.map_or(0, |memo| memo[0]) + 1;
    let refuse = |code: &str, reason: String| Opinion {
        refusal: Some(Rejection {
            code: code.into(),
            reason,
        }),
        memo: Some(vec![count].into()),
    };
    let accept = |memo: Option<Vec<u8>>| Opinion {
        refusal: None,
        memo: memo.map(Into::into),
    };
    match value.split(' ').next().unwrap_or_default() {
        "refuse" => refuse("no", format!("record {count}")),
        "panic" => panic!("as told"),
        "panic-when-used" if was_used => panic!("as told"),
        "fat-memo" => accept(Some(vec![0; 2_000])),
        "fat-reason" => refuse("no", "é".repeat(3_000)),
        "bad-code" => refuse("Not Kebab", String::new()),
        "forged-fault" => refuse("fault-trap", String::new()),
        "long-code" => refuse(&"x".repeat(60), String::new()),
        "forget" => accept(None),
        "same-memo" => accept(memo.map(<[u8]>::to_vec)),
        _ => accept(Some(vec![count])),
    }
}

pub struct Bench {
    pub log: Simulated,
    manifest: Arc<Manifest>,
    executor: NativeExecutor,
    artifacts: NativeArtifacts,
    pub board: Arc<Board>,
    worker: Worker,
}

impl Bench {
    /// Entries of `validator = [...]` for the two stages.
    pub fn new(first: &str, second: &str) -> Self {
        let log = Simulated::new(1, Mode::Kafka, Faults::NONE);
        Self::over(log, first, second)
    }

    fn over(log: Simulated, first: &str, second: &str) -> Self {
        let text = manifest(first, second);
        let manifest = Arc::new(parse("guarded.toml", &text).unwrap_or_else(|e| panic!("{e}")));
        log.ensure(&topics(&manifest)).expect("no faults");
        let registry = Registry::empty()
            .with(stage("first", "in", "middle"))
            .with(stage("second", "middle", "end"))
            .validator(script());
        let artifacts = NativeArtifacts::new(&registry);
        let executor = NativeExecutor::new(registry);
        let stages = manifest.stages.iter().map(|stage| {
            let component = artifacts.resolve(&stage.component).expect("registered");
            let setup = guarded::setup(stage, &artifacts).expect("registered");
            let version = guarded::prepare(
                &SlowValidators(&executor),
                &artifacts,
                &component,
                &setup,
                &stage.limits,
            );
            let directive = StageDirective {
                version: version.unwrap_or_else(|e| panic!("{e}")),
                config_json: setup,
                deployment: 0,
                rollback: false,
                second_opinion: None,
            };
            (stage.name.clone(), directive)
        });
        let board = Arc::new(Board::new(Directive {
            epoch: 1,
            intake: Intake::Open,
            draining: false,
            stages: stages.collect(),
        }));
        let worker = worker(&manifest, &log, &board);
        Self {
            log,
            manifest,
            executor,
            artifacts,
            board,
            worker,
        }
    }

    /// The process ends and another goes on, perhaps with other validators.
    pub fn restart(self, first: &str, second: &str) -> Self {
        let Self { log, worker, .. } = self;
        drop(worker);
        Self::over(log, first, second)
    }

    pub fn send(&mut self, key: Option<&str>, values: &[&str]) {
        for value in values {
            let record = NewRecord {
                topic: topic("in"),
                shard: Shard(0),
                timestamp: Timestamp(Clock::now(&*self.log.clock()).0),
                key: key.map(|key| key.to_owned().into()),
                value: Some((*value).to_owned().into()),
                headers: Vec::new(),
            };
            self.log.append(vec![record]).expect("no faults");
        }
        self.settle();
    }

    pub fn settle(&mut self) {
        for _ in 0..200 {
            if self.worker.step(Duration::ZERO).expect("the worker goes on") == Progress::Idle {
                return;
            }
        }
        panic!("the worker does not come to rest");
    }

    pub fn read(&self, name: TopicName) -> Vec<Record> {
        self.log.read(&name, Shard(0), Offset(0), 1_000).expect("no faults")
    }
    /// Values of a topic, as text.
    pub fn values(&self, name: &str) -> Vec<String> {
        let text = |record: Record| String::from_utf8(record.value.unwrap_or_default().to_vec());
        self.read(topic(name))
            .into_iter()
            .map(|r| text(r).expect("text"))
            .collect()
    }
    pub fn dead_letters(&self) -> Vec<Record> {
        self.read(Purpose::DeadLetters.topic(&self.manifest.name))
    }
    /// Why each dead letter is one: stage and code.
    pub fn codes(&self) -> Vec<String> {
        use fermata_core::names::headers::{CODE, STAGE};
        let of = |r: &Record, name| r.header(name).unwrap_or_default().to_owned();
        let all = self.dead_letters();
        all.iter()
            .map(|r| format!("{} {}", of(r, STAGE), of(r, CODE)))
            .collect()
    }

    /// What a validator of the first stage keeps for a key; one that only reports: `report:name`.
    pub fn memo(&self, validator: &str, key: &str) -> Option<Vec<u8>> {
        let namespace = Namespace {
            stage: "first".parse().expect("a name"),
            store: stores::MEMOS.into(),
            schema: 1,
        };
        let entry = [validator.as_bytes(), &[0], key.as_bytes()].concat();
        let kept = self.log.get(&namespace, Shard(0), &entry).expect("no faults")?;
        // Protobuf: field 1, bytes.
        let (head, memo) = kept.split_at(2);
        assert_eq!(head, [0x0a, memo.len() as u8]);
        Some(memo.to_vec())
    }

    /// How often each verdict of a validator of the first stage was counted.
    pub fn counted(&self, validator: &str) -> BTreeMap<String, u64> {
        let series = self.board.meters.series().into_iter();
        let mine = series.filter(|((stage, _, labels), _)| stage.as_str() == "first" && labels[0] == validator);
        mine.map(|((_, _, labels), value)| match value {
            Metric::Counter(n) => (labels[1].clone(), n),
            other => panic!("{other:?}"),
        })
        .collect()
    }

    /// Why the first stage's task is paused.
    pub fn paused(&self) -> Option<String> {
        let report = self.board.reports().remove(&Shard(0)).expect("a report");
        report.tasks["first"].paused.clone()
    }

    /// Executes the journal again: as it was, with every instance dropped, with other batches.
    pub fn replay(&self) -> Figures {
        let replayed = |drop_instances, recut| {
            let mut replay = Replay::new(&self.executor, &self.artifacts);
            (replay.drop_instances, replay.recut) = (drop_instances, recut);
            let report = verify(&VerifySpec {
                manifest: &self.manifest,
                log: &self.log,
                views: None,
                replay: Some(replay),
            });
            let report = report.expect("no faults");
            assert!(report.ok, "{:#?}", report.problems);
            assert!(
                report.limited.iter().all(|l| !l.contains("replayed")),
                "{:?}",
                report.limited
            );
            report.figures
        };
        let as_it_was = replayed(false, None);
        assert_eq!(replayed(true, Some(7)), as_it_was);
        as_it_was
    }
}

fn worker(manifest: &Arc<Manifest>, log: &Simulated, board: &Arc<Board>) -> Worker {
    Worker::join(WorkerSpec {
        index: 0,
        node: "test".into(),
        manifest: manifest.clone(),
        log: Arc::new(log.clone()),
        store: Arc::new(log.clone()) as Arc<dyn StateStore>,
        clock: log.clock(),
        board: board.clone(),
        engine_name: "native".into(),
        probe: Arc::new(NoProbe),
        batch: BatchLimits::default(),
    })
    .expect("no faults")
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).expect("a name")
}
