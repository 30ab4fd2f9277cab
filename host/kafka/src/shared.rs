//! What the parts of one log share.

use crate::ahead::Ahead;
use crate::catalogue::Catalogue;
use crate::commits::Commits;
use crate::ends::Ends;
use crate::health::Health;
use crate::{KafkaOptions, Place, fault};
use fermata_core::{names, ports::LogError};
use rdkafka::error::KafkaError;
use std::sync::Arc;

pub(crate) struct Shared {
    pub options: KafkaOptions,
    pub health: Arc<Health>,
    pub catalogue: Catalogue,
    pub ends: Arc<Ends>,
    pub commits: Commits,
    pub ahead: Ahead,
}

impl Shared {
    pub fn group(&self) -> String {
        names::group(&self.options.pipeline)
    }
    pub fn explain(&self, doing: &str, error: &KafkaError) -> LogError {
        fault::explain(doing, error, &self.health)
    }
    /// `fermata.<pipeline>.<member>.<lane>`.
    pub fn transactional_id(&self, member: &str, lane: usize) -> String {
        format!("{}.{member}.{lane}", self.group())
    }
    /// A position that its partition does not have.
    pub fn out_of_range(&self, (topic, shard): &Place, asked: fermata_core::Offset) -> Result<(), LogError> {
        let bounds = self.ends.bounds(topic, *shard)?;
        if asked < bounds.start {
            return Err(LogError::Trimmed {
                topic: topic.clone(),
                shard: *shard,
                asked,
                start: bounds.start,
            });
        }
        if asked > bounds.high {
            let code = fermata_core::codes::LOG_KAFKA_POSITION;
            return Err(LogError::Fatal(format!(
                "{code}: {topic}/{shard} is to be read from offset {asked}, but ends at {}: the topic was deleted and \
                 made anew, or lost records. Restore it from a copy, or begin under a new pipeline name",
                bounds.high
            )));
        }
        Ok(())
    }
}
