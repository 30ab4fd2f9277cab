//! A partition that has records and yields none: consumers of librdkafka have stopped so (librdkafka#5591, #2190).

use super::KafkaSession;
use fermata_core::ports::LogError;
use std::time::Instant;

impl KafkaSession {
    /// Looks at the partition that has been silent the longest. When there was something to read, and it has not come
    /// by the next look, the session is over, and the next has another consumer.
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
        let (next, clean, owed) = match self.cursors.get(&topic, shard) {
            Some(cursor) => (cursor.next, cursor.clean, cursor.owed),
            None => return Ok(()),
        };
        let (_, end) = self.shared.ends.stable(&topic, shard)?;
        let mut missing = false;
        if end > next && end > clean {
            // Markers and aborted records are not delivered to anybody.
            let found = self.readers.read(&self.shared, &(topic.clone(), shard), next, 1)?;
            missing = !found.is_empty();
        }
        if missing && owed {
            let why = format!("the consumer reads nothing of {topic}/{shard}, though there is something to read");
            return Err(self.fenced(why));
        }
        if let Some(cursor) = self.cursors.get_mut(&topic, shard) {
            (cursor.moved, cursor.owed) = (Instant::now(), missing);
            if !missing {
                cursor.clean = end;
            }
        }
        Ok(())
    }
}
