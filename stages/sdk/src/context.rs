//! What a stage may ask of its host while it works on one record.

use crate::types::{Entry, Level};

/// Reads only: all that a view has. Views read committed state; `process` and `fired` see their own writes.
pub trait Reader {
    fn get_raw(&self, store: &str, key: &[u8]) -> Option<Vec<u8>>;

    /// Entries under `prefix` in byte order, strictly behind `after`; at most `limit`, and fewer where the host's
    /// own bound (1,000 entries or 1 MiB) is reached first.
    fn scan_raw(&self, store: &str, prefix: &[u8], after: Option<&[u8]>, limit: u32) -> Vec<Entry>;

    /// The last tick that this task has processed, milliseconds since the epoch.
    fn now(&self) -> i64;
}

/// Reads and writes. If the record ends in a rejection or a fault, the host undoes all of its writes and timers.
///
/// Misuse (an undeclared store, metric or port, a value over its limit) traps: a fault of this record alone.
pub trait Context: Reader {
    /// Identity of the record in hand, the same in every replay.
    fn id(&self) -> String;

    /// Identity of the head record that began this chain, and its timestamp in milliseconds.
    fn root(&self) -> (String, i64);

    /// From a generator seeded by pipeline, stage and id: the same in every replay.
    fn random(&mut self) -> u64;

    fn put_raw(&mut self, store: &str, key: &[u8], value: &[u8]);

    fn delete_raw(&mut self, store: &str, key: &[u8]);

    /// Sets or moves the timer `id` of this task. `at`: milliseconds since the epoch.
    fn set_timer(&mut self, id: &str, at: i64, payload: &[u8]);

    fn cancel_timer(&mut self, id: &str);

    /// Adds to a counter. Labels: values in declared order.
    fn add(&mut self, metric: &str, labels: &[&str], value: u64);

    /// Sets a gauge.
    fn set(&mut self, metric: &str, labels: &[&str], value: i64);

    /// Observes a value in a histogram.
    fn observe(&mut self, metric: &str, labels: &[&str], value: f64);

    fn log(&mut self, level: Level, message: &str);
}
