//! The ports: every effect that Fermata has on the world goes through one of these traits.
//!
//! - [`Log`] and [`Session`]: topics, and the exactly-once transactions of a worker.
//! - [`StateStore`]: committed state of tasks.
//! - [`Executor`], [`Version`], [`Instance`]: run a component; [`HostCalls`] is what the component may ask back.
//!   Validators have ports of their own beside these: [`crate::validation`].
//! - [`Clock`]: everything that the input does not determine.
//! - [`Artifacts`]: the bytes of components.

use crate::description::Description;
use crate::limits::Limits;
use crate::manifest::secrets::{Filled, Unresolved};
use crate::outcome::{Due, Fault, Input, Outcome};
use crate::validation::{Attached, ValidatorVersion};
use crate::{CommitId, Digest, NewRecord, Offset, Record, Sequence, Shard, StageName, Timestamp, TopicName, VersionId};
use bytes::Bytes;
use std::{any::Any, collections::BTreeMap, sync::Arc, time::Duration};

// ---------------------------------------------------------------- the log

/// A topic that should exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: TopicName,
    pub partitions: u32,
}

/// What a reader may read of one partition: `start` is the oldest offset kept, `end` the first that is not yet
/// committed (or not yet written). Offsets between may have gaps. Behind `end` and below `high` lie records of
/// transactions that are still open, and committed ones that these hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub start: Offset,
    pub end: Offset,
    /// The next offset to be given away, as a read_uncommitted reader sees it.
    pub high: Offset,
}

/// Where appended records went. They are durable once [`Log::durable`] has reached `commit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub offsets: Vec<Offset>,
    pub commit: CommitId,
}

/// Topics and sessions. Readers here see committed records only.
pub trait Log: Send + Sync {
    /// Makes missing topics; a topic that exists with another partition count is [`LogError::PartitionCount`].
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError>;
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError>;
    /// Where topics can be deleted and made anew: what tells each of these from another of its name. Offsets of the one
    /// mean nothing in the other. What does not exist has none.
    fn identities(&self, _topics: &[TopicName]) -> Result<BTreeMap<TopicName, String>, LogError> {
        Ok(BTreeMap::new())
    }
    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError>;
    /// Up to `limit` committed records from `from` on (gaps skipped), in order. Empty: nothing there yet.
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError>;
    /// The last committed record of a partition: the restart point of a journal.
    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError>;
    /// Appends outside any session, all or nothing: intake, control and status records.
    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError>;
    /// Joins `group` as `member`: shards come by [`Polled::Assigned`]. Dropping the session leaves the group.
    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError>;
    /// Everything up to this commit survives a power cut.
    fn durable(&self) -> CommitId;
    /// Waits until [`Log::durable`] has reached `commit`; `false` when `max_wait` passed first.
    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSpec {
    pub group: String,
    /// Stable across restarts: on Kafka the transactional ids and the static membership come from it.
    pub member: String,
    /// Every keyed topic to be polled, in poll order: the most downstream first. All have `partitions` partitions.
    pub topics: Vec<TopicName>,
    pub partitions: u32,
}

/// One worker's hold on its shards. A transaction opens with the first [`Session::append`] and ends with
/// [`Session::commit`] or [`Session::abort`]; what was appended is invisible to every reader until it committed.
pub trait Session: Send {
    /// Waits at most `max_wait` (zero: not at all). Records are of one topic and one shard, in offset order.
    ///
    /// A `Revoked` shard is still held until the next `poll`: the worker ends its batch first.
    fn poll(&mut self, max_wait: Duration, max_records: usize) -> Result<Polled, LogError>;
    /// Where to read from: called for each topic of a newly assigned shard, before which it yields no records,
    /// and after an abort to go back.
    fn seek(&mut self, topic: &TopicName, shard: Shard, next: Offset) -> Result<(), LogError>;
    /// The position that the group has committed, if any: a check on the journal's.
    fn committed(&mut self, topic: &TopicName, shard: Shard) -> Result<Option<Offset>, LogError>;
    /// Partitions that `poll` passes over, replacing the earlier set.
    fn set_paused(&mut self, paused: &[(TopicName, Shard)]);
    /// Appends inside the open transaction. The offset is known at once on some logs, after the commit on others.
    fn append(&mut self, record: NewRecord) -> Result<Option<Offset>, LogError>;
    /// Ends the transaction: everything appended, the positions and the state changes, or nothing.
    fn commit(&mut self, batch: Commit) -> Result<Committed, LogError>;
    /// Drops the open transaction. The worker then seeks back.
    fn abort(&mut self) -> Result<(), LogError>;
    /// After [`Committed::Unknown`]: what the log says of that transaction. `Unknown` again: ask later.
    fn resolve(&mut self) -> Result<Committed, LogError>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    Assigned(Vec<Shard>),
    /// `lost`: another member may own them already; the batch must be aborted, a commit would be refused.
    Revoked {
        shards: Vec<Shard>,
        lost: bool,
    },
    Records(Vec<Record>),
    Idle,
}

/// What one transaction carries besides its records.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// For every shard that the transaction touched, moved or not: the next offset to read of each topic, the
    /// lowest of its readers.
    pub positions: Vec<(TopicName, Shard, Offset)>,
    pub changes: Vec<StateChange>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Durable once [`Log::durable`] has reached it.
    Yes(CommitId),
    /// Nothing of it happened. The worker drops its overlay, seeks back and goes on.
    No { reason: String },
    /// The log did not answer: ask [`Session::resolve`] before anything else.
    Unknown,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    #[error("topic {0} does not exist; it is made when the pipeline starts")]
    UnknownTopic(TopicName),
    #[error(
        "topic {topic} has {found} partitions, the manifest says {expected}: change the manifest back or use a new pipeline name"
    )]
    PartitionCount {
        topic: TopicName,
        expected: u32,
        found: u32,
    },
    #[error("offset {asked} of {topic}/{shard} is not kept any more (oldest: {start})")]
    Trimmed {
        topic: TopicName,
        shard: Shard,
        asked: Offset,
        start: Offset,
    },
    /// The log cannot be reached just now: back off and try again.
    #[error("the log is away: {0}")]
    Away(String),
    /// The session is no longer valid: drop it and join again.
    #[error("the session was fenced: {0}")]
    Fenced(String),
    /// Nothing can be promised any more: the process must stop.
    #[error("the log failed: {0}")]
    Fatal(String),
}

