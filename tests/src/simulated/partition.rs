//! One partition: records with their fate, as on a broker.

use fermata_core::{NewRecord, Offset, Record, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A transaction that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Txn(pub u64);

#[derive(Clone, Debug)]
enum Fate {
    Open(Txn),
    Committed(u64),
}

#[derive(Clone, Debug, Default)]
pub struct Partition {
    entries: BTreeMap<u64, (Record, Fate)>,
    open: BTreeSet<u64>,
    next: u64,
    durable_next: u64,
    start: u64,
}

impl Partition {
    pub fn append(&mut self, record: NewRecord, txn: Txn) -> Offset {
        let offset = Offset(self.next);
        self.next += 1;
        self.entries.insert(offset.0, (record.at(offset), Fate::Open(txn)));
        self.open.insert(offset.0);
        offset
    }

    pub fn commit(&mut self, txn: Txn, id: u64) {
        for offset in self.of(txn) {
            self.open.remove(&offset);
            if let Some((_, fate)) = self.entries.get_mut(&offset) {
                *fate = Fate::Committed(id);
            }
        }
    }
    pub fn abort(&mut self, txn: Txn) {
        for offset in self.of(txn) {
            self.open.remove(&offset);
            self.entries.remove(&offset);
        }
    }
    /// A transaction marker: an offset that no reader ever sees.
    pub fn mark(&mut self) {
        self.next += 1;
    }
    fn of(&self, txn: Txn) -> Vec<u64> {
        let open = self.open.iter().copied();
        open.filter(|o| matches!(self.entries.get(o), Some((_, Fate::Open(t))) if *t == txn))
            .collect()
    }

    /// Forgets what lies before `start`.
    pub fn trim(&mut self, start: Offset) {
        self.start = self.start.max(start.0);
        self.entries = self.entries.split_off(&start.0);
    }
    /// Keeps the newest committed record of each key, and of those that delete only the ones written since `before`.
    pub fn compact(&mut self, before: Timestamp) {
        let end = self.end().0;
        let mut newest = BTreeMap::new();
        for (offset, (record, _)) in self.entries.range(..end) {
            newest.insert(record.key.clone(), *offset);
        }
        self.entries.retain(|offset, (record, _)| {
            let kept =
                newest.get(&record.key) == Some(offset) && (record.value.is_some() || record.timestamp >= before);
            *offset >= end || kept
        });
    }
    pub fn start(&self) -> Offset {
        Offset(self.start)
    }

    /// The last stable offset: behind it lies a transaction that may still commit.
    pub fn end(&self) -> Offset {
        Offset(self.open.first().copied().unwrap_or(self.next))
    }
    /// The next offset to be given away.
    pub fn high(&self) -> Offset {
        Offset(self.next)
    }
    pub fn read(&self, from: Offset, limit: usize) -> Vec<Record> {
        let until = self.end().0.max(from.0);
        let range = self.entries.range(from.0..until);
        range.take(limit).map(|(_, (record, _))| record.clone()).collect()
    }
    pub fn last(&self) -> Option<Record> {
        let (_, (record, _)) = self.entries.range(..self.end().0).next_back()?;
        Some(record.clone())
    }

    pub fn sync(&mut self) {
        self.durable_next = self.next;
    }
    /// Forgets what was committed behind `durable`, and everything open.
    pub fn lose(&mut self, durable: u64) {
        self.entries
            .retain(|_, (_, fate)| matches!(fate, Fate::Committed(id) if *id <= durable));
        self.open.clear();
        self.next = self.durable_next;
    }
}
