//! Wakes whoever waits for records or shards: one counter of everything that may interest a poller.

use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// When `max_wait` from now is over; the longest waits are a year.
pub(crate) fn deadline(max_wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    Instant::now() + max_wait.min(YEAR)
}

#[derive(Default)]
pub(crate) struct Pulse {
    beats: Mutex<u64>,
    changed: Condvar,
}

impl Pulse {
    /// Taken before looking, so that what happens while looking is not slept through.
    pub fn now(&self) -> u64 {
        *self.beats.lock()
    }
    pub fn beat(&self) {
        *self.beats.lock() += 1;
        self.changed.notify_all();
    }
    /// Until the counter differs from `seen`; `false` when `deadline` passed first.
    pub fn wait(&self, seen: u64, deadline: Instant) -> bool {
        let mut beats = self.beats.lock();
        while *beats == seen {
            if self.changed.wait_until(&mut beats, deadline).timed_out() {
                return *beats != seen;
            }
        }
        true
    }
}
