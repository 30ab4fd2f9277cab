//! Where partitions begin and end: for committed readers, and for readers of everything.

use crate::catalogue::Catalogue;
use crate::health::{Health, Reporting};
use crate::{KafkaOptions, convert, fault, settings};
use fermata_core::ports::{Bounds, LogError};
use fermata_core::{Offset, Shard, TopicName};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) type Asker = BaseConsumer<Reporting>;

/// Has its context hear what its connections meet: they come one by one, and nobody else polls it.
pub(crate) fn hear(asker: &Asker) {
    (0..16).for_each(|_| drop(asker.poll(Duration::ZERO)));
}

/// A partition that was just made, or whose leader was lost, has another one soon: so long it is waited for here.
const LED: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);
/// A leader that does not answer for so long may be one no more.
const ONCE: Duration = Duration::from_secs(2);

fn is_late(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(Code::OperationTimedOut)
}

fn is_moving(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::NotLeaderForPartition | Code::LeaderNotAvailable)
    )
}

pub(crate) struct Ends {
    committed: Asker,
    uncommitted: Asker,
    within: Duration,
    health: Arc<Health>,
}

/// A client without a group: for metadata and ends.
fn asker(options: &KafkaOptions, health: &Arc<Health>, committed: bool) -> Result<Asker, LogError> {
    settings::asker(options, committed)
        .create_with_context(Reporting(health.clone()))
        .map_err(|e| settings::making("the client for metadata", &e, health))
}

impl Ends {
    pub fn open(options: &KafkaOptions, health: &Arc<Health>) -> Result<Self, LogError> {
        Ok(Self {
            committed: asker(options, health, true)?,
            uncommitted: asker(options, health, false)?,
            within: options.answer_within,
            health: health.clone(),
        })
    }

    /// The client, for metadata.
    pub fn asker(&self) -> &Asker {
        &self.committed
    }

    fn watermarks(&self, asker: &Asker, topic: &TopicName, shard: Shard) -> Result<(Offset, Offset), LogError> {
        // The queue of a client without a group holds what its connections meet.
        hear(asker);
        let began = Instant::now();
        let found = loop {
            let once = self.within.min(ONCE);
            match asker.fetch_watermarks(topic.as_str(), convert::partition(shard), once) {
                Err(error) if is_moving(&error) && began.elapsed() < LED => std::thread::sleep(LOOK),
                // It asks the leader that it knows, and of another it hears only by asking who leads.
                Err(error) if is_late(&error) && began.elapsed() < self.within => {
                    drop(asker.fetch_metadata(Some(topic.as_str()), once));
                }
                found => break found,
            }
        };
        match found {
            Ok((start, end)) => Ok((convert::offset(start), convert::offset(end))),
            Err(error) => {
                hear(asker);
                if error.rdkafka_error_code().is_some_and(fault::unknown_topic) {
                    return Err(LogError::UnknownTopic(topic.clone()));
                }
                Err(fault::explain(
                    &format!("the ends of {topic}/{shard}"),
                    &error,
                    &self.health,
                ))
            }
        }
    }

    /// Start, and the last stable offset: what a committed reader may read.
    pub fn stable(&self, topic: &TopicName, shard: Shard) -> Result<(Offset, Offset), LogError> {
        self.watermarks(&self.committed, topic, shard)
    }

    pub fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        // In this order: what is written between the two only raises `high`.
        let (start, end) = self.stable(topic, shard)?;
        let (_, high) = self.watermarks(&self.uncommitted, topic, shard)?;
        Ok(Bounds {
            start,
            end,
            high: high.max(end),
        })
    }
}

impl Catalogue {
    /// Refuses what does not exist, as every log does.
    pub fn check(&self, topic: &TopicName, shard: Shard) -> Result<(), LogError> {
        let found = self.partitions(topic)?;
        match shard.0 < found {
            true => Ok(()),
            false => Err(LogError::PartitionCount {
                topic: topic.clone(),
                expected: shard.0 + 1,
                found,
            }),
        }
    }
}
