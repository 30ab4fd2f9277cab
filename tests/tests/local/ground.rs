//! A simulated log with a changelog, whoever writes it, and stores in folders beside it.

use bytes::Bytes;
use fermata_core::ports::{
    Appended, Bounds, Log, LogError, Namespace, Restored, Session, SessionSpec, StateRead, StateStore, TopicSpec,
};
use fermata_core::{CommitId, NewRecord, Offset, PipelineName, Record, Sequence, Shard, StageName, TopicName, names};
use fermata_store::{Local, LocalOptions};
use fermata_tests::simulated::{Faults, Made, Mode, Simulated, Writer, entry};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub const SHARD: Shard = Shard(0);
pub const KEEP: Duration = Duration::from_secs(1_000);
const LONG: Duration = Duration::from_secs(3600);

pub struct Ground {
    pub log: Arc<Watched>,
    pub writer: Writer,
    pub account: Arc<Namespace>,
    pub home: TempDir,
}

impl Ground {
    pub fn new(seed: u64) -> Self {
        let log = Simulated::new(seed, Mode::Kafka, Faults::NONE);
        let writer = Writer::new(&log, &pipeline(), 2);
        Self {
            log: Arc::new(Watched {
                log,
                read: AtomicU64::new(0),
                between: Mutex::new(None),
            }),
            writer,
            account: balances("account"),
            home: tempfile::tempdir().expect("a temporary folder can be made"),
        }
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn options(&self) -> LocalOptions {
        let mut options = LocalOptions::new(pipeline(), 2, "cluster-1");
        options.clock = self.log.log.clock();
        options.keep = KEEP;
        options.tend_every = None;
        options.raise_changes = 1;
        options
    }

    pub fn open(&self, name: &str) -> Arc<Local> {
        self.open_with(name, self.options()).expect("the folder opens")
    }

    pub fn open_with(&self, name: &str, options: LocalOptions) -> Result<Arc<Local>, LogError> {
        Local::open(&self.folder(name), options, self.log.clone())
    }

    /// Commits `key = value` (or its end) on the log alone.
    pub fn commit(&mut self, key: &str, value: Option<&str>) -> Made {
        self.writer.commit(SHARD, vec![entry(&self.account, SHARD, key, value)])
    }

    /// Two commits of so many changes together: more than one read brings.
    pub fn fill(&mut self, changes: u32) {
        for half in 0..2 {
            let many = (0..changes / 2).map(|n| entry(&self.account, SHARD, &format!("{half}-{n}"), Some("x")));
            let many = many.collect();
            self.writer.commit(SHARD, many);
        }
    }

    /// Commits and applies.
    pub fn write(&mut self, local: &Local, key: &str, value: Option<&str>) {
        let made = self.commit(key, value);
        local.apply(made.id, &made.changes).expect("a commit can be applied");
    }

    /// As a worker would, until it is ready; how many records were read.
    pub fn restore(&self, local: &dyn StateStore) -> u64 {
        self.try_restore(local, self.writer.sequence(SHARD), 200)
            .expect("the state can be restored")
    }

    pub fn try_restore(&self, local: &dyn StateStore, asked: Sequence, calls: u32) -> Result<u64, LogError> {
        let before = self.log.read.load(Ordering::SeqCst);
        for _ in 0..calls {
            if local.restore(SHARD, asked, LONG)? == Restored::Ready {
                return Ok(self.log.read.load(Ordering::SeqCst) - before);
            }
        }
        panic!("the state was not restored in {calls} calls");
    }

    /// The state of the shard is what was committed.
    pub fn assert_same(&self, local: &Local) {
        let truth = &self.log.log;
        let namespaces: BTreeSet<_> = local.namespaces().into_iter().chain(truth.namespaces()).collect();
        for namespace in namespaces {
            assert_eq!(all(local, &namespace), all(truth, &namespace), "{namespace:?}");
        }
    }

    pub fn changelog(&self) -> TopicName {
        names::changelog(&pipeline())
    }
}

pub fn all(state: &dyn StateRead, namespace: &Namespace) -> Vec<(Bytes, Bytes)> {
    state
        .scan(namespace, SHARD, &[], None, usize::MAX)
        .expect("state is readable")
}

pub fn pipeline() -> PipelineName {
    PipelineName::new("payments").expect("a valid name")
}

/// A store of a stage.
pub fn balances(stage: &str) -> Arc<Namespace> {
    Arc::new(Namespace {
        stage: StageName::new(stage).expect("a valid name"),
        store: "balances".into(),
        schema: 1,
    })
}

/// A worker of another group, which may write to shards that it does not hold.
pub fn other(ground: &Ground, group: &str) -> Box<dyn Session> {
    let spec = SessionSpec {
        group: group.into(),
        member: "zombie".into(),
        topics: vec![TopicName::new("input").expect("a valid name")],
        partitions: 2,
    };
    let mut session = ground.log.join(spec).expect("joins");
    session.poll(Duration::ZERO, 1).expect("its shards");
    session
}

/// What it does, and when: before so manieth a question about an end.
type Between = (u32, Box<dyn FnOnce() + Send>);

/// Counts the records that are read.
pub struct Watched {
    pub log: Simulated,
    pub read: AtomicU64,
    /// Happens once, between two questions.
    pub between: Mutex<Option<Between>>,
}

impl Watched {
    fn asked(&self) {
        let mut between = self.between.lock();
        if let Some((left, _)) = &mut *between {
            *left -= 1;
        }
        let due = between.take_if(|(left, _)| *left == 0);
        drop(between);
        if let Some((_, happen)) = due {
            happen();
        }
    }
}

impl Log for Watched {
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.log.ensure(topics)
    }
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        self.log.topics()
    }
    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        self.asked();
        self.log.bounds(topic, shard)
    }
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        let records = self.log.read(topic, shard, from, limit)?;
        self.read.fetch_add(records.len() as u64, Ordering::SeqCst);
        Ok(records)
    }
    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        self.asked();
        self.log.last(topic, shard)
    }
    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        self.log.append(records)
    }
    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        self.log.join(spec)
    }
    fn durable(&self) -> CommitId {
        self.log.durable()
    }
    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError> {
        self.log.wait_durable(commit, max_wait)
    }
}
