//! A log whose topics and groups have a prefix that its user does not see, with state beside it.

use super::memory::Memory;
use crate::conformance::Subject;
use bytes::Bytes;
use fermata_core::{
    CommitId, NewRecord, Offset, PipelineName, Record, Shard, TopicName, changelog,
    ports::{
        Appended, Bounds, Commit, Committed, Log, LogError, Namespace, Polled, Session, SessionSpec, StateChange,
        StateError, StateRead, StateStore, TopicSpec,
    },
};
use fermata_kafka::KafkaLog;
use std::{sync::Arc, time::Duration};

#[derive(Clone)]
pub struct Prefix(String);

impl Prefix {
    pub fn of(pipeline: &PipelineName) -> Self {
        Self(format!("{pipeline}_"))
    }
    pub fn topic_of(&self, name: &str) -> TopicName {
        TopicName::new(format!("{}{name}", self.0)).expect("a prefix is short")
    }
    fn on(&self, topic: &TopicName) -> TopicName {
        self.topic_of(topic.as_str())
    }
    fn off(&self, topic: &TopicName) -> Option<TopicName> {
        let name = topic.as_str().strip_prefix(&self.0)?;
        TopicName::new(name).ok()
    }
    fn seen(&self, mut record: Record) -> Record {
        record.topic = self.off(&record.topic).expect("records are of topics asked for");
        record
    }
    fn sent(&self, mut record: NewRecord) -> NewRecord {
        record.topic = self.on(&record.topic);
        record
    }
    fn error(&self, found: LogError) -> LogError {
        let off = |topic: &TopicName| self.off(topic).unwrap_or_else(|| topic.clone());
        match found {
            LogError::UnknownTopic(topic) => LogError::UnknownTopic(off(&topic)),
            LogError::PartitionCount { topic, expected, found } => LogError::PartitionCount {
                topic: off(&topic),
                expected,
                found,
            },
            other => other,
        }
    }
}

#[derive(Clone)]
pub struct Named {
    log: Arc<KafkaLog>,
    prefix: Prefix,
    state: Arc<Memory>,
    /// Where state changes go.
    changelog: TopicName,
}

impl Named {
    /// Makes the changelog, with as many partitions as any case has shards.
    pub fn new(log: Arc<KafkaLog>, prefix: Prefix, state: Arc<Memory>, changelog: TopicSpec) -> Self {
        let name = changelog.name.clone();
        log.ensure(&[changelog]).expect("a changelog can be made");
        Self {
            log,
            prefix,
            state,
            changelog: name,
        }
    }

    /// The state of a shard as the changelog has it.
    fn restore(&self, shard: Shard) -> Result<(), LogError> {
        let bounds = self.log.bounds(&self.changelog, shard)?;
        let mut changes = Vec::new();
        if bounds.end > bounds.start {
            let records = self.log.read(&self.changelog, shard, bounds.start, 1_000_000)?;
            changes.extend(records.iter().map(|r| changelog::change(r).expect("a change")));
        }
        self.state.restore(shard, &changes);
        Ok(())
    }
}

impl Log for Named {
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let own = topics.iter().map(|spec| TopicSpec {
            name: self.prefix.on(&spec.name),
            partitions: spec.partitions,
        });
        let made = self.log.ensure(&own.collect::<Vec<_>>());
        made.map_err(|e| self.prefix.error(e))
    }
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        let own = |spec: TopicSpec| {
            let name = self.prefix.off(&spec.name)?;
            Some(TopicSpec { name, ..spec })
        };
        Ok(self.log.topics()?.into_iter().filter_map(own).collect())
    }
    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        let found = self.log.bounds(&self.prefix.on(topic), shard);
        found.map_err(|e| self.prefix.error(e))
    }
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        let found = self.log.read(&self.prefix.on(topic), shard, from, limit);
        let found = found.map_err(|e| self.prefix.error(e))?;
        Ok(found.into_iter().map(|r| self.prefix.seen(r)).collect())
    }
    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        let found = self.log.last(&self.prefix.on(topic), shard);
        Ok(found.map_err(|e| self.prefix.error(e))?.map(|r| self.prefix.seen(r)))
    }
    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        let own = records.into_iter().map(|r| self.prefix.sent(r)).collect();
        self.log.append(own).map_err(|e| self.prefix.error(e))
    }
    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        let own = SessionSpec {
            group: format!("{}{}", self.prefix.0, spec.group),
            topics: spec.topics.iter().map(|t| self.prefix.on(t)).collect(),
            ..spec
        };
        let session = self.log.join(own).map_err(|e| self.prefix.error(e))?;
        Ok(Box::new(NamedSession {
            session,
            log: self.clone(),
        }))
    }
    fn durable(&self) -> CommitId {
        self.log.durable()
    }
    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError> {
        self.log.wait_durable(commit, max_wait)
    }
}

