//! One thread that owns whole shards, polls them, runs their tasks and commits.
//!
//! [`Worker::step`] reads top to bottom: obey the directive, tick, poll, process, commit, and only then show the
//! effects. It never sleeps on its own, so that a simulator can drive it.

pub mod batch;
pub mod chain;
pub mod context;
mod cutover;
mod fullness;
pub mod fusion;
pub mod journaling;
pub mod lineage;
pub mod memos;
pub mod meters;
mod orders;
pub mod overlay;
mod pace;
pub mod parking;
mod publish;
pub mod quarantine;
mod restore;
pub mod scanning;
mod settling;
pub mod shard;
mod standby;
mod suspicion;
pub mod task;
mod ticking;
pub mod timers;
pub mod validation;
pub mod wiring;
mod wording;

use crate::board::{Board, Directive, Intake, Orders};
use batch::Came;
use fermata_core::manifest::Manifest;
use fermata_core::names::{self, Purpose};
use fermata_core::ports::{Clock, Log, LogError, Polled, Probe, Session, SessionSpec, StateError, StateStore};
use fermata_core::{Record, Shard, StageName, TopicName};
use shard::ShardState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use task::{Instances, Loaded, Place};
pub use wiring::topics;
use wiring::{Wiring, poll_order};

/// How much one transaction may gather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    pub records: usize,
    /// Where commits are quick; longer where they are not ([`pace`]).
    pub time: Duration,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            records: 4096,
            time: Duration::from_millis(10),
        }
    }
}

/// Everything a worker needs; the ports may be shared between workers.
#[derive(Clone)]
pub struct WorkerSpec {
    pub index: usize,
    /// Stable name of this process, part of the member's name in the group.
    pub node: String,
    pub manifest: Arc<Manifest>,
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn StateStore>,
    pub clock: Arc<dyn Clock>,
    pub board: Arc<Board>,
    /// [`fermata_core::ports::Executor::name`], for the journal.
    pub engine_name: String,
    pub probe: Arc<dyn Probe>,
    pub batch: BatchLimits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Worked,
    Idle,
}

/// The worker cannot go on; the process should stop and say so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the journal of shard {shard} cannot be read: {found}")]
    Journal { shard: Shard, found: String },
    #[error("{0}")]
    Host(String),
}

pub use fermata_core::changelog::{SEQUENCE_KEY, shard_namespace};

pub struct Worker {
    spec: WorkerSpec,
    wirings: Vec<Arc<Wiring>>,
    ticks: TopicName,
    session: Option<Box<dyn Session>>,
    shards: BTreeMap<Shard, ShardState>,
    /// Held, and yet to be read from the journal: newly assigned, or the batch was dropped. Nothing is polled before.
    unrestored: BTreeSet<Shard>,
    instances: Instances,
    /// Versions seen in directives, as tasks use them.
    loaded: BTreeMap<Place, Arc<Loaded>>,
    live: BTreeMap<StageName, Live>,
    second: BTreeMap<StageName, Arc<Loaded>>,
    directive: Arc<Directive>,
    orders: Arc<Orders>,
    batch: batch::Batch,
    pace: pace::Pace,
    /// Commits that are not yet durable, with what may be shown once they are.
    unpublished: publish::Unpublished,
    /// A commit whose answer the log still owes.
    unresolved: Option<batch::Sent>,
    /// When the last record of the running stretch of work ended (monotonic); `None`: the worker was idle.
    last_work: Option<Duration>,
    /// Cutovers committed whose versions have not yet processed a record.
    fresh_cutover: bool,
    idle: bool,
    /// The reports on the board are older than the tasks.
    stale_reports: bool,
    quiet: settling::Quiet,
    /// The lease is over: nothing is read.
    suspended: bool,
    /// Why the last step got no answer from the log.
    away: Option<String>,
}

struct Live {
    loaded: Arc<Loaded>,
    deployment: u64,
    rollback: bool,
}

impl Worker {
    /// Joins the pipeline's group; shards come with the first steps.
    pub fn join(mut spec: WorkerSpec) -> Result<Self, WorkerError> {
        if let Some(own) = spec.store.for_worker() {
            spec.store = own;
        }
        let wirings = spec
            .manifest
            .stages
            .iter()
            .map(|s| Arc::new(Wiring::new(&spec.manifest, s)))
            .collect();
        let mut worker = Self {
            ticks: Purpose::Ticks.topic(&spec.manifest.name),
            directive: spec.board.directive(),
            orders: spec.board.orders(),
            wirings,
            session: None,
            shards: BTreeMap::new(),
            unrestored: BTreeSet::new(),
            instances: Instances::default(),
            loaded: BTreeMap::new(),
            live: BTreeMap::new(),
            second: BTreeMap::new(),
            batch: batch::Batch::default(),
            pace: pace::Pace::default(),
            unpublished: publish::Unpublished::default(),
            unresolved: None,
            last_work: None,
            fresh_cutover: false,
            idle: false,
            stale_reports: false,
            quiet: settling::Quiet::default(),
            suspended: false,
            away: None,
            spec,
        };
        worker.read_directive();
        worker.join_group()?;
        Ok(worker)
    }

