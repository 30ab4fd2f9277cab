//! A log in memory, readable as any and editable as none.

use std::collections::BTreeMap;
use std::time::Duration;

use fermata_core::ports::{Appended, Bounds, Log, LogError, Session, SessionSpec, TopicSpec};
use fermata_core::{CommitId, NewRecord, Offset, Record, Shard, TopicName};
use parking_lot::Mutex;

#[derive(Default)]
pub struct MemoryLog(Mutex<BTreeMap<(TopicName, Shard), Vec<Record>>>);

impl MemoryLog {
    /// The records of one partition, to be changed at will.
    pub fn edit<T>(&self, topic: &str, shard: u32, change: impl FnOnce(&mut Vec<Record>) -> T) -> T {
        let mut all = self.0.lock();
        change(all.entry((TopicName::new(topic).unwrap(), Shard(shard))).or_default())
    }

    pub fn partitions(&self) -> Vec<(TopicName, Shard)> {
        self.0.lock().keys().cloned().collect()
    }

    pub fn end(&self, topic: &str, shard: u32) -> u64 {
        self.edit(topic, shard, |records| records.last().map_or(0, |r| r.offset.0 + 1))
    }
}

impl Log for MemoryLog {
    fn ensure(&self, _topics: &[TopicSpec]) -> Result<(), LogError> {
        Ok(())
    }
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        Ok(Vec::new())
    }
    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        let all = self.0.lock();
        let records = all.get(&(topic.clone(), shard)).map(Vec::as_slice).unwrap_or_default();
        let end = records.last().map_or(Offset(0), |r| r.offset.next());
        // A partition that begins late was trimmed; tests that drop a first record mean something else.
        let start = records.first().map_or(end, |r| r.offset);
        Ok(Bounds {
            start: if start.0 >= TRIMMED { start } else { Offset(0) },
            end,
            high: end,
        })
    }
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        let all = self.0.lock();
        let records = all.get(&(topic.clone(), shard)).map(Vec::as_slice).unwrap_or_default();
        Ok(records
            .iter()
            .filter(|r| r.offset >= from)
            .take(limit.min(3))
            .cloned()
            .collect())
    }
    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        Ok(self
            .0
            .lock()
            .get(&(topic.clone(), shard))
            .and_then(|records| records.last().cloned()))
    }
    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        let mut all = self.0.lock();
        let mut offsets = Vec::new();
        for record in records {
            let partition = all.entry((record.topic.clone(), record.shard)).or_default();
            let offset = partition.last().map_or(Offset(0), |r| r.offset.next());
            partition.push(record.at(offset));
            offsets.push(offset);
        }
        Ok(Appended {
            offsets,
            commit: CommitId(0),
        })
    }
    fn join(&self, _spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        Err(LogError::Fatal("this log has no sessions".into()))
    }
    fn durable(&self) -> CommitId {
        CommitId(0)
    }
    fn wait_durable(&self, _commit: CommitId, _max_wait: Duration) -> Result<bool, LogError> {
        Ok(true)
    }
}

/// Partitions that begin at this offset or later count as trimmed.
pub const TRIMMED: u64 = 2;