struct NamedSession {
    session: Box<dyn Session>,
    log: Named,
}

impl NamedSession {
    fn own<T>(&self, result: Result<T, LogError>) -> Result<T, LogError> {
        result.map_err(|e| self.log.prefix.error(e))
    }
}

impl Session for NamedSession {
    /// Whoever takes a shard over finds its state as the log has it.
    fn poll(&mut self, max_wait: Duration, max_records: usize) -> Result<Polled, LogError> {
        let polled = self.session.poll(max_wait, max_records);
        Ok(match self.own(polled)? {
            Polled::Records(records) => Polled::Records(records.into_iter().map(|r| self.log.prefix.seen(r)).collect()),
            Polled::Assigned(shards) => {
                for shard in &shards {
                    self.log.restore(*shard)?;
                }
                Polled::Assigned(shards)
            }
            other => other,
        })
    }
    fn seek(&mut self, topic: &TopicName, shard: Shard, next: Offset) -> Result<(), LogError> {
        let done = self.session.seek(&self.log.prefix.on(topic), shard, next);
        self.own(done)
    }
    fn committed(&mut self, topic: &TopicName, shard: Shard) -> Result<Option<Offset>, LogError> {
        let found = self.session.committed(&self.log.prefix.on(topic), shard);
        self.own(found)
    }
    fn set_paused(&mut self, paused: &[(TopicName, Shard)]) {
        let own = paused.iter().map(|(topic, shard)| (self.log.prefix.on(topic), *shard));
        self.session.set_paused(&own.collect::<Vec<_>>());
    }
    fn append(&mut self, record: NewRecord) -> Result<Option<Offset>, LogError> {
        let done = self.session.append(self.log.prefix.sent(record));
        self.own(done)
    }
    fn commit(&mut self, mut batch: Commit) -> Result<Committed, LogError> {
        for (topic, _, _) in &mut batch.positions {
            *topic = self.log.prefix.on(topic);
        }
        let done = self.session.commit(batch);
        self.own(done)
    }
    fn abort(&mut self) -> Result<(), LogError> {
        let done = self.session.abort();
        self.own(done)
    }
    fn resolve(&mut self) -> Result<Committed, LogError> {
        let answer = self.session.resolve();
        self.own(answer)
    }
}

impl StateRead for Named {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.state.get(namespace, shard, key)
    }
    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        self.state.scan(namespace, shard, prefix, after, limit)
    }
}

impl StateStore for Named {
    fn apply(&self, id: CommitId, changes: &[StateChange]) -> Result<(), StateError> {
        self.state.apply(id, self.log.durable(), changes)
    }
    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError> {
        Ok(self.state.snapshot())
    }
    fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> Result<u64, StateError> {
        Ok(self.state.fork(from, to, shard))
    }
}

impl Subject for Named {
    /// The group's leader divides the shards, by the names of the members.
    fn move_shard(&self, _group: &str, _shard: Shard, _member: &str) -> bool {
        false
    }
    fn divides_by_name(&self) -> bool {
        true
    }
    fn pushes(&self) -> bool {
        true
    }
}