// ---------------------------------------------------------------- state

/// Which entries: the store of a stage in one schema version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    pub stage: StageName,
    pub store: String,
    pub schema: u32,
}

/// One entry written (`Some`) or deleted (`None`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    pub namespace: Arc<Namespace>,
    pub shard: Shard,
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// Reads of committed state; implemented by the store (as of now) and by its snapshots (as of one commit).
pub trait StateRead: Send + Sync {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError>;
    /// Entries under `prefix` in byte order, strictly behind `after`; at most `limit`.
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError>;
}

/// How far [`StateStore::restore`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// The state is what the journal says was committed.
    Ready,
    /// Records of the changelog that are still to be read, as far as is known. Call again.
    Behind { left: u64 },
}

/// Committed state of tasks.
pub trait StateStore: StateRead {
    /// Before a shard is processed: brings its state to that of journal record `sequence`, working for about
    /// `at_most`. Called only when the shard's journal hides nothing behind an open transaction, and again until
    /// [`Restored::Ready`]. Where log and state are one (the default) there is nothing to do.
    fn restore(&self, _shard: Shard, _sequence: Sequence, _at_most: Duration) -> Result<Restored, LogError> {
        Ok(Restored::Ready)
    }
    /// The shard is not held here any more: others may change its state from now on.
    fn release(&self, _shard: Shard) {}
    /// A handle for one worker, where the store must know who holds a shard: several workers share a process, and one
    /// that hears late of its loss must not give up what another holds by now. Dropping it releases what it holds.
    fn for_worker(&self) -> Option<Arc<dyn StateStore>> {
        None
    }
    /// Makes the changes of commit `id` visible. An embedded log has written them with the commit and only checks.
    fn apply(&self, id: CommitId, changes: &[StateChange]) -> Result<(), StateError>;
    /// A consistent picture and the last commit it contains; an answer from it waits until that is durable.
    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError>;
    /// All entries of a namespace and shard, copied to another shard-less namespace (shadow, migration dry run).
    fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> Result<u64, StateError>;
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("state of {namespace} cannot be {doing}: {found}")]
pub struct StateError {
    pub namespace: String,
    pub doing: &'static str,
    pub found: String,
}

