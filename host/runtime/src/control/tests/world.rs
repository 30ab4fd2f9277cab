//! A pipeline of two stages on two shards, with workers that do what the board says when a test lets them.

use super::components::{JsonExecutor, Shelf, account, confirm};
use super::log::{MemoryLog, MemoryStore, TestClock};
use crate::board::{Board, ShardReport, TaskReport, WorkerEvent};
use crate::control::{
    CommandOutcome, Controller, ControllerSpec, Deployment, Fold, Preparing, Progress, append_command, start,
};
use crate::nodes::NodeSpec;
use crate::views::NoPeers;
use fermata_core::control::{Command, DeploymentState, Status, Verb};
use fermata_core::journal::{JournalRecord, Receipt, VersionEntry};
use fermata_core::manifest::{Manifest, parse};
use fermata_core::names::Purpose;
use fermata_core::ports::{Clock, Log, Moment, Namespace, Probe};
use fermata_core::{Digest, Identity, NewRecord, Offset, Shard, StageName, Timestamp, TopicName, VersionId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const MANIFEST: &str = r#"
manifest = 1
name = "payments"
partitions = 2
topics."payment.inflight" = { head = true }
drain = { complete-when = { view = "inflight", field = "/count", equals = 0 }, blocking = { view = "inflight", field = "/open" }, timeout = "60s" }
deploy = { probation = "30s" }
[stage.account]
component = "account@1.0.0"
in = { inflight = "payment.inflight" }
out = { complete = "payment.complete" }
config = { limit = 1 }
[stage.confirm]
component = "confirm@1.0.0"
in = { complete = "payment.complete" }
"#;

/// Remembers the moments that it saw.
#[derive(Default)]
pub(crate) struct Seen(pub Mutex<Vec<Moment>>);
impl Probe for Seen {
    fn reached(&self, moment: Moment) {
        self.0.lock().push(moment);
    }
}

pub(crate) struct World {
    pub manifest: Arc<Manifest>,
    pub log: Arc<MemoryLog>,
    pub store: Arc<MemoryStore>,
    pub clock: Arc<TestClock>,
    pub executor: Arc<JsonExecutor>,
    pub shelf: Arc<Shelf>,
    pub seen: Arc<Seen>,
    pub board: Arc<Board>,
    pub controller: Controller,
    /// What each task runs: version and deployment. The journals have it; it survives restarts.
    pub tasks: BTreeMap<(Shard, StageName), (VersionId, u64)>,
    /// Next offset that the readers of `payment.complete` report.
    pub read_to: BTreeMap<Shard, Offset>,
    /// Configurations that tasks have run under.
    configs: BTreeMap<Digest, String>,
    preparing: Preparing,
}

pub(crate) fn name(stage: &str) -> StageName {
    StageName::new(stage).expect("a constant of the tests")
}

impl World {
    pub fn new() -> Self {
        let manifest = Arc::new(parse::parse("pipeline.toml", MANIFEST).expect("the manifest of the tests is valid"));
        let shelf = Arc::new(Shelf::default());
        shelf.add("account@1.0.0", &account("1.0.0", |_| {}));
        shelf.add("account@1.1.0", &account("1.1.0", |_| {}));
        shelf.add("confirm@1.0.0", &confirm());
        let log: Arc<MemoryLog> = Arc::default();
        let store: Arc<MemoryStore> = Arc::default();
        let clock: Arc<TestClock> = Arc::default();
        let executor: Arc<JsonExecutor> = Arc::default();
        let seen: Arc<Seen> = Arc::default();
        let preparing = Preparing::InStep;
        let spec = ControllerSpec {
            manifest: manifest.clone(),
            log: log.clone(),
            store: store.clone(),
            clock: clock.clone(),
            executor: executor.clone(),
            artifacts: shelf.clone(),
            probe: seen.clone(),
            preparing,
            node: NodeSpec::alone(),
            peers: Arc::new(NoPeers),
        };
        let (board, controller) = start(spec).expect("the first start");
        let mut tasks = BTreeMap::new();
        for (stage, directive) in &board.directive().stages {
            for shard in [Shard(0), Shard(1)] {
                tasks.insert((shard, stage.clone()), (directive.version.id(), 0));
            }
        }
        let (read_to, configs) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self {
            manifest,
            log,
            store,
            clock,
            executor,
            shelf,
            seen,
            board,
            controller,
            tasks,
            read_to,
            configs,
            preparing,
        };
        world.workers();
        world.step();
        world
    }

    /// The process dies and begins again; workers have not reported yet. Returns the leader that was.
    pub fn restart(&mut self) -> Controller {
        let spec = ControllerSpec {
            manifest: self.manifest.clone(),
            log: self.log.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            executor: self.executor.clone(),
            artifacts: self.shelf.clone(),
            probe: self.seen.clone(),
            preparing: self.preparing,
            node: NodeSpec::alone(),
            peers: Arc::new(NoPeers),
        };
        let (board, controller) = start(spec).expect("a restart");
        self.board = board;
        std::mem::replace(&mut self.controller, controller)
    }

    /// Somebody edits the configuration of stage `account`; the manifest is read at the next restart.
    pub fn configure(&mut self, limit: u32) {
        let text = MANIFEST.replace("limit = 1", &format!("limit = {limit}"));
        self.manifest = Arc::new(parse::parse("pipeline.toml", &text).expect("an edit that is valid"));
    }

    pub fn send(&self, verb: Verb) -> Uuid {
        let command = self.command(verb);
        self.append(command.clone());
        command.id
    }
    pub fn command(&self, verb: Verb) -> Command {
        let (id, at) = (Uuid::now_v7(), self.clock.now().0);
        Command {
            v: 1,
            id,
            at,
            author: "tester".into(),
            reason: None,
            expect_epoch: None,
            verb,
        }
    }
    pub fn append(&self, command: Command) {
        append_command(&*self.log, &self.manifest, command).expect("the fake takes commands");
    }
    pub fn raw_control(&self, text: &str) {
        let topic = Purpose::Control.topic(&self.manifest.name);
        self.produce(&topic, Shard(0), text.as_bytes());
    }
    pub fn produce(&self, topic: &TopicName, shard: Shard, value: &[u8]) {
        let record = NewRecord {
            topic: topic.clone(),
            shard,
            timestamp: Timestamp(1),
            key: None,
            value: Some(value.to_vec().into()),
            headers: Vec::new(),
        };
        self.log.append(vec![record]).expect("the fake takes records");
    }

    pub fn deploy(&self, component: &str) -> Uuid {
        let artifact = fermata_core::ports::Artifacts::resolve(&*self.shelf, component).expect("on the shelf");
        let (stage, component) = (name("account"), component.to_owned());
        self.send(Verb::Deploy {
            stage,
            component,
            digest: artifact.digest,
            probation_ms: Some(1_000),
        })
    }
    pub fn rollback(&self) -> Uuid {
        self.send(Verb::Rollback { stage: name("account") })
    }

    pub fn step(&mut self) {
        self.controller.step(Duration::ZERO).expect("a step");
    }

    /// From the next restart on, which is now.
    pub fn prepare_in_background(&mut self) {
        self.preparing = Preparing::Background;
        self.restart();
        self.workers();
    }

    /// All shards obey the board: cutovers with receipts in their journals, then reports.
    pub fn workers(&mut self) {
        self.shards_obey(&[Shard(0), Shard(1)]);
    }
    pub fn shards_obey(&mut self, shards: &[Shard]) {
        for shard in shards {
            let events = self.cut_over(*shard);
            self.report(*shard);
            events.into_iter().for_each(|event| self.board.tell(event));
        }
    }

    /// Commits the cutovers of a shard without telling the board: what a process killed there leaves behind.
    pub fn cut_over(&mut self, shard: Shard) -> Vec<WorkerEvent> {
        let directive = self.board.directive();
        let mut events = Vec::new();
        for (stage, wish) in &directive.stages {
            self.configs.insert(wish.version.id().config, wish.config_json.clone());
            let task = self.tasks.get_mut(&(shard, stage.clone())).expect("all tasks exist");
            let new = (wish.version.id(), wish.deployment);
            if *task == new {
                continue;
            }
            let old = std::mem::replace(task, new).0;
            let receipt = Receipt {
                deployment: wish.deployment,
                stage: stage.to_string(),
                shard: shard.0,
                old: 0,
                new: 1,
                pause_micros: 700 + u64::from(shard.0),
                rollback: wish.rollback,
                at_micros: self.clock.now_micros(),
                ..Receipt::default()
            };
            let versions = [self.entry(old), self.entry(new.0)];
            let record = JournalRecord {
                sequence: 1,
                versions: versions.into(),
                receipts: vec![receipt.clone()],
                at_micros: self.clock.now_micros(),
                ..JournalRecord::default()
            };
            self.produce(
                &Purpose::Journal.topic(&self.manifest.name),
                shard,
                &record.encode_bytes(),
            );
            let (pause_micros, synced_micros) = (receipt.pause_micros, 900);
            events.push(WorkerEvent::Switched {
                shard,
                receipt,
                old,
                new: new.0,
                pause_micros,
                synced_micros,
            });
        }
        events
    }

    /// One more journal record, which names only what runs.
    pub fn commit_without_cutover(&mut self, shard: Shard) {
        for wish in self.board.directive().stages.values() {
            self.configs.insert(wish.version.id().config, wish.config_json.clone());
        }
        let running = self.tasks.iter().filter(|((s, _), _)| *s == shard);
        let versions = running.map(|(_, (id, _))| self.entry(*id)).collect();
        let at_micros = self.clock.now_micros();
        let record = JournalRecord {
            sequence: 1,
            versions,
            at_micros,
            ..JournalRecord::default()
        };
        self.produce(
            &Purpose::Journal.topic(&self.manifest.name),
            shard,
            &record.encode_bytes(),
        );
    }
    fn entry(&self, id: VersionId) -> VersionEntry {
        VersionEntry {
            component: id.component.0.to_vec(),
            config: id.config.0.to_vec(),
            schemas: Vec::new(),
            config_json: self.configs[&id.config].clone(),
        }
    }

    /// An idle shard's report under the board's epoch.
    pub fn report(&self, shard: Shard) {
        let epoch = self.board.directive().epoch;
        let complete = TopicName::new("payment.complete").expect("a constant");
        let mine = self.tasks.iter().filter(|((s, _), _)| *s == shard);
        let tasks = mine.map(|((_, stage), (version, deployment))| {
            let (version, deployment) = (Some(*version), *deployment);
            let next = self.read_to.get(&shard).copied().unwrap_or_default();
            let positions = BTreeMap::from([(complete.clone(), next)]);
            (
                stage.clone(),
                TaskReport {
                    version,
                    deployment,
                    positions,
                    ..TaskReport::default()
                },
            )
        });
        let tasks = tasks.collect();
        self.board.report(
            shard,
            ShardReport {
                epoch,
                idle: true,
                tasks,
                ..ShardReport::default()
            },
        );
    }

    pub fn refute(&self, deployment: u64) {
        self.board.tell(WorkerEvent::Refuted {
            stage: name("account"),
            deployment,
            shard: Shard(1),
            identity: Identity::from_header("payment.inflight/1/7"),
            fault: "fault-trap: overflow".into(),
        });
    }

    /// Lets both sides go on until nothing changes any more.
    pub fn settle(&mut self) {
        for _ in 0..20 {
            self.step();
            self.workers();
        }
        self.step();
    }

    pub fn fold(&self) -> Fold {
        self.controller.view().state().fold.clone()
    }
    pub fn deployment(&self, number: u64) -> Deployment {
        self.fold()
            .deployments
            .get(&number)
            .cloned()
            .unwrap_or_else(|| panic!("no dep/{number}"))
    }
    pub fn state(&self, number: u64) -> DeploymentState {
        self.deployment(number).state()
    }
    pub fn outcome(&self, command: Uuid) -> CommandOutcome {
        let known = self.controller.view().outcome(&command);
        known.unwrap_or_else(|| panic!("no outcome of {command} in {:?}", self.facts()))
    }
    /// Code and text of a refusal.
    pub fn refusal(&self, command: Uuid) -> (String, String) {
        match self.outcome(command).progress {
            Progress::Refused { code, because } => (code, because),
            other => panic!("not refused: {other:?}"),
        }
    }
    pub fn facts(&self) -> Vec<Status> {
        let status = self.log.all(&Purpose::Status.topic(&self.manifest.name), Shard(0));
        status
            .iter()
            .map(|r| serde_json::from_slice(r.value.as_deref().unwrap_or_default()).expect("facts"))
            .collect()
    }

    /// Digest that the tasks of `account` run on both shards.
    pub fn runs(&self) -> [Digest; 2] {
        [0, 1].map(|shard| self.tasks[&(Shard(shard), name("account"))].0.component)
    }
    pub fn digest(&self, component: &str) -> Digest {
        fermata_core::ports::Artifacts::resolve(&*self.shelf, component)
            .expect("on the shelf")
            .digest
    }

    /// A payment in flight, as the view `inflight` finds it.
    pub fn open_payment(&self, shard: Shard, id: &str) {
        let namespace = Namespace {
            stage: name("account"),
            store: "balances".into(),
            schema: 3,
        };
        self.store.put(namespace, shard, format!("open-{id}").as_bytes(), b"1");
    }
}
