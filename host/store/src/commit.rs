//! The writer: one transaction at a time becomes one atomic batch.

use crate::{durability::WRITING, embedded::Shared, encoding, layout, topic::Topic};
use fermata_core::{
    CommitId, NewRecord, Offset, Shard, TopicName,
    ports::{LogError, StateChange},
};
use fjall::{OwnedWriteBatch as WriteBatch, PersistMode};
use parking_lot::MutexGuard;
use std::sync::Arc;

/// A record on its way: checked and encoded before the writer's lock is taken.
pub(crate) struct Pending {
    topic: Arc<Topic>,
    record: NewRecord,
    bytes: Vec<u8>,
}

/// What one transaction carries.
#[derive(Default)]
pub(crate) struct Work<'a> {
    pub records: Vec<Pending>,
    pub group: &'a str,
    pub positions: &'a [(TopicName, Shard, Offset)],
    pub changes: &'a [StateChange],
}

impl Work<'_> {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.positions.is_empty() && self.changes.is_empty()
    }
}

/// What only one thread may touch at a time.
pub(crate) struct Writer {
    /// The last commit.
    pub last: u64,
}

impl Shared {
    pub fn pending(&self, record: NewRecord) -> Result<Pending, LogError> {
        let topic = self.topic(&record.topic)?;
        topic.has(record.shard)?;
        let bytes = encoding::encode(
            record.timestamp,
            record.key.as_ref(),
            record.value.as_ref(),
            &record.headers,
        );
        Ok(Pending { topic, record, bytes })
    }

    /// Writes everything of `work` in one batch, then shows it to readers. Offsets are those of its records.
    pub fn write(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        work: Work<'_>,
    ) -> Result<(CommitId, Vec<Offset>), LogError> {
        self.durability.check()?;
        if work.is_empty() {
            return Ok((CommitId(writer.last), Vec::new()));
        }
        let id = writer.last + 1;
        let size = work.records.len() + work.positions.len() + work.changes.len() + 1;
        let mut batch = WriteBatch::with_capacity(self.database.clone(), size).durability(Some(PersistMode::Buffer));
        let offsets = self.add_records(&mut batch, &work.records);
        for (topic, shard, next) in work.positions {
            let key = layout::position_key(work.group, topic, *shard);
            batch.insert(&self.pos, key, next.0.to_be_bytes());
        }
        self.state
            .add(&mut batch, work.changes)
            .map_err(|found| self.durability.refused("making a store", &found))?;
        batch.insert(&self.meta, layout::COMMIT, id.to_be_bytes());
        self.durability.writing(id)?;
        batch
            .commit()
            .map_err(|found| self.durability.refused(WRITING, &found))?;
        writer.last = id;
        if !work.positions.is_empty() {
            let mut positions = self.positions.lock();
            for (topic, shard, next) in work.positions {
                positions.set(work.group, topic, *shard, *next);
            }
        }
        for (pending, offset) in work.records.into_iter().zip(&offsets) {
            pending.topic.publish(pending.record.at(*offset), &self.tail_bytes);
        }
        self.durability.note(id);
        drop(writer);
        self.pulse.beat();
        Ok((CommitId(id), offsets))
    }

    fn add_records(&self, batch: &mut WriteBatch, records: &[Pending]) -> Vec<Offset> {
        let Some(first) = records.first() else {
            return Vec::new();
        };
        let full = self.generation_limit();
        let mut grown = false;
        let mut active = (&first.topic, first.topic.active());
        let mut offsets = Vec::with_capacity(records.len());
        for Pending { topic, record, bytes } in records {
            if !Arc::ptr_eq(active.0, topic) {
                active = (topic, topic.active());
            }
            let offset = topic.reserve(record.shard);
            let key = layout::record_key(record.shard, offset.0);
            batch.insert(&active.1.keyspace, key, bytes.as_slice());
            let size = active.1.note(bytes.len());
            grown |= full.is_some_and(|full| size >= full);
            offsets.push(offset);
        }
        if grown {
            self.housekeeping.ask();
        }
        offsets
    }
}
