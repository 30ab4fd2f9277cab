//! The context itself: stores, timers, metrics and logs in memory, all of them readable.

use std::collections::BTreeMap;

use crate::context::{Context, Reader};
use crate::types::{Due, Entry, Level};

/// What the host cuts a scan at.
const SCAN_LIMIT: usize = 1_000;

/// A line that the stage logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub level: Level,
    pub message: String,
}

type Store = BTreeMap<Vec<u8>, Vec<u8>>;
/// Metric and label values.
type Series = (String, Vec<String>);

/// An in-memory [`Context`]. Its clock stands still until a test moves it; the same calls give the same answers.
///
/// [`process`](Self::process) and [`fire_due`](Self::fire_due) treat a record as the host does: what a rejected one
/// wrote is undone.
#[derive(Debug, Clone)]
pub struct TestContext {
    pub(super) now: i64,
    pub(super) id: String,
    root: Option<(String, i64)>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) record: u64,
    draws: u64,
    stores: BTreeMap<String, Store>,
    pub(super) timers: BTreeMap<String, Due>,
    counters: BTreeMap<Series, u64>,
    gauges: BTreeMap<Series, i64>,
    observations: BTreeMap<Series, Vec<f64>>,
    logs: Vec<Log>,
}

impl Default for TestContext {
    fn default() -> Self {
        Self::new()
    }
}

impl TestContext {
    /// No state, and time zero.
    pub fn new() -> Self {
        Self {
            now: 0,
            id: "test/0/0".to_owned(),
            root: None,
            key: None,
            record: 0,
            draws: 0,
            stores: BTreeMap::new(),
            timers: BTreeMap::new(),
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            observations: BTreeMap::new(),
            logs: Vec::new(),
        }
    }

    /// Moves the clock: milliseconds since the epoch. Timers fire only in [`fire_due`](Self::fire_due).
    pub fn set_now(&mut self, now: i64) {
        self.now = now;
    }

    /// The identity of the record in hand; [`process`](Self::process) makes its own for each record.
    pub fn set_id(&mut self, id: impl Into<String>) {
        self.id = id.into();
        self.draws = 0;
    }

    /// The head record of the chain; until it is set, the root is the record itself at the present time.
    pub fn set_root(&mut self, id: impl Into<String>, timestamp: i64) {
        self.root = Some((id.into(), timestamp));
    }

    /// The key of the record in hand, which the timers it sets will carry.
    pub fn set_key(&mut self, key: Option<Vec<u8>>) {
        self.key = key;
    }

    /// All entries of a store in byte order.
    pub fn entries(&self, store: &str) -> Vec<Entry> {
        self.scan_all(store, b"", None, usize::MAX)
    }

    /// Timers that are set, by id.
    pub fn timers(&self) -> Vec<Due> {
        self.timers.values().cloned().collect()
    }

    /// Takes the timers that are due, in the order of time, then of id.
    pub fn pop_due(&mut self) -> Vec<Due> {
        let (due, later): (BTreeMap<_, _>, _) = std::mem::take(&mut self.timers)
            .into_iter()
            .partition(|(_, timer)| timer.at <= self.now);
        self.timers = later;
        let mut due: Vec<Due> = due.into_values().collect();
        due.sort_by_key(|timer| timer.at);
        due
    }

    /// The sum of a counter, zero if it was never added to.
    pub fn counter(&self, metric: &str, labels: &[&str]) -> u64 {
        self.counters.get(&series(metric, labels)).copied().unwrap_or(0)
    }

    pub fn gauge(&self, metric: &str, labels: &[&str]) -> Option<i64> {
        self.gauges.get(&series(metric, labels)).copied()
    }

    /// What a histogram observed, in order.
    pub fn observations(&self, metric: &str, labels: &[&str]) -> &[f64] {
        self.observations
            .get(&series(metric, labels))
            .map_or(&[], Vec::as_slice)
    }

    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    pub(super) fn restore_logs(&mut self, logs: Vec<Log>) {
        self.logs = logs;
    }

    fn scan_all(&self, store: &str, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<Entry> {
        let Some(store) = self.stores.get(store) else {
            return Vec::new();
        };
        let from = after.map_or(prefix, |after| after.max(prefix)).to_vec();
        store
            .range(from..)
            .filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, value)| Entry {
                key: key.clone(),
                value: value.clone(),
            })
            .collect()
    }
}

fn series(metric: &str, labels: &[&str]) -> Series {
    (
        metric.to_owned(),
        labels.iter().map(|&label| label.to_owned()).collect(),
    )
}

impl Reader for TestContext {
    fn get_raw(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.stores.get(store)?.get(key).cloned()
    }

    fn scan_raw(&self, store: &str, prefix: &[u8], after: Option<&[u8]>, limit: u32) -> Vec<Entry> {
        self.scan_all(store, prefix, after, SCAN_LIMIT.min(limit as usize))
    }

    fn now(&self) -> i64 {
        self.now
    }
}

impl Context for TestContext {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn root(&self) -> (String, i64) {
        self.root.clone().unwrap_or_else(|| (self.id.clone(), self.now))
    }

    fn random(&mut self) -> u64 {
        self.draws += 1;
        // FNV-1a over the identity, then SplitMix64: any function of identity and draw would do.
        let seed = self.id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mixed = seed.wrapping_add(self.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn put_raw(&mut self, store: &str, key: &[u8], value: &[u8]) {
        self.stores
            .entry(store.to_owned())
            .or_default()
            .insert(key.to_vec(), value.to_vec());
    }

    fn delete_raw(&mut self, store: &str, key: &[u8]) {
        if let Some(store) = self.stores.get_mut(store) {
            store.remove(key);
        }
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

    fn add(&mut self, metric: &str, labels: &[&str], value: u64) {
        *self.counters.entry(series(metric, labels)).or_default() += value;
    }

    fn set(&mut self, metric: &str, labels: &[&str], value: i64) {
        self.gauges.insert(series(metric, labels), value);
    }

    fn observe(&mut self, metric: &str, labels: &[&str], value: f64) {
        self.observations.entry(series(metric, labels)).or_default().push(value);
    }

    fn log(&mut self, level: Level, message: &str) {
        self.logs.push(Log {
            level,
            message: message.to_owned(),
        });
    }
}
