//! Positions of topics that are quiet.
//!
//! Markers of transactions and aborted records take offsets and are never read, so who has read a topic to its end still
//! stands below that end. Once retention has taken what it has read, its position would be one that the topic does not
//! have any more, as if records had been removed unread. So where nothing moves, positions are raised to the end.

use super::{Worker, WorkerError};
use fermata_core::{Offset, Shard, TopicName};
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks at what has not moved.
const EVERY: Duration = Duration::from_secs(10);
/// A topic that was settled is looked at again: aborted transactions alone may have moved its end.
const AGAIN: Duration = Duration::from_secs(3_600);

/// What stood still when it was last looked at.
#[derive(Default)]
pub(super) struct Quiet {
    /// Monotonic.
    looked: Option<Duration>,
    seen: BTreeMap<(Shard, TopicName), Seen>,
}

struct Seen {
    at: Offset,
    /// When nothing was left between there and the end (monotonic).
    settled: Option<Duration>,
}

impl Worker {
    pub(super) fn settle_positions(&mut self) -> Result<(), WorkerError> {
        let now = self.spec.clock.elapsed();
        let fresh = self.quiet.looked.is_some_and(|at| now.saturating_sub(at) < EVERY);
        if fresh || self.intake_closed() {
            return Ok(());
        }
        self.quiet.looked = Some(now);
        let held: Vec<Shard> = self.shards().collect();
        self.quiet.seen.retain(|(shard, _), _| held.contains(shard));
        for shard in held {
            for topic in self.shards[&shard].topics() {
                if self.is_quiet(shard, &topic, now) {
                    self.settle(shard, &topic, now)?;
                }
            }
        }
        Ok(())
    }

    /// Nobody has moved in it since the last look, and it was not settled then.
    fn is_quiet(&mut self, shard: Shard, topic: &TopicName, now: Duration) -> bool {
        let Some(at) = self.shards[&shard].lowest(topic) else {
            return false;
        };
        let moved = Seen { at, settled: None };
        match self.quiet.seen.get(&(shard, topic.clone())) {
            Some(seen) if seen.at == at => seen.settled.is_none_or(|since| now.saturating_sub(since) >= AGAIN),
            _ => {
                self.quiet.seen.insert((shard, topic.clone()), moved);
                false
            }
        }
    }

    fn settle(&mut self, shard: Shard, topic: &TopicName, now: Duration) -> Result<(), WorkerError> {
        let log = &self.spec.log;
        let end = log.bounds(topic, shard)?.end;
        let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
        for task in &mut state.tasks {
            let at = task.positions.get(topic).copied();
            // One that is to switch first would put this down to the wrong version.
            let Some(at) = at.filter(|at| *at < end && task.paused.is_none() && task.ran.is_none()) else {
                continue;
            };
            let next = log.read(topic, shard, at, 1)?;
            if next.first().is_none_or(|record| record.offset >= end) {
                task.pass(topic, Offset(end.0 - 1));
                state.touched = true;
                self.batch.open = true;
            }
        }
        let at = state.lowest(topic).unwrap_or_default();
        let settled = (at >= end).then_some(now);
        self.quiet.seen.insert((shard, topic.clone()), Seen { at, settled });
        Ok(())
    }
}
