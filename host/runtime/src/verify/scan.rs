//! Reading one partition from offset to offset.

use std::collections::VecDeque;

use fermata_core::ports::{Log, LogError};
use fermata_core::{Offset, Record, Shard, TopicName};

/// Records asked for at once.
const PAGE: usize = 1_000;

/// The readable records of a partition in `[from, end)`, in order.
pub struct Reader<'a> {
    log: &'a dyn Log,
    topic: TopicName,
    shard: Shard,
    next: Offset,
    end: Offset,
    page: VecDeque<Record>,
    /// Where reading began: behind `from` when retention passed the reader.
    pub begun: Offset,
}

impl<'a> Reader<'a> {
    pub fn new(log: &'a dyn Log, topic: &TopicName, shard: Shard, from: Offset, end: Offset) -> Self {
        Self {
            log,
            topic: topic.clone(),
            shard,
            next: from,
            end,
            page: VecDeque::new(),
            begun: from,
        }
    }

    pub fn next(&mut self) -> Result<Option<Record>, LogError> {
        self.next_below(self.end)
    }

    /// The next record if it lies below `bound`; otherwise it stays.
    pub fn next_below(&mut self, bound: Offset) -> Result<Option<Record>, LogError> {
        while self.page.is_empty() && self.next < bound.min(self.end) {
            match self.log.read(&self.topic, self.shard, self.next, PAGE) {
                // Retention passed the reader: what is left begins later.
                Err(LogError::Trimmed { start, .. }) if start > self.next => {
                    (self.next, self.begun) = (start, start);
                }
                Err(error) => return Err(error),
                Ok(page) => {
                    self.next = page.last().map_or(self.end, |last| last.offset.next());
                    self.page
                        .extend(page.into_iter().take_while(|record| record.offset < self.end));
                }
            }
        }
        Ok(self.page.pop_front_if(|record| record.offset < bound))
    }
}

/// Calls `each` with every readable record in `[from, end)`; answers where reading began.
pub fn partition(
    log: &dyn Log,
    topic: &TopicName,
    shard: Shard,
    from: Offset,
    end: Offset,
    mut each: impl FnMut(&Record),
) -> Result<Offset, LogError> {
    let mut reader = Reader::new(log, topic, shard, from, end);
    while let Some(record) = reader.next()? {
        each(&record);
    }
    Ok(reader.begun)
}
