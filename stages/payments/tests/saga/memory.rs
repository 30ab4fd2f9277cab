//! A context in memory for millions of records: what a rejected record wrote is undone from a journal of its changes,
//! and the changes of the last call can be looked at.

use std::collections::BTreeMap;

use fermata_stage::{AnyStage, Context, Due, Emission, Entry, Input, Level, Reader, Rejection};

type Store = BTreeMap<Vec<u8>, Vec<u8>>;
pub type Outcome = Result<Vec<Emission>, Rejection>;

/// State and timers of one stage on one shard.
#[derive(Default)]
pub struct Memory {
    now: i64,
    key: Option<Vec<u8>>,
    stores: BTreeMap<String, Store>,
    timers: BTreeMap<String, Due>,
    /// Of the call in hand: store, key, and the entry before.
    journal: Vec<(String, Vec<u8>, Option<Vec<u8>>)>,
}

/// What a call did to one entry.
#[derive(Debug, Clone)]
pub struct Change {
    pub store: String,
    pub key: Vec<u8>,
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
}

impl Memory {
    pub fn at(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    pub fn pass(&mut self, millis: i64) {
        self.now += millis;
    }

    pub fn process(&mut self, stage: &dyn AnyStage, input: Input) -> Outcome {
        self.key.clone_from(&input.key);
        self.call(|cx| stage.process(cx, input))
    }

    /// Takes the timers that are due, in the order of time, then of id.
    pub fn take_due(&mut self) -> Vec<Due> {
        let mut due: Vec<Due> = self
            .timers
            .values()
            .filter(|timer| timer.at <= self.now)
            .cloned()
            .collect();
        due.sort_by_key(|timer| timer.at);
        for timer in &due {
            self.timers.remove(&timer.id);
        }
        due
    }

    pub fn fire(&mut self, stage: &dyn AnyStage, timer: Due) -> Outcome {
        self.key.clone_from(&timer.key);
        self.call(|cx| stage.fired(cx, timer))
    }

    fn call(&mut self, call: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        self.journal.clear();
        let timers = self.timers.clone();
        let outcome = call(self);
        if outcome.is_err() {
            self.timers = timers;
            for (store, key, before) in std::mem::take(&mut self.journal).into_iter().rev() {
                self.swap(&store, &key, before);
            }
        }
        outcome
    }

    /// What the last call changed, entry by entry.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::with_capacity(self.journal.len());
        for (store, key, before) in &self.journal {
            if !changes
                .iter()
                .any(|change| change.store == *store && change.key == *key)
            {
                changes.push(Change {
                    store: store.clone(),
                    key: key.clone(),
                    before: before.clone(),
                    after: self.get_raw(store, key),
                });
            }
        }
        changes
    }

    /// All entries of a store in byte order.
    pub fn entries(&self, store: &str) -> impl Iterator<Item = (&[u8], &[u8])> {
        let entries = self.stores.get(store).into_iter().flatten();
        entries.map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    pub fn count(&self, store: &str) -> usize {
        self.stores.get(store).map_or(0, Store::len)
    }

    fn swap(&mut self, store: &str, key: &[u8], value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        if !self.stores.contains_key(store) {
            self.stores.insert(store.to_owned(), Store::new());
        }
        let store = self.stores.get_mut(store).expect("made above");
        match value {
            Some(value) => store.insert(key.to_vec(), value),
            None => store.remove(key),
        }
    }

    fn write(&mut self, store: &str, key: &[u8], value: Option<Vec<u8>>) {
        let before = self.swap(store, key, value);
        self.journal.push((store.to_owned(), key.to_vec(), before));
    }
}

impl Reader for Memory {
    fn get_raw(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.stores.get(store)?.get(key).cloned()
    }

    fn scan_raw(&self, store: &str, prefix: &[u8], after: Option<&[u8]>, limit: u32) -> Vec<Entry> {
        let Some(store) = self.stores.get(store) else {
            return Vec::new();
        };
        let from = after.map_or(prefix, |after| after.max(prefix)).to_vec();
        let entries = store
            .range(from..)
            .filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after));
        let under = entries.take_while(|(key, _)| key.starts_with(prefix));
        let of = |(key, value): (&Vec<u8>, &Vec<u8>)| Entry {
            key: key.clone(),
            value: value.clone(),
        };
        under.take(limit.min(1_000) as usize).map(of).collect()
    }

    fn now(&self) -> i64 {
        self.now
    }
}

/// Metrics and logs say nothing about money, and go nowhere.
impl Context for Memory {
    fn id(&self) -> String {
        "saga/0/0".to_owned()
    }

    fn root(&self) -> (String, i64) {
        (self.id(), self.now)
    }

    fn random(&mut self) -> u64 {
        unreachable!("no stage of the payments draws lots")
    }

    fn put_raw(&mut self, store: &str, key: &[u8], value: &[u8]) {
        self.write(store, key, Some(value.to_vec()));
    }

    fn delete_raw(&mut self, store: &str, key: &[u8]) {
        self.write(store, key, None);
    }

    fn set_timer(&mut self, id: &str, at: i64, payload: &[u8]) {
        let timer = Due {
            id: id.to_owned(),
            key: self.key.clone(),
            at,
            payload: payload.to_vec(),
        };
        self.timers.insert(id.to_owned(), timer);
    }

    fn cancel_timer(&mut self, id: &str) {
        self.timers.remove(id);
    }

    fn add(&mut self, _metric: &str, _labels: &[&str], _value: u64) {}

    fn set(&mut self, _metric: &str, _labels: &[&str], _value: i64) {}

    fn observe(&mut self, _metric: &str, _labels: &[&str], _value: f64) {}

    fn log(&mut self, _level: Level, _message: &str) {}
}
