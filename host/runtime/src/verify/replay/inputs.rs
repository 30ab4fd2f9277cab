//! A task's inputs, read again: runs by offset, fused inputs by identity.

use std::collections::{BTreeMap, HashMap};

use fermata_core::names::headers;
use fermata_core::ports::{Log, LogError};
use fermata_core::{Offset, Record, Shard, TopicName};

use super::super::cut::Cut;
use super::super::scan::Reader;
use super::task::Stopped;
use crate::worker::lineage::done_for;

pub struct Inputs<'a> {
    log: &'a dyn Log,
    cut: &'a Cut,
    shard: Shard,
    /// `stage@generation`.
    mark: String,
    runs: BTreeMap<String, Reader<'a>>,
    fused: BTreeMap<String, Ahead<'a>>,
}

/// Fused records lie in their topic about as the journal lists them, not exactly: those met early wait here.
struct Ahead<'a> {
    reader: Reader<'a>,
    waiting: HashMap<String, Record>,
}

impl<'a> Inputs<'a> {
    pub fn new(log: &'a dyn Log, cut: &'a Cut, shard: Shard, mark: &str) -> Self {
        Self {
            log,
            cut,
            shard,
            mark: mark.to_owned(),
            runs: BTreeMap::new(),
            fused: BTreeMap::new(),
        }
    }

    /// The next record of a run, below `bound`. Runs of one topic join, so one reader serves them all.
    pub fn run(&mut self, topic: &str, from: u64, bound: u64) -> Result<Option<Record>, Stopped> {
        let reader = match self.runs.entry(topic.to_owned()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(open(self.log, self.cut, self.shard, topic, Offset(from))?)
            }
        };
        let record = reader.next_below(Offset(bound))?;
        trimmed(topic, reader, from)?;
        Ok(record)
    }

    /// The record that was processed before it had an offset.
    pub fn fused(&mut self, topic: &str, identity: &str) -> Result<Record, Stopped> {
        let ahead = match self.fused.entry(topic.to_owned()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let reader = open(self.log, self.cut, self.shard, topic, Offset(0))?;
                entry.insert(Ahead {
                    reader,
                    waiting: HashMap::new(),
                })
            }
        };
        if let Some(record) = ahead.waiting.remove(identity) {
            return Ok(record);
        }
        while let Some(record) = ahead.reader.next()? {
            trimmed(topic, &ahead.reader, 0)?;
            let Some(id) = record.header(headers::ID).filter(|_| done_for(&record, &self.mark)) else {
                continue;
            };
            if id == identity {
                return Ok(record);
            }
            ahead.waiting.insert(id.to_owned(), record);
        }
        Err(Stopped::Differs(format!(
            "the fused input {identity} is not in {topic}/{}",
            self.shard
        )))
    }
}

fn open<'a>(log: &'a dyn Log, cut: &Cut, shard: Shard, topic: &str, from: Offset) -> Result<Reader<'a>, Stopped> {
    let unknown = || {
        Stopped::Differs(format!(
            "an event names topic {topic:?}, which the pipeline does not have"
        ))
    };
    let topic = TopicName::new(topic)
        .ok()
        .filter(|t| cut.knows(t))
        .ok_or_else(unknown)?;
    let range = cut.range(&topic, shard);
    if range.start > from {
        return Err(gone(topic.as_str(), range.start));
    }
    Ok(Reader::new(log, &topic, shard, from, range.end))
}

/// Retention may pass the replay, too.
fn trimmed(topic: &str, reader: &Reader<'_>, from: u64) -> Result<(), Stopped> {
    if reader.begun.0 > from {
        Err(gone(topic, reader.begun))
    } else {
        Ok(())
    }
}

fn gone(topic: &str, start: Offset) -> Stopped {
    Stopped::Trimmed(format!("{topic} is kept from offset {start} on"))
}

impl From<LogError> for Stopped {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}
