//! The simulated log with a changelog, and local state beside it, that whoever is assigned a shard restores.

use super::{Fixture, Subject, kit::GROUP};
use crate::simulated::{Faults, Mode, Simulated};
use bytes::Bytes;
use fermata_core::{
    CommitId, NewRecord, Offset, PipelineName, Record, Sequence, Shard, TopicName, changelog, names,
    ports::{
        Appended, Bounds, Commit, Committed, Log, LogError, Namespace, Polled, Restored, Session, SessionSpec,
        StateChange, StateError, StateRead, StateStore, TopicSpec,
    },
};
use fermata_store::{Local, LocalOptions};
use std::{cell::Cell, sync::Arc, time::Duration};
use tempfile::TempDir;

/// As many as any case asks for.
const SHARDS: u32 = 8;

fn pipeline() -> PipelineName {
    PipelineName::new("conformance").expect("a valid name")
}

/// Opened again, the log has crashed and the folder is as it was left.
pub struct LocalFixture {
    log: Simulated,
    folder: TempDir,
    opened: Cell<bool>,
}

impl LocalFixture {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let log = Simulated::new(seed, Mode::Kafka, Faults::NONE);
        log.keep_changelog(&pipeline());
        let changelog = TopicSpec {
            name: names::changelog(&pipeline()),
            partitions: SHARDS,
        };
        log.ensure(&[changelog]).expect("no faults yet");
        log.set_faults(faults);
        Self {
            log,
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            opened: Cell::new(false),
        }
    }
}

impl Fixture for LocalFixture {
    fn open(&self) -> Arc<dyn Subject> {
        if self.opened.replace(true) {
            self.log.crash();
        }
        let mut options = LocalOptions::new(pipeline(), SHARDS, "conformance");
        // Positions rise all the time.
        options.tend_every = Some(Duration::from_millis(1));
        options.raise_changes = 5;
        let local = Local::open(self.folder.path(), options, Arc::new(self.log.clone()));
        Arc::new(WithLocal {
            local: local.unwrap_or_else(|found| panic!("local state does not open: {found}")),
            log: self.log.clone(),
        })
    }
}

struct WithLocal {
    log: Simulated,
    local: Arc<Local>,
}

impl Subject for WithLocal {
    fn move_shard(&self, group: &str, shard: Shard, member: &str) -> bool {
        self.log.move_shard(group, shard, member)
    }
}

impl StateRead for WithLocal {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.local.get(namespace, shard, key)
    }
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        self.local.scan(namespace, shard, prefix, after, limit)
    }
}

impl StateStore for WithLocal {
    fn apply(&self, id: CommitId, changes: &[StateChange]) -> Result<(), StateError> {
        self.local.apply(id, changes)
    }
    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError> {
        self.local.snapshot()
    }
    fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> Result<u64, StateError> {
        self.local.fork(from, to, shard)
    }
}

impl Log for WithLocal {
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.log.ensure(topics)
    }
    /// The case's own.
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        let mut topics = self.log.topics()?;
        topics.retain(|spec| spec.name != names::changelog(&pipeline()));
        Ok(topics)
    }
    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        self.log.bounds(topic, shard)
    }
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        self.log.read(topic, shard, from, limit)
    }
    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        self.log.last(topic, shard)
    }
    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        self.log.append(records)
    }
    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        Ok(Box::new(Restoring {
            // Only the suite's group writes state.
            state: (spec.group == GROUP).then(|| self.local.for_worker()).flatten(),
            session: self.log.join(spec)?,
            log: self.log.clone(),
            assigned: Vec::new(),
            unrestored: Vec::new(),
            leaving: Vec::new(),
        }))
    }
    fn durable(&self) -> CommitId {
        self.log.durable()
    }
    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError> {
        self.log.wait_durable(commit, max_wait)
    }
}

/// A session whose shards are assigned when their state is there.
struct Restoring {
    session: Box<dyn Session>,
    state: Option<Arc<dyn StateStore>>,
    log: Simulated,
    assigned: Vec<Shard>,
    unrestored: Vec<Shard>,
    /// Revoked, and held until the next poll.
    leaving: Vec<Shard>,
}

impl Restoring {
    /// The last note on the log stands in for a journal.
    fn noted(&self, shard: Shard) -> Result<Option<Sequence>, LogError> {
        let topic = names::changelog(&pipeline());
        let bounds = self.log.bounds(&topic, shard)?;
        if bounds.end < bounds.high {
            return Ok(None);
        }
        // Not every case notes what it writes.
        let records = self.log.read(&topic, shard, bounds.start, usize::MAX)?;
        let changes = records.iter().rev().filter_map(|r| changelog::change(r).ok());
        let note = changes.into_iter().find_map(|change| changelog::noted(&change));
        Ok(Some(note.unwrap_or_default()))
    }

    /// `true`: nothing is left to restore.
    fn restore(&mut self) -> Result<bool, LogError> {
        let Some(state) = self.state.clone() else {
            return Ok(true);
        };
        while let Some(shard) = self.unrestored.last().copied() {
            let Some(noted) = self.noted(shard)? else {
                return Ok(false);
            };
            if state.restore(shard, noted, Duration::from_millis(10))? != Restored::Ready {
                return Ok(false);
            }
            self.unrestored.pop();
        }
        Ok(true)
    }

    fn release(&self, shards: &[Shard]) {
        for shard in shards {
            if let Some(state) = &self.state {
                state.release(*shard);
            }
        }
    }
}

impl Session for Restoring {
    fn poll(&mut self, max_wait: Duration, max_records: usize) -> Result<Polled, LogError> {
        let leaving = std::mem::take(&mut self.leaving);
        self.release(&leaving);
        if !self.assigned.is_empty() {
            return Ok(match self.restore()? {
                true => Polled::Assigned(std::mem::take(&mut self.assigned)),
                false => Polled::Idle,
            });
        }
        let polled = self.session.poll(max_wait, max_records)?;
        match &polled {
            Polled::Assigned(shards) => {
                self.assigned.clone_from(shards);
                self.unrestored.clone_from(shards);
                return self.poll(max_wait, max_records);
            }
            Polled::Revoked { shards, lost: true } => self.release(shards),
            Polled::Revoked { shards, lost: false } => self.leaving.clone_from(shards),
            Polled::Records(_) | Polled::Idle => {}
        }
        Ok(polled)
    }
    fn seek(&mut self, topic: &TopicName, shard: Shard, next: Offset) -> Result<(), LogError> {
        self.session.seek(topic, shard, next)
    }
    fn committed(&mut self, topic: &TopicName, shard: Shard) -> Result<Option<Offset>, LogError> {
        self.session.committed(topic, shard)
    }
    fn set_paused(&mut self, paused: &[(TopicName, Shard)]) {
        self.session.set_paused(paused);
    }
    fn append(&mut self, record: NewRecord) -> Result<Option<Offset>, LogError> {
        self.session.append(record)
    }
    fn commit(&mut self, batch: Commit) -> Result<Committed, LogError> {
        self.session.commit(batch)
    }
    fn abort(&mut self) -> Result<(), LogError> {
        self.session.abort()
    }
    fn resolve(&mut self) -> Result<Committed, LogError> {
        self.session.resolve()
    }
}
