//! The writer: one transaction at a time becomes one atomic batch.

use crate::{
    embedded::Shared,
    encoding, layout,
    topic::{Generation, Topic},
};
use fermata_core::{
    CommitId, NewRecord, Offset, Shard, TopicName,
    ports::{LogError, Namespace, StateChange},
};
use fjall::{Keyspace, KeyspaceCreateOptions};
use parking_lot::MutexGuard;
use std::{collections::HashMap, sync::Arc};

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
        Ok(Pending {
            topic,
            record,
            bytes,
        })
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
        let mut batch = fjall::OwnedWriteBatch::with_capacity(self.database.clone(), size)
            .durability(Some(fjall::PersistMode::Buffer));
        let mut offsets = Vec::with_capacity(work.records.len());
        let mut active: HashMap<&str, Arc<Generation>> = HashMap::new();
        let mut records = Vec::with_capacity(work.records.len());
        for Pending { topic, record, bytes } in &work.records {
            let generation = active
                .entry(topic.name.as_str())
                .or_insert_with(|| topic.active());
            let offset = topic.reserve(record.shard);
            generation.note(bytes.len());
            batch.insert(
                &generation.keyspace,
                layout::record_key(record.shard, offset.0),
                bytes.as_slice(),
            );
            offsets.push(offset);
        }
        drop(active);
        for (topic, shard, next) in work.positions {
            let key = layout::position_key(work.group, topic, *shard);
            batch.insert(&self.pos, key, next.0.to_be_bytes());
        }
        let mut stores = Stores::new(self);
        for change in work.changes {
            let keyspace = stores.keyspace(&change.namespace)?;
            let key = layout::state_key(change.shard, &change.key);
            match &change.value {
                Some(value) => batch.insert(keyspace, key, value.as_ref()),
                None => batch.remove(keyspace, key),
            }
        }
        batch.insert(&self.meta, layout::COMMIT, id.to_be_bytes());
        batch
            .commit()
            .map_err(|found| self.durability.fail("writing a batch", &found))?;
        writer.last = id;
        if !work.positions.is_empty() {
            let mut positions = self.positions.lock();
            for (topic, shard, next) in work.positions {
                positions.set(work.group, topic, *shard, *next);
            }
        }
        for (pending, offset) in work.records.into_iter().zip(&offsets) {
            records.push((pending.topic, pending.record.at(*offset)));
        }
        for (topic, record) in records {
            topic.publish(record, &self.tail_bytes);
        }
        self.durability.note(id);
        drop(writer);
        self.pulse.beat();
        Ok((CommitId(id), offsets))
    }

    /// The keyspace of a namespace, made on its first write.
    pub fn state_keyspace(&self, namespace: &Namespace) -> Result<Keyspace, LogError> {
        if let Some(found) = self.state.read().get(namespace) {
            return Ok(found.clone());
        }
        let mut state = self.state.write();
        if let Some(found) = state.get(namespace) {
            return Ok(found.clone());
        }
        let name = layout::state_keyspace(namespace);
        let bytes = self.options.state_memtable_bytes;
        let made = self
            .database
            .keyspace(&name, || {
                KeyspaceCreateOptions::default().max_memtable_size(bytes)
            })
            .map_err(|found| self.durability.fail("making a store", &found))?;
        state.insert(namespace.clone(), made.clone());
        Ok(made)
    }
}

/// The keyspaces of one batch: changes of one store share their `Arc<Namespace>`, mostly in runs.
struct Stores<'a> {
    shared: &'a Shared,
    last: Option<(Arc<Namespace>, Keyspace)>,
}

impl<'a> Stores<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, last: None }
    }
    fn keyspace(&mut self, namespace: &Arc<Namespace>) -> Result<&Keyspace, LogError> {
        let same = matches!(&self.last, Some((n, _)) if Arc::ptr_eq(n, namespace));
        if !same {
            let keyspace = self.shared.state_keyspace(namespace)?;
            self.last = Some((Arc::clone(namespace), keyspace));
        }
        let (_, keyspace) = self.last.as_ref().expect("set above");
        Ok(keyspace)
    }
}