// ---------------------------------------------------------------- components

/// Prepares components; one for the process.
pub trait Executor: Send + Sync {
    /// Compiles, links and runs `describe` and `init` once. `config`: JSON text.
    fn prepare(&self, component: &Artifact, config: &str, limits: &Limits) -> Result<Arc<dyn Version>, PrepareError>;
    /// As [`Executor::prepare`], for a component of the world `validator`.
    fn validator(
        &self,
        component: &Artifact,
        _config: &str,
        _limits: &Limits,
    ) -> Result<Arc<dyn ValidatorVersion>, PrepareError> {
        let found = format!("{} runs no validators, so not {} either", self.name(), component.digest);
        Err(PrepareError::Host(found))
    }
    /// Prepares a component of the world `generator`.
    fn generator(
        &self,
        component: &Artifact,
        config: &str,
        seed: u64,
    ) -> Result<Box<dyn GeneratorInstance>, PrepareError>;
    /// Name and version of the engine, written into the journal.
    fn name(&self) -> &str;
}

/// The bytes of a component and their digest.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub digest: Digest,
    pub bytes: Bytes,
}

impl Artifact {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: Digest::of(&bytes),
            bytes,
        }
    }
}

/// A component with its configuration, ready to be instantiated.
pub trait Version: Send + Sync {
    fn id(&self) -> VersionId;
    fn description(&self) -> &Description;
    /// Instantiates and runs `init`.
    fn instantiate(&self) -> Result<Box<dyn Instance>, Fault>;
    /// The text that it was prepared from, whose digest is half of its id, where the version knows it.
    fn setup(&self) -> Option<&str> {
        None
    }
    /// What stands in front of every instance of it, in order: a part of the version, and of its id.
    fn validators(&self) -> &[Attached] {
        &[]
    }
}

/// A running component. After [`Failure::Fault`] or [`Failure::Deadline`] it is dead: make another.
pub trait Instance: Send {
    fn process(&mut self, input: Input, host: Box<dyn HostCalls>) -> Called<Outcome>;
    fn fired(&mut self, due: Due, host: Box<dyn HostCalls>) -> Called<Outcome>;
    /// `params` and the answer: JSON texts. Writes through `host` must fail.
    fn query(&mut self, view: &str, params: &str, host: Box<dyn HostCalls>) -> Called<Result<String, ViewError>>;
    fn merge(
        &mut self,
        view: &str,
        params: &str,
        partials: Vec<String>,
        host: Box<dyn HostCalls>,
    ) -> Called<Result<String, ViewError>>;
    /// Multiplies the wall time of later calls; a call that met its deadline is tried again with a longer one.
    fn stretch(&mut self, factor: u32);
}

/// The result of a call, with the host context handed back.
pub struct Called<T> {
    pub result: Result<T, Failure>,
    pub host: Box<dyn HostCalls>,
    /// Fuel used; 0 where the executor does not count.
    pub fuel: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The component's own doing.
    Fault(Fault),
    /// Wall time ran out. Never condemns the record.
    Deadline,
    /// The host could not serve a call (state unreadable): not the component's doing.
    Host(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    #[error("there is no such view or entry")]
    NotFound,
    #[error("bad parameters: {0}")]
    BadParams(String),
}

/// Why a component cannot be used. Each text says what was found and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PrepareError {
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(String),
    #[error("the component does not fit the contract fermata:stage@0.1.0: {0}")]
    Contract(String),
    #[error("the component was refused by its own init: {0}")]
    Init(String),
    #[error("its configuration does not fit the component's config-schema: {}", config_faults(.0))]
    Config(Vec<ConfigFault>),
    #[error("its configuration cannot be filled in: {0}")]
    Secret(Unresolved),
    #[error("the component does not compile: {0}")]
    Compile(String),
    #[error("{0}")]
    Host(String),
}

/// One place of a configuration that the component does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// JSON Pointer into the configuration.
    pub pointer: String,
    /// What was found and what is allowed, without any secret.
    pub found: String,
}

fn config_faults(faults: &[ConfigFault]) -> String {
    let all: Vec<String> = faults.iter().map(|f| format!("{:?} {}", f.pointer, f.found)).collect();
    all.join("; ")
}

