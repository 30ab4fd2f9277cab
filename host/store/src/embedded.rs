//! [`Embedded`]: the log as everyone outside sees it.

use crate::{
    commit::{Work, Writer},
    durability::Durability,
    group::Groups,
    options::Options,
    positions::Positions,
    pulse::Pulse,
    retention::Housekeeping,
    session::EmbeddedSession,
    stores::Stores,
    topic::{Read, ReadError, Topic},
};
use fermata_core::{
    CommitId, NewRecord, Offset, Record, Shard, TopicName,
    ports::{Appended, Bounds, Log, LogError, Namespace, Session, SessionSpec, TopicSpec},
};
use fjall::{Database, Keyspace};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicUsize},
    thread::JoinHandle,
    time::Duration,
};

/// The embedded log and state store of one folder. Closing (dropping) it syncs what is left.
///
/// Sessions and snapshots keep the folder in use until they are dropped too.
pub struct Embedded {
    pub(crate) shared: Arc<Shared>,
    /// They end when they are told that the log closes.
    pub(crate) threads: Vec<JoinHandle<()>>,
}

/// What the log, its sessions and its snapshots share.
pub(crate) struct Shared {
    pub database: Database,
    pub meta: Keyspace,
    pub pos: Keyspace,
    pub options: Options,
    pub topics: RwLock<HashMap<TopicName, Arc<Topic>>>,
    pub state: Arc<Stores>,
    pub positions: Mutex<Positions>,
    /// Taken after [`Self::writer`], when both are needed.
    pub groups: Mutex<Groups>,
    pub writer: Mutex<Writer>,
    pub durability: Durability,
    pub pulse: Arc<Pulse>,
    pub housekeeping: Housekeeping,
    /// Bytes of newest records that a partition may keep in memory.
    pub tail_bytes: AtomicUsize,
}

impl Shared {
    pub fn topic(&self, name: &TopicName) -> Result<Arc<Topic>, LogError> {
        let topics = self.topics.read();
        let found = topics.get(name).cloned();
        found.ok_or_else(|| LogError::UnknownTopic(name.clone()))
    }

    pub fn read(&self, topic: &Topic, shard: Shard, mut from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        let mut found = Vec::new();
        loop {
            let left = limit - found.len();
            let until = match topic.read(shard, from, left)? {
                Read::Records(records) if found.is_empty() => return Ok(records),
                Read::Records(records) => {
                    found.extend(records);
                    return Ok(found);
                }
                Read::Disk { until } => until,
            };
            let records = topic
                .read_disk(shard, from, until, left)
                .map_err(|found| self.unreadable(topic, shard, found))?;
            // Retention may have dropped what was being read.
            if topic.bounds(shard)?.start > from {
                continue;
            }
            found.extend(records);
            if found.len() == limit {
                return Ok(found);
            }
            from = Offset(until);
        }
    }

    fn unreadable(&self, topic: &Topic, shard: Shard, found: ReadError) -> LogError {
        let doing = format!("reading {}/{shard}", topic.name);
        match found {
            ReadError::Database(found) => self.durability.fail(&doing, &found),
            ReadError::Encoding(offset) => {
                let text = format!("the record at offset {offset} is not what was written");
                self.durability.fail(&doing, &text)
            }
        }
    }
}

impl Embedded {
    /// Sends a shard to another member of a group: its holder ends its batch first. `false`: no such group, shard
    /// or member.
    pub fn move_shard(&self, group: &str, shard: Shard, member: &str) -> bool {
        let sent = self.shared.groups.lock().send(group, shard, member);
        self.shared.pulse.beat();
        sent
    }
    /// The member that holds each shard of a group just now.
    pub fn owners(&self, group: &str) -> Vec<Option<String>> {
        self.shared.groups.lock().owners(group)
    }
    /// The last commit, durable or not.
    pub fn committed(&self) -> CommitId {
        CommitId(self.shared.durability.committed())
    }
    /// Bytes on disk: tables and journals.
    pub fn disk_bytes(&self) -> Result<u64, LogError> {
        self.shared.durability.check()?;
        let space = self.shared.database.disk_space();
        space.map_err(|found| self.shared.durability.fail("measuring the folder", &found))
    }
    /// Namespaces that hold or held state, in order.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.shared.state.namespaces()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shared.housekeeping.close();
        self.shared.durability.close();
        for thread in self.threads.drain(..) {
            // A panic in it has been reported where it happened.
            thread.join().ok();
        }
    }
}

impl Log for Embedded {
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.shared.durability.check()?;
        self.shared.ensure(topics)
    }

    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        self.shared.durability.check()?;
        let mut specs: Vec<_> = self.shared.topics.read().values().map(|t| t.spec()).collect();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(specs)
    }

    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        self.shared.durability.check()?;
        self.shared.topic(topic)?.bounds(shard)
    }

    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        self.shared.durability.check()?;
        let topic = self.shared.topic(topic)?;
        self.shared.read(&topic, shard, from, limit)
    }

    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        self.shared.durability.check()?;
        let topic = self.shared.topic(topic)?;
        let last = topic.last(shard)?;
        last.map_err(|found| self.shared.unreadable(&topic, shard, found))
    }

    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        let pending: Result<_, _> = records.into_iter().map(|r| self.shared.pending(r)).collect();
        let work = Work {
            records: pending?,
            ..Work::default()
        };
        let (commit, offsets) = self.shared.write(self.shared.writer.lock(), work)?;
        Ok(Appended { offsets, commit })
    }

    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        self.shared.durability.check()?;
        let session = EmbeddedSession::join(Arc::clone(&self.shared), spec)?;
        Ok(Box::new(session))
    }

    fn durable(&self) -> CommitId {
        CommitId(self.shared.durability.durable())
    }

    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError> {
        self.shared.durability.wait(commit.0, max_wait)
    }
}
