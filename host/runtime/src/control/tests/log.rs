//! A log and a store in memory.

use bytes::Bytes;
use fermata_core::ports::{
    Appended, Bounds, Clock, Log, LogError, Namespace, Session, SessionSpec, StateChange, StateError, StateRead,
    StateStore, TopicSpec,
};
use fermata_core::{CommitId, NewRecord, Offset, Record, Shard, TopicName};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

#[derive(Default)]
pub(crate) struct MemoryLog {
    partitions: Mutex<BTreeMap<(TopicName, Shard), Vec<Record>>>,
    commits: AtomicU64,
    durable: AtomicU64,
    /// Nothing becomes durable while it is set.
    pub hold: AtomicBool,
    /// The next append happens, but its answer is lost.
    pub lose_answer: AtomicBool,
    /// What it calls its topics.
    pub identities: Mutex<BTreeMap<TopicName, String>>,
    /// The next append does not happen.
    pub refuse: AtomicBool,
}

impl MemoryLog {
    pub fn all(&self, topic: &TopicName, shard: Shard) -> Vec<Record> {
        self.partitions
            .lock()
            .get(&(topic.clone(), shard))
            .cloned()
            .unwrap_or_default()
    }
    pub fn release(&self) {
        self.hold.store(false, Ordering::SeqCst);
        self.durable
            .store(self.commits.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Log for MemoryLog {
    fn ensure(&self, _: &[TopicSpec]) -> Result<(), LogError> {
        Ok(())
    }
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        Ok(Vec::new())
    }
    fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, String>, LogError> {
        let mut known = self.identities.lock().clone();
        known.retain(|topic, _| topics.contains(topic));
        Ok(known)
    }
    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        let end = self.all(topic, shard).last().map_or(Offset(0), |r| r.offset.next());
        Ok(Bounds {
            start: Offset(0),
            end,
            high: end,
        })
    }
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        Ok(self
            .all(topic, shard)
            .into_iter()
            .filter(|r| r.offset >= from)
            .take(limit)
            .collect())
    }
    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        Ok(self.all(topic, shard).pop())
    }
    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        if self.refuse.swap(false, Ordering::SeqCst) {
            return Err(LogError::Away("refused by the test".into()));
        }
        let mut partitions = self.partitions.lock();
        let mut offsets = Vec::new();
        for record in records {
            let partition = partitions.entry((record.topic.clone(), record.shard)).or_default();
            let offset = partition.last().map_or(Offset(0), |r| r.offset.next());
            offsets.push(offset);
            partition.push(record.at(offset));
        }
        let commit = CommitId(self.commits.fetch_add(1, Ordering::SeqCst) + 1);
        if !self.hold.load(Ordering::SeqCst) {
            self.durable.store(commit.0, Ordering::SeqCst);
        }
        if self.lose_answer.swap(false, Ordering::SeqCst) {
            return Err(LogError::Away("the answer was lost".into()));
        }
        Ok(Appended { offsets, commit })
    }
    fn join(&self, _: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        Err(LogError::Fatal("this fake has no sessions".into()))
    }
    fn durable(&self) -> CommitId {
        CommitId(self.durable.load(Ordering::SeqCst))
    }
    fn wait_durable(&self, commit: CommitId, _: Duration) -> Result<bool, LogError> {
        Ok(self.durable() >= commit)
    }
}

type Entries = BTreeMap<(Namespace, Shard, Bytes), Bytes>;

/// State whose commit number a test sets itself.
#[derive(Default)]
pub(crate) struct MemoryStore {
    entries: Arc<Mutex<Entries>>,
    pub commit: AtomicU64,
}

struct Snapshot(Entries);

impl MemoryStore {
    pub fn put(&self, namespace: Namespace, shard: Shard, key: &[u8], value: &[u8]) {
        self.entries.lock().insert(
            (namespace, shard, Bytes::copy_from_slice(key)),
            Bytes::copy_from_slice(value),
        );
    }
}

impl StateRead for Snapshot {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        Ok(self
            .0
            .get(&(namespace.clone(), shard, Bytes::copy_from_slice(key)))
            .cloned())
    }
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        let mine = self
            .0
            .iter()
            .filter(|((n, s, key), _)| n == namespace && *s == shard && key.starts_with(prefix));
        let behind = mine.filter(|((_, _, key), _)| after.is_none_or(|after| key.as_ref() > after));
        Ok(behind
            .take(limit)
            .map(|((_, _, key), value)| (key.clone(), value.clone()))
            .collect())
    }
}

impl StateRead for MemoryStore {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        Snapshot(self.entries.lock().clone()).get(namespace, shard, key)
    }
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        Snapshot(self.entries.lock().clone()).scan(namespace, shard, prefix, after, limit)
    }
}

impl StateStore for MemoryStore {
    fn apply(&self, _: CommitId, _: &[StateChange]) -> Result<(), StateError> {
        Ok(())
    }
    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError> {
        let commit = CommitId(self.commit.load(Ordering::SeqCst));
        Ok((commit, Arc::new(Snapshot(self.entries.lock().clone()))))
    }
    fn fork(&self, _: &Namespace, _: &Namespace, _: Shard) -> Result<u64, StateError> {
        Ok(0)
    }
}

/// Time that a test moves.
#[derive(Default)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis * 1_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_micros(&self) -> i64 {
        1_700_000_000_000_000 + self.0.load(Ordering::SeqCst)
    }
    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}