    /// Shards that this worker holds just now.
    pub fn shards(&self) -> impl Iterator<Item = Shard> + '_ {
        self.shards.keys().copied()
    }

    /// Why the last step got no answer from the log: whoever drives the worker waits before the next.
    pub fn away(&self) -> Option<&str> {
        self.away.as_deref()
    }

    /// Proofs drop instances after each call: guests must keep nothing.
    pub fn drop_instances_after_each_call(&mut self) {
        self.instances.drop_after_each = true;
    }

    fn join_group(&mut self) -> Result<(), WorkerError> {
        let manifest = &self.spec.manifest;
        self.session = Some(self.spec.log.join(SessionSpec {
            group: names::group(&manifest.name),
            member: names::member(&self.spec.node, self.spec.index),
            topics: poll_order(manifest),
            partitions: manifest.partitions,
        })?);
        Ok(())
    }

    fn session(&mut self) -> &mut dyn Session {
        self.session
            .as_deref_mut()
            .expect("a worker joins before it steps and after it was fenced")
    }

    /// One step: at most one transaction. Waits at most `max_wait` for records, and only when there is nothing to do.
    pub fn step(&mut self, max_wait: Duration) -> Result<Progress, WorkerError> {
        let mut away = None;
        let progress = match self.try_step(max_wait) {
            Ok(progress) => progress,
            Err(WorkerError::Log(LogError::Away(why))) => {
                tracing::warn!(
                    worker = self.spec.index,
                    "the log is away: {why}; the batch is dropped and read again"
                );
                if self.abandon().is_err() {
                    self.leave();
                }
                away = Some(why);
                Progress::Idle
            }
            Err(WorkerError::Log(LogError::Fenced(why))) => {
                tracing::warn!(worker = self.spec.index, "fenced: {why}; joining again");
                self.leave();
                Progress::Worked
            }
            Err(fatal) => return Err(fatal),
        };
        self.away = away;
        self.publish_durable();
        Ok(progress)
    }

    /// Gives everything up; the next step joins again.
    fn leave(&mut self) {
        self.session = None;
        self.spec.board.tenure.left(self.spec.index);
        let held = std::mem::take(&mut self.shards).into_keys();
        for shard in held.chain(std::mem::take(&mut self.unrestored)) {
            self.spec.store.release(shard);
            self.spec.board.forget(self.spec.index, shard);
        }
        self.batch = batch::Batch::default();
        self.unresolved = None;
        self.instances.clear();
    }

    fn try_step(&mut self, max_wait: Duration) -> Result<Progress, WorkerError> {
        self.publish_durable();
        if self.spec.board.tenure.should_leave(self.spec.index) {
            return self.stay_out(max_wait);
        }
        if self.session.is_none() {
            self.join_group()?;
        }
        if self.unresolved.is_some() && !self.resolve()? {
            return Ok(Progress::Idle);
        }
        if self.suspend() {
            return self.stand_by(max_wait);
        }
        self.restore_held()?;
        let switched = self.obey()?;
        if self.unresolved.is_some() {
            return Ok(Progress::Idle);
        }
        self.make_sure()?;
        let unparked = self.unpark()?;
        self.tick_due()?;
        self.settle_positions()?;
        let gathered = self.gather(if switched || unparked || self.batch.open {
            Duration::ZERO
        } else {
            max_wait
        })?;
        self.commit(BTreeMap::new())?;
        let worked = switched || unparked || gathered;
        if worked {
            self.last_work = Some(self.spec.clock.elapsed());
        } else {
            self.last_work = None;
            self.find_gaps()?;
        }
        self.note_idle(!worked);
        Ok(if worked { Progress::Worked } else { Progress::Idle })
    }

    /// Before anything is processed: what should stand still does, and what is suspect is tried.
    fn make_sure(&mut self) -> Result<(), WorkerError> {
        self.heed_orders()?;
        for shard in self.shards().collect::<Vec<_>>() {
            self.look_into(shard)?;
        }
        Ok(())
    }

    /// Polls until the batch is full or nothing is there. `false`: there was nothing at all.
    fn gather(&mut self, max_wait: Duration) -> Result<bool, WorkerError> {
        let begun = self.spec.clock.elapsed();
        let limits = self.spec.batch;
        let enough = self.pace.gathering(limits.time);
        let mut wait = self.patience(max_wait);
        let mut worked = self.batch.open;
        while self.batch.records < limits.records && !self.batch.full && self.unresolved.is_none() {
            let room = limits.records - self.batch.records;
            match self.session().poll(wait, room)? {
                Polled::Idle => break,
                Polled::Records(records) => self.process(&records)?,
                Polled::Assigned(shards) => {
                    self.spec.board.tenure.gained(self.spec.index, &shards);
                    self.unrestored.extend(shards);
                    // What is open was made without these shards, and is ended first.
                    self.commit(BTreeMap::new())?;
                    if self.unresolved.is_some() {
                        // Nothing may be asked of the session before its answer; the next step goes on here.
                        return Ok(true);
                    }
                    self.restore_held()?;
                    // The versions that the shard's journal names may not be the live ones.
                    self.obey()?;
                    if self.unresolved.is_some() {
                        return Ok(true);
                    }
                    self.make_sure()?;
                }
                Polled::Revoked { shards, lost } => {
                    let ended = if lost {
                        self.abandon()
                    } else {
                        self.commit(BTreeMap::new())
                    };
                    // They are gone whatever became of the batch: told once, the session does not say it again.
                    self.give_up(shards);
                    ended?;
                    worked = true;
                    break;
                }
            }
            worked = true;
            wait = Duration::ZERO;
            if self.spec.clock.elapsed().saturating_sub(begun) >= enough {
                break;
            }
        }
        Ok(worked)
    }

    /// Not longer than until the next timer, nor than a commit may take to become durable.
    fn patience(&self, max_wait: Duration) -> Duration {
        let now = self.spec.clock.now();
        let mut wait = max_wait;
        if self.ticks_allowed() {
            for due in self.shards.values().filter_map(|s| s.next_due) {
                wait = wait.min(Duration::from_millis(due.0.saturating_sub(now.0).max(0) as u64));
            }
        }
        if !self.unpublished.is_empty() {
            wait = wait.min(Duration::from_millis(1));
        }
        wait
    }

    fn process(&mut self, records: &[Record]) -> Result<(), WorkerError> {
        let Some(first) = records.first() else { return Ok(()) };
        let (topic, shard) = (first.topic.clone(), first.shard);
        if !self.shards.contains_key(&shard) {
            return Ok(());
        }
        let begun = self.spec.clock.elapsed();
        let is_tick = topic == self.ticks;
        if !is_tick {
            self.tick_before_records(shard)?;
        }
        for (index, record) in records.iter().enumerate() {
            if index > 0 && self.is_overfull(shard, begun) {
                // The rest is polled again, by the next batch.
                self.session().seek(&topic, shard, record.offset)?;
                self.batch.full = true;
                break;
            }
            self.batch.records += 1;
            for reader in 0..self.wirings.len() {
                if is_tick {
                    self.read_tick(shard, reader, record)?;
                } else {
                    self.read_record(shard, reader, record)?;
                }
            }
        }
        Ok(())
    }

    fn read_record(&mut self, shard: Shard, reader: usize, record: &Record) -> Result<(), WorkerError> {
        let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
        let task = &mut state.tasks[reader];
        let Some(inlet) = task.wiring.inputs.get(&record.topic) else {
            return Ok(());
        };
        if task.paused.is_some() || record.offset < task.position(&record.topic) {
            return Ok(());
        }
        // On a head the mark would be a producer's own word.
        if !inlet.head && lineage::done_for(record, &task.wiring.mark) {
            task.pass(&record.topic, record.offset);
            task.counts.skipped += 1;
            self.stale_reports = true;
            if let Some(track) = state.tracks[reader].get_mut(&record.topic) {
                track.reached(record.offset.next());
            }
            return Ok(());
        }
        let work = lineage::Work::of_record(record, inlet, self.spec.manifest.partitions);
        loop {
            let task = &mut self.shards.get_mut(&shard).expect("held: checked by the caller").tasks[reader];
            let mark = task.mark();
            let before = task.pass(&record.topic, record.offset);
            let came = self.run_chain(shard, reader, &work)?;
            let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
            let task = &mut state.tasks[reader];
            if let Came::Concluded { passed } = came {
                if passed {
                    task.good = Some(work);
                }
                if let Some(track) = state.tracks[reader].get_mut(&record.topic) {
                    track.met(record, shard);
                    track.reached(record.offset.next());
                }
                return Ok(());
            }
            task.undo_to(&mark);
            task.positions.insert(record.topic.clone(), before);
            if task.paused.is_some() {
                return Ok(());
            }
            // A fused reader could not conclude and is paused: the same record again, which now stops before it.
        }
    }

    /// Nothing is left to read although positions lie below the ends of then: offsets have gaps.
    fn find_gaps(&mut self) -> Result<(), WorkerError> {
        let log = &self.spec.log;
        for state in self.shards.values_mut() {
            for (task, tracks) in state.tasks.iter().zip(&mut state.tracks) {
                for (topic, track) in tracks.iter_mut().filter(|(_, t)| !t.caught_up()) {
                    // What an open transaction still hides is not a gap.
                    let stable = log.bounds(topic, state.shard)?.end >= track.end();
                    let next = log.read(topic, state.shard, task.position(topic), 1)?;
                    if stable && next.first().is_none_or(|r| r.offset >= track.end()) {
                        track.nothing_left();
                    }
                }
            }
        }
        Ok(())
    }

    fn intake_closed(&self) -> bool {
        self.directive.intake == Intake::Closed
    }
}
