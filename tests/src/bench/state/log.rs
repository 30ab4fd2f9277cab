//! A changelog in memory, with one partition.

use fermata_core::ports::{Appended, Bounds, Log, LogError, Session, SessionSpec, StateChange, TopicSpec};
use fermata_core::{CommitId, NewRecord, Offset, PipelineName, Record, Shard, Timestamp, TopicName, changelog, names};
use parking_lot::RwLock;
use std::time::Duration;

pub struct Changelog {
    pipeline: PipelineName,
    records: RwLock<Vec<Record>>,
    commits: RwLock<u64>,
}

impl Changelog {
    pub fn new(pipeline: PipelineName) -> Self {
        Self {
            records: RwLock::default(),
            commits: RwLock::new(0),
            pipeline,
        }
    }

    /// The changes become records.
    pub fn commit(&self, changes: &[StateChange]) -> CommitId {
        let mut records = self.records.write();
        for change in changes {
            let record = changelog::record(&self.pipeline, change, Timestamp(0));
            let offset = Offset(records.len() as u64);
            records.push(record.at(offset));
        }
        let mut commits = self.commits.write();
        *commits += 1;
        CommitId(*commits)
    }

    pub fn records(&self) -> usize {
        self.records.read().len()
    }

    fn of<T>(&self, topic: &TopicName, look: impl FnOnce(&[Record]) -> T) -> Result<T, LogError> {
        match *topic == names::changelog(&self.pipeline) {
            true => Ok(look(&self.records.read())),
            false => Err(LogError::UnknownTopic(topic.clone())),
        }
    }
}

impl Log for Changelog {
    fn ensure(&self, _topics: &[TopicSpec]) -> Result<(), LogError> {
        Ok(())
    }
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        Ok(vec![TopicSpec {
            name: names::changelog(&self.pipeline),
            partitions: 1,
        }])
    }
    fn bounds(&self, topic: &TopicName, _shard: Shard) -> Result<Bounds, LogError> {
        self.of(topic, |records| {
            let end = Offset(records.len() as u64);
            Bounds {
                start: Offset(0),
                end,
                high: end,
            }
        })
    }
    fn read(&self, topic: &TopicName, _shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        self.of(topic, |records| {
            let from = usize::try_from(from.0).unwrap_or(usize::MAX).min(records.len());
            records[from..].iter().take(limit).cloned().collect()
        })
    }
    fn last(&self, topic: &TopicName, _shard: Shard) -> Result<Option<Record>, LogError> {
        self.of(topic, |records| records.last().cloned())
    }
    fn append(&self, _records: Vec<NewRecord>) -> Result<Appended, LogError> {
        Err(unasked())
    }
    fn join(&self, _spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        Err(unasked())
    }
    fn durable(&self) -> CommitId {
        CommitId(*self.commits.read())
    }
    fn wait_durable(&self, commit: CommitId, _max_wait: Duration) -> Result<bool, LogError> {
        Ok(self.durable() >= commit)
    }
}

fn unasked() -> LogError {
    LogError::Fatal("a store only reads its changelog".into())
}
