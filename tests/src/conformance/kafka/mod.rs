//! The suite on a real broker that it shares with others: each fixture's topics, groups and transactional ids are its
//! own, by a prefix that no case sees.

mod memory;
mod named;

use super::{Fixture, Subject};
use fermata_core::{
    PipelineName, names,
    ports::{LogError, TopicSpec},
};
use fermata_kafka::{KafkaLog, KafkaOptions};
use memory::Memory;
use named::{Named, Prefix};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A log on the broker at `bootstrap`; opened again, it is the same topics by another process's clients.
pub struct KafkaFixture {
    options: KafkaOptions,
    prefix: Prefix,
    /// Outlives the log, as the changelog does.
    state: Arc<Memory>,
}

/// As many as any case asks for.
const SHARDS: u32 = 8;

impl KafkaFixture {
    /// `pipeline` is not used by anybody else on this broker.
    pub fn new(bootstrap: &str, pipeline: &str) -> Self {
        let pipeline = PipelineName::new(pipeline).expect("fixtures use valid names");
        let settings = [("bootstrap.servers", bootstrap), ("session.timeout.ms", "6000")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut options = KafkaOptions::new(pipeline, "node", BTreeMap::from(settings));
        // Of a broker that shares its machine with every other test.
        options.answer_within = Duration::from_secs(60);
        let prefix = Prefix::of(&options.pipeline);
        // Records of cases are as old as the epoch: by default they would be deleted at once.
        let kept = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let topics = ["a", "b", "in", "out", "other", "up", "down", "a.b", "new"].map(|name| prefix.topic_of(name));
        options.topics = topics
            .into_iter()
            .chain([names::changelog(&options.pipeline)])
            .map(|t| (t, kept.clone()))
            .collect();
        Self {
            options,
            prefix,
            state: Arc::default(),
        }
    }

    /// The log alone, with names as they are on the broker.
    pub fn log(&self) -> Result<Arc<KafkaLog>, LogError> {
        KafkaLog::open(self.options.clone())
    }
    pub fn options(&mut self) -> &mut KafkaOptions {
        &mut self.options
    }
}

impl Fixture for KafkaFixture {
    fn open(&self) -> Arc<dyn Subject> {
        let log = self.log().expect("the log on Kafka opens");
        let changelog = TopicSpec {
            name: names::changelog(&self.options.pipeline),
            partitions: SHARDS,
        };
        Arc::new(Named::new(log, self.prefix.clone(), self.state.clone(), changelog))
    }
}
