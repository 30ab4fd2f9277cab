//! The simulated log outside sessions.

use super::{Simulated, session::SimSession, world::Effects};
use fermata_core::{
    CommitId, NewRecord, Offset, Record, Shard, TopicName,
    ports::{Appended, Bounds, Log, LogError, Session, SessionSpec, TopicSpec},
};
use std::{sync::Arc, time::Duration};

impl Log for Simulated {
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let mut world = self.world.lock();
        world.call()?;
        for spec in topics {
            let found = world.topics.get(&spec.name).map(|p| p.len() as u32);
            if let Some(found) = found.filter(|f| *f != spec.partitions) {
                return Err(LogError::PartitionCount {
                    topic: spec.name.clone(),
                    expected: spec.partitions,
                    found,
                });
            }
        }
        for spec in topics {
            let made = || vec![Default::default(); spec.partitions as usize];
            world.topics.entry(spec.name.clone()).or_insert_with(made);
        }
        Ok(())
    }

    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        let mut world = self.world.lock();
        world.call()?;
        let spec = |(name, partitions): (&TopicName, &Vec<_>)| TopicSpec {
            name: name.clone(),
            partitions: partitions.len() as u32,
        };
        Ok(world.topics.iter().map(spec).collect())
    }

    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        let mut world = self.world.lock();
        world.call()?;
        let partition = world.partition(topic, shard)?;
        Ok(Bounds {
            start: partition.start(),
            end: partition.end(),
            high: partition.high(),
        })
    }

    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        let mut world = self.world.lock();
        world.call()?;
        let partition = world.partition(topic, shard)?;
        if from < partition.start() {
            return Err(LogError::Trimmed {
                topic: topic.clone(),
                shard,
                asked: from,
                start: partition.start(),
            });
        }
        Ok(partition.read(from, limit))
    }

    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        let mut world = self.world.lock();
        world.call()?;
        Ok(world.partition(topic, shard)?.last())
    }

    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        let mut world = self.world.lock();
        world.call()?;
        if records.is_empty() {
            return Ok(Appended {
                offsets: Vec::new(),
                commit: CommitId(world.last),
            });
        }
        let txn = world.begin(None);
        let mut offsets = Vec::with_capacity(records.len());
        for record in records {
            match world.append(txn, record) {
                Ok(offset) => offsets.push(offset),
                Err(found) => {
                    world.end(txn, None);
                    return Err(found);
                }
            }
        }
        let commit = CommitId(world.commit(Some(txn), Effects::default()));
        Ok(Appended { offsets, commit })
    }

    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        Ok(Box::new(SimSession::join(Arc::clone(&self.world), spec)?))
    }

    fn durable(&self) -> CommitId {
        CommitId(self.world.lock().durable)
    }

    /// Nobody waits here; given any time at all, the disk would have had it.
    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError> {
        let mut world = self.world.lock();
        if !max_wait.is_zero() {
            world.sync();
        }
        Ok(world.durable >= commit.0)
    }
}
