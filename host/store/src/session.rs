//! One member's session: its shards, where it reads, and its open transaction.

use crate::{
    commit::{Pending, Work},
    embedded::Shared,
    group::{Change, MemberId, Replaced, replaced},
    pulse::deadline,
    topic::Topic,
};
use fermata_core::{
    NewRecord, Offset, Shard, TopicName,
    ports::{Commit, Committed, LogError, Polled, Session, SessionSpec},
};
use std::{sync::Arc, time::Duration};

pub(crate) struct EmbeddedSession {
    shared: Arc<Shared>,
    group: String,
    id: MemberId,
    /// In poll order.
    topics: Vec<Reading>,
    held: Vec<Shard>,
    open: Vec<Pending>,
    /// The answer to the last commit.
    last: Option<Committed>,
}

/// One topic as this session reads it; by shard.
struct Reading {
    topic: Arc<Topic>,
    next: Vec<Option<Offset>>,
    paused: Vec<bool>,
    /// The shard served last: the next poll begins behind it.
    served: u32,
}

impl EmbeddedSession {
    pub fn join(shared: Arc<Shared>, spec: SessionSpec) -> Result<Self, LogError> {
        let mut topics = Vec::with_capacity(spec.topics.len());
        for name in &spec.topics {
            let topic = shared.topic(name)?;
            let found = topic.spec().partitions;
            if found != spec.partitions {
                return Err(LogError::PartitionCount {
                    topic: name.clone(),
                    expected: spec.partitions,
                    found,
                });
            }
            topics.push(Reading {
                topic,
                next: vec![None; found as usize],
                paused: vec![false; found as usize],
                served: 0,
            });
        }
        // The writer's lock: a commit of the session that this one replaces is before or refused.
        let writer = shared.writer.lock();
        let id = shared.groups.lock().join(&spec.group, &spec.member, spec.partitions);
        for topic in &spec.topics {
            shared.positions.lock().note_reader(&spec.group, topic);
        }
        drop(writer);
        shared.pulse.beat();
        Ok(Self {
            shared,
            group: spec.group,
            id,
            topics,
            held: Vec::new(),
            open: Vec::new(),
            last: None,
        })
    }

    fn reading(&mut self, topic: &TopicName, shard: Shard) -> Result<&mut Reading, LogError> {
        let found = self.topics.iter_mut().find(|r| &r.topic.name == topic);
        let reading = found.ok_or_else(|| LogError::UnknownTopic(topic.clone()))?;
        reading.topic.has(shard)?;
        Ok(reading)
    }

    fn release(&mut self) -> Result<(), LogError> {
        let released = self.shared.groups.lock().release(&self.group, self.id);
        let released = released.map_err(fenced)?;
        if released.is_empty() {
            return Ok(());
        }
        self.held.retain(|shard| !released.contains(shard));
        for reading in &mut self.topics {
            for shard in &released {
                reading.next[shard.0 as usize] = None;
            }
        }
        self.shared.pulse.beat();
        Ok(())
    }

    fn changed(&mut self) -> Result<Option<Polled>, LogError> {
        let change = self.shared.groups.lock().next_change(&self.group, self.id);
        Ok(match change.map_err(fenced)? {
            None => None,
            Some(Change::Revoked(shards)) => Some(Polled::Revoked { shards, lost: false }),
            Some(Change::Assigned(shards)) => {
                self.held.extend_from_slice(&shards);
                self.held.sort_unstable();
                Some(Polled::Assigned(shards))
            }
        })
    }

    /// Records of the first topic that has any, of the shard that waited longest.
    fn records(&mut self, limit: usize) -> Result<Option<Polled>, LogError> {
        for reading in &mut self.topics {
            let first = self.held.partition_point(|s| s.0 <= reading.served);
            let turn = self.held[first..].iter().chain(&self.held[..first]);
            for shard in turn {
                let index = shard.0 as usize;
                let Some(from) = reading.next[index] else {
                    continue;
                };
                if reading.paused[index] || from >= reading.topic.bounds(*shard)?.end {
                    continue;
                }
                let records = self.shared.read(&reading.topic, *shard, from, limit)?;
                if let Some(last) = records.last() {
                    reading.next[index] = Some(last.offset.next());
                    reading.served = shard.0;
                    return Ok(Some(Polled::Records(records)));
                }
            }
        }
        Ok(None)
    }
}

fn fenced(Replaced: Replaced) -> LogError {
    LogError::Fenced(replaced())
}

impl Session for EmbeddedSession {
    fn poll(&mut self, max_wait: Duration, max_records: usize) -> Result<Polled, LogError> {
        let deadline = deadline(max_wait);
        self.release()?;
        loop {
            self.shared.durability.check()?;
            let seen = self.shared.pulse.now();
            if let Some(change) = self.changed()? {
                return Ok(change);
            }
            if let Some(records) = self.records(max_records)? {
                return Ok(records);
            }
            if max_wait.is_zero() || !self.shared.pulse.wait(seen, deadline) {
                return Ok(Polled::Idle);
            }
        }
    }

    fn seek(&mut self, topic: &TopicName, shard: Shard, next: Offset) -> Result<(), LogError> {
        self.reading(topic, shard)?.next[shard.0 as usize] = Some(next);
        Ok(())
    }

    fn committed(&mut self, topic: &TopicName, shard: Shard) -> Result<Option<Offset>, LogError> {
        self.shared.durability.check()?;
        self.shared.topic(topic)?.has(shard)?;
        let positions = self.shared.positions.lock();
        Ok(positions.get(&self.group, topic, shard))
    }

    fn set_paused(&mut self, paused: &[(TopicName, Shard)]) {
        for reading in &mut self.topics {
            reading.paused.fill(false);
        }
        for (topic, shard) in paused {
            if let Ok(reading) = self.reading(topic, *shard) {
                reading.paused[shard.0 as usize] = true;
            }
        }
    }

    /// The offset is given at the commit: several sessions append to one partition.
    fn append(&mut self, record: NewRecord) -> Result<Option<Offset>, LogError> {
        self.shared.durability.check()?;
        self.open.push(self.shared.pending(record)?);
        Ok(None)
    }

    fn commit(&mut self, batch: Commit) -> Result<Committed, LogError> {
        let records = std::mem::take(&mut self.open);
        let writer = self.shared.writer.lock();
        let touched = batch.positions.iter().map(|(_, shard, _)| *shard);
        let touched = touched.chain(batch.changes.iter().map(|c| c.shard));
        let held = self.shared.groups.lock().holds(&self.group, self.id, touched);
        let answer = match held {
            Err(reason) => Committed::No { reason },
            Ok(()) => {
                let work = Work {
                    records,
                    group: &self.group,
                    positions: &batch.positions,
                    changes: &batch.changes,
                };
                Committed::Yes(self.shared.write(writer, work)?.0)
            }
        };
        self.last = Some(answer.clone());
        Ok(answer)
    }

    fn abort(&mut self) -> Result<(), LogError> {
        self.open.clear();
        self.shared.durability.check()
    }

    /// Nothing is ever unknown here.
    fn resolve(&mut self) -> Result<Committed, LogError> {
        self.shared.durability.check()?;
        let none = || Committed::No {
            reason: "this session has not committed anything".into(),
        };
        Ok(self.last.clone().unwrap_or_else(none))
    }
}

impl Drop for EmbeddedSession {
    fn drop(&mut self) {
        self.shared.groups.lock().leave(&self.group, self.id);
        self.shared.pulse.beat();
    }
}
