//! What is compared: the journals as read once, and the bounds of the topics before and after.

use std::collections::BTreeMap;

use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::ports::{self, Log, LogError};
use fermata_core::{Shard, TopicName};

use super::journal::ShardLedger;
use super::lineage::{Cause, Lineage};
use super::task::TaskLedger;

/// Bounds of every keyed topic at one moment.
pub struct Bounds(BTreeMap<TopicName, Vec<ports::Bounds>>);

impl Bounds {
    /// The journals' first: a transaction seen in another topic then ends behind them, or in what they hold.
    pub fn take(manifest: &Manifest, log: &dyn Log) -> Result<Self, LogError> {
        let host = [Purpose::Journal, Purpose::Ticks, Purpose::DeadLetters].map(|p| p.topic(&manifest.name));
        let mut all = BTreeMap::new();
        for topic in host.into_iter().chain(manifest.topics.keys().cloned()) {
            let bounds: Result<Vec<_>, _> =
                (0..manifest.partitions).map(|shard| log.bounds(&topic, Shard(shard))).collect();
            all.insert(topic, bounds?);
        }
        Ok(Self(all))
    }

    pub fn of(&self, topic: &TopicName, shard: Shard) -> ports::Bounds {
        self.0[topic][shard.0 as usize]
    }

    /// Partitions of `topic` whose first records are gone.
    fn trimmed(&self, topic: &TopicName) -> bool {
        self.0[topic].iter().any(|b| b.start.0 > 0)
    }
}

/// The journals, and the topics around them.
pub struct Cut {
    settled: Bounds,
    end: Bounds,
    ledgers: Vec<ShardLedger>,
}

impl Cut {
    pub fn new(settled: Bounds, end: Bounds, ledgers: Vec<ShardLedger>) -> Self {
        Self { settled, end, ledgers }
    }

    pub fn shards(&self) -> impl Iterator<Item = &ShardLedger> {
        self.ledgers.iter()
    }

    pub fn shard(&self, shard: Shard) -> Option<&ShardLedger> {
        self.ledgers.get(shard.0 as usize)
    }

    /// Where to read a partition: from its oldest record to its end as of the second look.
    pub fn range(&self, topic: &TopicName, shard: Shard) -> ports::Bounds {
        self.end.of(topic, shard)
    }

    /// Retention dropped records of the topic on some shard.
    pub fn trimmed(&self, topic: &TopicName) -> bool {
        self.end.trimmed(topic)
    }

    pub fn task(&self, lineage: &Lineage<'_>) -> Option<&TaskLedger> {
        self.shard(lineage.cause.shard())?.tasks.get(lineage.stage)
    }

    /// Does the record at `offset` of `topic`/`shard` belong to a transaction of the cut?
    pub fn holds(&self, topic: &TopicName, shard: Shard, offset: fermata_core::Offset, lineage: &Lineage<'_>) -> bool {
        if offset < self.settled.of(topic, shard).end {
            return true;
        }
        self.task(lineage).is_some_and(|task| match lineage.cause {
            Cause::Read { topic, offset, .. } => task.passed(topic, offset),
            Cause::Fused { topic, identity, .. } => task.fused_lately(topic, identity),
        })
    }
}
