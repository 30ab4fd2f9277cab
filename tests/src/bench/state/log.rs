//! Two changelogs in memory, of one stage and of the host, with one partition.

use fermata_core::ports::{Appended, Bounds, Log, LogError, Session, SessionSpec, StateChange, TopicSpec};
use fermata_core::{
    CommitId, NewRecord, Offset, PipelineName, Record, Shard, StageName, Timestamp, TopicName, changelog, names,
};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::time::Duration;

pub struct Changelogs {
    pipeline: PipelineName,
    topics: RwLock<HashMap<TopicName, Vec<Record>>>,
    commits: RwLock<u64>,
}

impl Changelogs {
    pub fn new(pipeline: PipelineName, stage: StageName) -> Self {
        let host = changelog::shard_namespace().stage.clone();
        let topics = [stage, host].map(|stage| (names::changelog(&pipeline, &stage), Vec::new()));
        Self {
            topics: RwLock::new(topics.into()),
            commits: RwLock::new(0),
            pipeline,
        }
    }

    /// The changes become records.
    pub fn commit(&self, changes: &[StateChange]) -> CommitId {
        let mut topics = self.topics.write();
        for change in changes {
            let record = changelog::record(&self.pipeline, change, Timestamp(0));
            let records = topics.entry(record.topic.clone()).or_default();
            let offset = Offset(records.len() as u64);
            records.push(record.at(offset));
        }
        let mut commits = self.commits.write();
        *commits += 1;
        CommitId(*commits)
    }

    pub fn records(&self) -> usize {
        self.topics.read().values().map(Vec::len).sum()
    }

    fn of<T>(&self, topic: &TopicName, look: impl FnOnce(&[Record]) -> T) -> Result<T, LogError> {
        let topics = self.topics.read();
        let records = topics.get(topic);
        let records = records.ok_or_else(|| LogError::UnknownTopic(topic.clone()))?;
        Ok(look(records))
    }
}

impl Log for Changelogs {
    fn ensure(&self, _topics: &[TopicSpec]) -> Result<(), LogError> {
        Ok(())
    }
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        let spec = |name: &TopicName| TopicSpec {
            name: name.clone(),
            partitions: 1,
        };
        Ok(self.topics.read().keys().map(spec).collect())
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
    LogError::Fatal("a store only reads changelogs".into())
}