/// What every configuration passes on its way into a component's `init`.
pub trait Configs: Send + Sync {
    /// Fills in the references of `config` (JSON text) and holds the result against `schema`, the component's own JSON
    /// Schema, where it has one.
    fn ready(&self, config: &str, schema: Option<&str>) -> Result<Filled, PrepareError>;
}

/// What a running guest may ask of its host. An `Err` traps the guest: a contract fault of that call alone.
pub trait HostCalls: Send {
    fn id(&self) -> &str;
    /// The head record that began this chain, and its timestamp in milliseconds.
    fn root(&self) -> (&str, Timestamp);
    fn now(&self) -> Timestamp;
    fn random(&mut self) -> u64;
    fn get(&mut self, store: &str, key: &[u8]) -> Result<Option<Bytes>, Refused>;
    fn put(&mut self, store: &str, key: &[u8], value: &[u8]) -> Result<(), Refused>;
    fn delete(&mut self, store: &str, key: &[u8]) -> Result<(), Refused>;
    fn scan(
        &mut self,
        store: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused>;
    fn set_timer(&mut self, id: &str, at: Timestamp, payload: &[u8]) -> Result<(), Refused>;
    fn cancel_timer(&mut self, id: &str) -> Result<(), Refused>;
    fn add(&mut self, metric: &str, labels: &[String], value: u64) -> Result<(), Refused>;
    fn set(&mut self, metric: &str, labels: &[String], value: i64) -> Result<(), Refused>;
    fn observe(&mut self, metric: &str, labels: &[String], value: f64) -> Result<(), Refused>;
    fn log(&mut self, level: LogLevel, message: &str) -> Result<(), Refused>;
    /// Gives the context back to whoever made it.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Misuse: becomes a fault of this code.
    #[error("{0}")]
    Fault(Fault),
    /// The host failed: not the guest's doing.
    #[error("{0}")]
    Host(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// Output ports of a generator, and how many sequence numbers are set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub outputs: Vec<String>,
    pub setup: u64,
}

/// A running component of the world `generator`.
pub trait GeneratorInstance: Send {
    fn plan(&self) -> &Plan;
    /// Records of sequence number `sequence`, due at `due`.
    fn next(&mut self, sequence: u64, due: Timestamp) -> Result<Vec<crate::Emission>, Fault>;
}

// ---------------------------------------------------------------- the rest

/// Time. Simulations bring their own.
pub trait Clock: Send + Sync {
    /// Microseconds since the Unix epoch.
    fn now_micros(&self) -> i64;
    fn now(&self) -> Timestamp {
        Timestamp(self.now_micros() / 1_000)
    }
    /// Monotonic time since some fixed moment, for durations.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock(std::time::Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(std::time::Instant::now())
    }
}

impl Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The bytes of components, by digest, kept as long as the log.
pub trait Artifacts: Send + Sync {
    /// Resolves `path`, `builtin:name@version` or `sha256:...` and keeps the bytes.
    fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError>;
    fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError>;
    /// Keeps bytes that were uploaded.
    fn put(&self, bytes: Bytes) -> Result<Artifact, ArtifactError>;
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum ArtifactError {
    #[error("component {reference} was not found: {found}")]
    NotFound { reference: String, found: String },
    #[error("component {reference} cannot be read: {found}")]
    Unreadable { reference: String, found: String },
}

/// The named moments of a pipeline at which tests stop the process. The default does nothing.
pub trait Probe: Send + Sync {
    fn reached(&self, _moment: Moment) {}
}

/// In the order in which a deployment under load passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// A batch is open and has appended.
    Append,
    /// Just before the log is asked to commit.
    Commit,
    /// A candidate is being prepared.
    Prepare,
    /// A task has ended its old version and not yet committed the receipt.
    Switch,
    /// The receipt is committed; the new version has processed its first record, uncommitted.
    FirstCommit,
    /// All tasks have switched; the deployment is watched.
    Probation,
}

impl Moment {
    pub const ALL: [Self; 6] = [
        Self::Append,
        Self::Commit,
        Self::Prepare,
        Self::Switch,
        Self::FirstCommit,
        Self::Probation,
    ];
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Commit => "commit",
            Self::Prepare => "prepare",
            Self::Switch => "switch",
            Self::FirstCommit => "first-commit",
            Self::Probation => "probation",
        }
    }
}

/// Nobody watches.
#[derive(Debug, Default)]
pub struct NoProbe;
impl Probe for NoProbe {}
