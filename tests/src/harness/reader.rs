//! An independent reader: only `Log` and a JSON parser, none of Fermata's own reckoning.

use fermata_core::ports::Log;
use fermata_core::{Record, Shard, TopicName};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// A stopped pipeline's topics.
pub struct Topics {
    log: Arc<dyn Log>,
}

impl Topics {
    /// Opens a folder whose process has ended.
    pub fn open(data_dir: &Path) -> Self {
        let log = fermata_store::Embedded::open(data_dir, fermata_store::Options::default());
        Self {
            log: log.unwrap_or_else(|e| panic!("{} cannot be opened: {e}", data_dir.display())),
        }
    }
    pub fn on(log: Arc<dyn Log>) -> Self {
        Self { log }
    }

    /// Every record of a topic, by partition, in order.
    pub fn each(&self, topic: &str, mut look: impl FnMut(&Record)) {
        let name = TopicName::new(topic).expect("a topic's name");
        for shard in (0..self.partitions(topic)).map(Shard) {
            let mut next = self.log.bounds(&name, shard).expect("bounds can be asked").start;
            loop {
                let page = self
                    .log
                    .read(&name, shard, next, 4_096)
                    .expect("committed records can be read");
                let Some(last) = page.last() else { break };
                next = last.offset.next();
                page.iter().for_each(&mut look);
            }
        }
    }

    pub fn records(&self, topic: &str) -> Vec<Record> {
        let mut all = Vec::new();
        self.each(topic, |record| all.push(record.clone()));
        all
    }

    pub fn partitions(&self, topic: &str) -> u32 {
        let topics = self.log.topics().expect("topics can be listed");
        let found = topics.iter().find(|t| t.name.as_str() == topic);
        found.unwrap_or_else(|| panic!("no topic {topic}")).partitions
    }
}

pub fn json_value(record: &Record) -> Value {
    serde_json::from_slice(record.value.as_deref().unwrap_or_default()).unwrap_or(Value::Null)
}
