//! Editing a closed folder, and what a power cut leaves of one: for tests of `verify` and of durability, and for
//! repair by hand.
//!
//! Edits go through the database, so its checksums hold afterwards: only who reads the records can tell.

mod power_cut;

pub use power_cut::{PowerCut, copy_folder};

use crate::{
    embedded::Shared,
    encoding, layout,
    open::{self, failed},
    options::Options,
    topic::{ReadError, Topic},
};
use fermata_core::{
    Offset, Record, Shard, TopicName,
    ports::{LogError, TopicSpec},
};
use fjall::PersistMode;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// An opened folder; no other process may have it open. Every edit is on the disk when its call returns.
pub struct Folder {
    shared: Shared,
    dir: PathBuf,
}

impl Folder {
    pub fn open(dir: &Path) -> Result<Self, LogError> {
        if !dir.is_dir() {
            return Err(failed(dir, "opening the database", &"there is no such folder"));
        }
        let options = Options::default();
        let database = open::database(dir, &options)?;
        Ok(Self {
            shared: open::read_all(dir, database, options)?,
            dir: dir.into(),
        })
    }

    pub fn topics(&self) -> Vec<TopicSpec> {
        let mut specs: Vec<_> = self.shared.topics.read().values().map(|t| t.spec()).collect();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        specs
    }

    /// Every record of a partition, oldest first.
    pub fn list(&self, topic: &TopicName, shard: Shard) -> Result<Vec<Record>, LogError> {
        let topic = self.topic(topic, shard)?;
        let read = topic.read_disk(shard, Offset(0), u64::MAX, usize::MAX);
        read.map_err(|found| match found {
            ReadError::Database(found) => self.failed("reading a partition", &found),
            ReadError::Encoding(offset) => {
                let text = format!("the record at offset {offset} is not what was written");
                self.failed("reading a partition", &text)
            }
        })
    }

    /// Takes a record out; its offset becomes a gap. `false`: there was none.
    pub fn delete_record(&self, topic: &TopicName, shard: Shard, offset: Offset) -> Result<bool, LogError> {
        let found = self.list(topic, shard)?;
        if !found.iter().any(|record| record.offset == offset) {
            return Ok(false);
        }
        let topic = self.topic(topic, shard)?;
        self.edit(&topic, shard, offset, None)?;
        Ok(true)
    }

    /// Puts a record where it says, over what lies there or behind the end.
    pub fn put_record(&self, record: &Record) -> Result<(), LogError> {
        let topic = self.topic(&record.topic, record.shard)?;
        let bytes = encoding::encode(
            record.timestamp,
            record.key.as_ref(),
            record.value.as_ref(),
            &record.headers,
        );
        self.edit(&topic, record.shard, record.offset, Some(bytes))
    }

    fn topic(&self, name: &TopicName, shard: Shard) -> Result<Arc<Topic>, LogError> {
        let topic = self.shared.topic(name)?;
        topic.has(shard)?;
        Ok(topic)
    }

    fn edit(&self, topic: &Topic, shard: Shard, offset: Offset, bytes: Option<Vec<u8>>) -> Result<(), LogError> {
        let generations = topic.generations();
        let holds = generations.iter().rev().find(|g| g.first[shard.0 as usize] <= offset.0);
        let generation = holds
            .or(generations.first())
            .ok_or_else(|| self.failed("editing a partition", &"the topic has no generation"))?;
        let key = layout::record_key(shard, offset.0);
        let mut batch = self.shared.database.batch();
        match bytes {
            Some(bytes) => batch.insert(&generation.keyspace, key, bytes),
            None => batch.remove(&generation.keyspace, key),
        }
        let written = batch.durability(Some(PersistMode::SyncAll)).commit();
        written.map_err(|found| self.failed("editing a partition", &found))
    }

    fn failed(&self, doing: &str, found: &dyn std::fmt::Display) -> LogError {
        failed(&self.dir, doing, found)
    }
}
