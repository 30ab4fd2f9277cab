//! What is compared: the journals as read once, and the bounds of the topics before and after.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::ports::{self, Log, LogError};
use fermata_core::{Offset, Shard, TopicName};

use super::journal::ShardLedger;
use super::lineage::{self, Cause, Lineage, caused_key};
use super::task::TaskLedger;

/// A transaction stays open at most so long: longer than a log lets one that nobody ends.
const OPEN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(2);

/// Bounds of every keyed topic at one moment.
pub struct Bounds(BTreeMap<TopicName, Vec<ports::Bounds>>);

impl Bounds {
    /// What can be read just now.
    pub fn take(manifest: &Manifest, log: &dyn Log) -> Result<Self, LogError> {
        Self::each(manifest, |topic, shard| log.bounds(topic, shard))
    }

    /// What was written up to now, once all of it can be read.
    pub fn decided(manifest: &Manifest, log: &dyn Log) -> Result<Self, LogError> {
        Self::each(manifest, |topic, shard| decided(log, topic, shard))
    }

    fn each(
        manifest: &Manifest,
        look: impl Fn(&TopicName, Shard) -> Result<ports::Bounds, LogError>,
    ) -> Result<Self, LogError> {
        let host = [Purpose::Journal, Purpose::Ticks, Purpose::DeadLetters].map(|p| p.topic(&manifest.name));
        let mut all = BTreeMap::new();
        for topic in host.into_iter().chain(manifest.topics.keys().cloned()) {
            let bounds: Result<Vec<_>, _> = (0..manifest.partitions)
                .map(|shard| look(&topic, Shard(shard)))
                .collect();
            all.insert(topic, bounds?);
        }
        Ok(Self(all))
    }

    pub fn know(&self, topic: &TopicName) -> bool {
        self.0.contains_key(topic)
    }

    pub fn of(&self, topic: &TopicName, shard: Shard) -> ports::Bounds {
        self.0[topic][shard.0 as usize]
    }
}

/// Bounds of a partition, once everything that was written to it before can be read or has come to nothing. A log on
/// several machines shows a transaction in one partition after the other.
pub fn decided(log: &dyn Log, topic: &TopicName, shard: Shard) -> Result<ports::Bounds, LogError> {
    let mut bounds = log.bounds(topic, shard)?;
    let (written, deadline) = (bounds.high, Instant::now() + OPEN);
    while bounds.end < written {
        if Instant::now() >= deadline {
            let found = format!(
                "{topic}/{shard}: an open transaction hides what lies behind offset {}",
                bounds.end
            );
            return Err(LogError::Away(found));
        }
        std::thread::sleep(LOOK);
        bounds = log.bounds(topic, shard)?;
    }
    Ok(bounds)
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

    pub fn knows(&self, topic: &TopicName) -> bool {
        self.end.know(topic)
    }

    /// Where to read a partition: from its oldest record to its end as of the second look.
    pub fn range(&self, topic: &TopicName, shard: Shard) -> ports::Bounds {
        self.end.of(topic, shard)
    }

    /// The task that wrote a record, as its headers say.
    pub fn task(&self, lineage: &Lineage<'_>) -> Option<&TaskLedger> {
        self.shard(lineage.cause.shard())?.tasks.get(lineage.stage)
    }

    pub fn settled(&self, topic: &TopicName, shard: Shard, offset: Offset) -> bool {
        offset < self.settled.of(topic, shard).end
    }

    /// Does the journal, as read, hold the event that led to the record?
    pub fn caused(&self, lineage: &Lineage<'_>) -> bool {
        // Its cause was read long before: what counts is when it left quarantine.
        if let Some(sequence) = lineage.released {
            let ledger = self.shard(lineage.cause.shard());
            return ledger.is_some_and(|ledger| sequence <= ledger.sequence);
        }
        self.task(lineage).is_some_and(|task| match lineage.cause {
            Cause::Read { topic, offset, .. } => task.passed(topic, offset),
            Cause::Fused { topic, steps, .. } => task.fused_lately(topic, &caused_key(lineage.id, steps)),
            Cause::Tick { at, .. } => at <= task.now,
        })
    }

    /// Does the journal, as read, hold the tick?
    pub fn ticked(&self, shard: Shard, identity: &str) -> bool {
        let at = lineage::tick(identity).map(|(_, at)| at);
        self.shard(shard).is_some_and(|ledger| at <= Some(ledger.last_tick))
    }
}
