//! One shard as its owner holds it: the tasks of every stage, and the end of its journal.

use super::fusion::Track;
use super::journaling::Chained;
use super::task::Task;
use fermata_core::ports::StateError;
use fermata_core::{Offset, Shard, Timestamp, TopicName};
use std::collections::BTreeMap;

pub struct ShardState {
    pub shard: Shard,
    /// In the manifest's order.
    pub tasks: Vec<Task>,
    /// For each task, what it has still to read of the topics that stages write.
    pub tracks: Vec<BTreeMap<TopicName, Track>>,
    /// Where the journal ends.
    pub journal: Chained,
    pub last_tick: Timestamp,
    /// A tick was made since the assignment.
    pub ticked: bool,
    /// The open batch has something of this shard to commit.
    pub touched: bool,
    /// Head's time (microseconds) of each record that reached an end topic in the open batch.
    pub ended: Vec<(TopicName, i64)>,
    /// Positions that the group was told. A transaction that fails takes the whole of this with it.
    pub told: BTreeMap<TopicName, Offset>,
    /// When the next timer of any task is due, as of the last look.
    pub next_due: Option<Timestamp>,
}

impl ShardState {
    /// Tasks that may process an emission to `topic` at once, in the manifest's order.
    pub fn fused_readers(&self, topic: &TopicName) -> Vec<usize> {
        let open = |reader: &usize| {
            self.tasks[*reader].paused.is_none() && self.tracks[*reader].get(topic).is_some_and(Track::open)
        };
        (0..self.tasks.len()).filter(open).collect()
    }

    /// When the next timer is due. Those of a paused task wait for it: a tick would not fire them.
    pub fn earliest_due(&self) -> Result<Option<Timestamp>, StateError> {
        let running = self.tasks.iter().filter(|t| t.paused.is_none());
        let due: Result<Vec<_>, _> = running.map(Task::next_due).collect();
        Ok(due?.into_iter().flatten().min())
    }

    /// The offset that the group has read to: the lowest of the topic's readers.
    pub fn lowest(&self, topic: &TopicName) -> Option<Offset> {
        self.tasks.iter().filter_map(|t| t.positions.get(topic)).min().copied()
    }

    /// What the group has to be told in this transaction: what moved since the last; all of them when nothing did,
    /// because it is by the positions that the log knows who commits.
    pub fn positions_to_commit(&mut self) -> Vec<(TopicName, Offset)> {
        let lowest = |topic: TopicName| {
            let next = self.lowest(&topic).unwrap_or_default();
            (topic, next)
        };
        let all: Vec<_> = self.topics().into_iter().map(lowest).collect();
        let told = &self.told;
        let moved: Vec<_> = all
            .iter()
            .filter(|(topic, next)| told.get(topic) != Some(next))
            .cloned()
            .collect();
        if moved.is_empty() {
            return all;
        }
        self.told.extend(moved.iter().cloned());
        moved
    }

    pub fn topics(&self) -> Vec<TopicName> {
        let mut all: Vec<_> = self.tasks.iter().flat_map(|t| t.positions.keys().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }
}
