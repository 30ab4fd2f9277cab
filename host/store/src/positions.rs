//! Positions of groups: the copy in memory of the keyspace `pos`.

use fermata_core::{Offset, Shard, TopicName};
use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct Positions(HashMap<String, HashMap<TopicName, Vec<Option<Offset>>>>);

impl Positions {
    pub fn get(&self, group: &str, topic: &TopicName, shard: Shard) -> Option<Offset> {
        *self.0.get(group)?.get(topic)?.get(shard.0 as usize)?
    }

    pub fn set(&mut self, group: &str, topic: &TopicName, shard: Shard, next: Offset) {
        let shards = self.shards(group, topic);
        let index = shard.0 as usize;
        if shards.len() <= index {
            shards.resize(index + 1, None);
        }
        shards[index] = Some(next);
    }

    /// The group reads the topic, though it may not have committed a position yet.
    pub fn note_reader(&mut self, group: &str, topic: &TopicName) {
        self.shards(group, topic);
    }

    fn shards(&mut self, group: &str, topic: &TopicName) -> &mut Vec<Option<Offset>> {
        if !self.0.contains_key(group) {
            self.0.insert(group.into(), HashMap::new());
        }
        let topics = self.0.get_mut(group).expect("inserted above");
        if !topics.contains_key(topic) {
            topics.insert(topic.clone(), Vec::new());
        }
        topics.get_mut(topic).expect("inserted above")
    }

    /// The slowest reader of a partition: `None` when no group reads the topic, 0 when one has not committed yet.
    pub fn slowest(&self, topic: &TopicName, shard: Shard) -> Option<Offset> {
        self.0
            .values()
            .filter_map(|topics| topics.get(topic))
            .map(|shards| shards.get(shard.0 as usize).copied().flatten().unwrap_or_default())
            .min()
    }
}
