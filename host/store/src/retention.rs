//! Retention: topics grow in generations, and the oldest go as a whole when the log is too large.
//!
//! A generation goes only when every group that reads its topic is past it. The last record of each partition is
//! carried into the next generation: it is where a journal begins again, however long its shard has been quiet.

use crate::{
    embedded::{Embedded, Shared},
    layout,
    open::log_keyspace,
    topic::{Generation, Topic},
};
use fermata_core::{Shard, ports::LogError};
use fjall::PersistMode;
use parking_lot::{Condvar, Mutex};
use std::{sync::Arc, time::Duration};

/// How long a log that is too large waits for slow groups before it looks again.
const PATIENCE: Duration = Duration::from_secs(1);
const SMALLEST_GENERATION: u64 = 64 * 1024;

/// Asks for the housekeeping thread.
#[derive(Default)]
pub(crate) struct Housekeeping {
    asked: Mutex<Asked>,
    changed: Condvar,
    /// Held while somebody cleans.
    cleaning: Mutex<()>,
}

#[derive(Default)]
struct Asked {
    work: bool,
    closing: bool,
}

impl Housekeeping {
    pub fn ask(&self) {
        self.asked.lock().work = true;
        self.changed.notify_all();
    }
    pub fn close(&self) {
        self.asked.lock().closing = true;
        self.changed.notify_all();
    }
    /// Until there is work, or again after [`PATIENCE`] when some was left; `false`: it is closing.
    fn wait(&self, left: bool) -> bool {
        let mut asked = self.asked.lock();
        while !asked.work && !asked.closing {
            if !left {
                self.changed.wait(&mut asked);
            } else if self.changed.wait_for(&mut asked, PATIENCE).timed_out() {
                break;
            }
        }
        asked.work = false;
        !asked.closing
    }
}

/// The housekeeping thread.
pub(crate) fn run(shared: &Shared) {
    let mut left = true;
    while shared.housekeeping.wait(left) {
        match shared.clean() {
            Ok(done) => left = !done,
            // Everybody has been told.
            Err(_) => return,
        }
    }
}

impl Embedded {
    /// What the housekeeping thread does by itself when a topic has grown: begins new generations and drops old
    /// ones. `true`: the log is within its limit.
    pub fn clean(&self) -> Result<bool, LogError> {
        self.shared.clean()
    }
}

impl Shared {
    /// When a topic's active generation is full; never without a limit.
    pub fn generation_limit(&self) -> Option<u64> {
        let limit = self.options.retention_bytes?;
        let topics = self.topics.read().len().max(1) as u64;
        // At most half of the limit lies in active generations, which cannot go.
        let share = (limit / (2 * topics)).max(SMALLEST_GENERATION);
        Some(share.min(self.options.generation_bytes))
    }

    fn clean(&self) -> Result<bool, LogError> {
        self.durability.check()?;
        let (Some(limit), Some(full)) = (self.options.retention_bytes, self.generation_limit()) else {
            return Ok(true);
        };
        let _one_at_a_time = self.housekeeping.cleaning.lock();
        let topics: Vec<_> = self.topics.read().values().cloned().collect();
        let capped = |topic: &&Arc<Topic>| !self.options.kept.contains(&topic.name);
        let topics: Vec<_> = topics.iter().filter(capped).collect();
        for topic in &topics {
            if topic.active().size() >= full {
                self.roll(topic)?;
            }
        }
        loop {
            let sizes = topics.iter().map(|topic| (topic.size(), *topic));
            let mut sizes: Vec<_> = sizes.collect();
            if sizes.iter().map(|(size, _)| size).sum::<u64>() <= limit {
                return Ok(true);
            }
            // The largest first, as far as its readers allow.
            sizes.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.name.cmp(&y.name)));
            let mut dropped = false;
            for (_, topic) in sizes {
                if self.drop_oldest(topic)? {
                    dropped = true;
                    break;
                }
            }
            if !dropped {
                return Ok(false);
            }
        }
    }

    /// Begins a new generation.
    fn roll(&self, topic: &Topic) -> Result<(), LogError> {
        let doing = |found| self.durability.refused("beginning a new generation of a topic", &found);
        let number = topic.active().number + 1;
        // Before the lock: making a keyspace takes the disk some time.
        let keyspace = log_keyspace(&self.database, &self.options, &topic.name, number).map_err(doing)?;
        let _writer = self.writer.lock();
        let mut generations = topic.generations();
        generations.push(Arc::new(Generation::new(number, topic.next_offsets(), keyspace)));
        self.write_meta(&topic.name, &Topic::meta(&generations))
            .map_err(doing)?;
        topic.set_generations(generations);
        Ok(())
    }

    /// Drops the oldest generation if there is another and every group is past it.
    fn drop_oldest(&self, topic: &Topic) -> Result<bool, LogError> {
        let doing = |found| {
            self.durability
                .refused("dropping the oldest generation of a topic", &found)
        };
        let writer = self.writer.lock();
        let mut generations = topic.generations();
        if generations.len() < 2 {
            return Ok(false);
        }
        let oldest = generations.remove(0);
        {
            let positions = self.positions.lock();
            let passed = |(index, end): (usize, &u64)| {
                let slowest = positions.slowest(&topic.name, Shard(index as u32));
                oldest.first[index] == *end || slowest.is_none_or(|next| next.0 >= *end)
            };
            if !generations[0].first.iter().enumerate().all(passed) {
                return Ok(false);
            }
        }
        let mut first = generations[0].first.clone();
        let mut batch = self.database.batch();
        let next = topic.next_offsets();
        for (index, first) in first.iter_mut().enumerate() {
            let shard = Shard(index as u32);
            let quiet = *first == next[index];
            if let Some(last) = oldest.last(shard).map_err(doing)?.filter(|_| quiet) {
                let key = layout::record_key(shard, last);
                if let Some(value) = oldest.keyspace.get(key).map_err(doing)? {
                    batch.insert(&generations[0].keyspace, key, value);
                    *first = last;
                }
            }
        }
        generations[0] = Arc::new(generations[0].beginning(first));
        let about = crate::open::encode_meta(&Topic::meta(&generations));
        batch.insert(&self.meta, layout::topic_key(&topic.name), about);
        batch.commit().map_err(doing)?;
        topic.set_generations(generations);
        drop(writer);
        // What was carried over must be on the disk before what it came from goes.
        self.database.persist(PersistMode::SyncData).map_err(doing)?;
        self.database.delete_keyspace(oldest.keyspace.clone()).map_err(doing)?;
        Ok(true)
    }
}
