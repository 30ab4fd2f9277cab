//! A partition that has records and yields none: consumers of librdkafka have stopped so (librdkafka#5591, #2190).

use super::KafkaSession;
use fermata_core::ports::LogError;
use std::time::Instant;

impl KafkaSession {
    /// Looks at the partition that has been silent the longest. When nothing came though there is something to read,
    /// the session is over, and the next has another consumer.
    pub(super) fn watch(&mut self) -> Result<(), LogError> {
        let after = self.shared.options.stalled_after;
        // One look at a time: each asks the brokers.
        if self.watched.elapsed() < after / 64 {
            return Ok(());
        }
        self.watched = Instant::now();
        let Some((topic, shard, moved)) = self.cursors.most_silent() else {
            return Ok(());
        };
        if moved.elapsed() < after {
            return Ok(());
        }
        let (next, clean) = match self.cursors.get(&topic, shard) {
            Some(cursor) => (cursor.next, cursor.clean),
            None => return Ok(()),
        };
        let (_, end) = self.shared.ends.stable(&topic, shard)?;
        let mut stalled = false;
        if end > next && end > clean {
            // Markers and aborted records are not delivered to anybody.
            let found = self.readers.read(&self.shared, &(topic.clone(), shard), next, 1)?;
            stalled = !found.is_empty();
        }
        if stalled {
            let silent = moved.elapsed().as_secs();
            return Err(self.fenced(format!(
                "the consumer has read nothing of {topic}/{shard} for {silent} s"
            )));
        }
        if let Some(cursor) = self.cursors.get_mut(&topic, shard) {
            cursor.clean = end;
            cursor.moved = Instant::now();
        }
        Ok(())
    }
}
