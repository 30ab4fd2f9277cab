//! How many records a partition holds: told by its offsets where these have no gaps, else counted, each record once.

use fermata_core::ports::{Log, LogError};
use fermata_core::{Offset, Shard, TopicName};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Records read at once.
const PAGE: usize = 2_000;
/// A question is answered within about so long, with what is counted until then kept for the next.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Counts {
    gapless: bool,
    counted: Mutex<BTreeMap<(TopicName, Shard), Counted>>,
}

#[derive(Clone, Copy, Default)]
struct Counted {
    next: Offset,
    records: u64,
}

impl Counts {
    pub fn new(gapless: bool) -> Self {
        Self {
            gapless,
            counted: Mutex::default(),
        }
    }

    /// Records of a partition that are still there. `None`: as below.
    pub fn kept(&self, log: &dyn Log, topic: &TopicName, shard: Shard) -> Result<Option<u64>, LogError> {
        if self.gapless {
            let bounds = log.bounds(topic, shard)?;
            return Ok(Some(bounds.end.0.saturating_sub(bounds.start.0)));
        }
        self.records(log, topic, shard, None)
    }

    /// Records of a partition, only those below `bound` if there is one. `None`: they are not all counted yet.
    ///
    /// A bound may grow from one question to the next, and never falls. Where offsets have gaps, what retention had
    /// dropped before it was first looked at is not counted.
    pub fn records(
        &self,
        log: &dyn Log,
        topic: &TopicName,
        shard: Shard,
        bound: Option<Offset>,
    ) -> Result<Option<u64>, LogError> {
        if self.gapless {
            return Ok(Some(match bound {
                Some(bound) => bound.0,
                None => log.bounds(topic, shard)?.end.0,
            }));
        }
        let deadline = Instant::now() + PATIENCE;
        let mut all = self.counted.lock();
        let counted = all.entry((topic.clone(), shard)).or_default();
        let below = |offset: Offset| bound.is_none_or(|bound| offset < bound);
        while below(counted.next) {
            let page = match log.read(topic, shard, counted.next, PAGE) {
                Err(LogError::Trimmed { start, .. }) if start > counted.next => {
                    counted.next = start;
                    continue;
                }
                page => page?,
            };
            let within = page.iter().take_while(|record| below(record.offset)).count();
            counted.records += within as u64;
            match page.get(within).or(page.last()) {
                // Beyond the bound: here the next question begins.
                Some(first) if within < page.len() => counted.next = first.offset,
                Some(last) => counted.next = last.offset.next(),
                None => break,
            }
            if within < page.len() {
                break;
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
        }
        Ok(Some(counted.records))
    }
}
