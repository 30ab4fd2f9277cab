//! Time that passes only when it is told to.

use fermata_core::ports::Clock;
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// 2026-01-01T00:00:00Z in microseconds.
const BEGIN: i64 = 1_767_225_600_000_000;

#[derive(Debug, Default)]
pub struct SimClock {
    /// Microseconds since [`BEGIN`].
    passed: AtomicI64,
    /// How far the wall clock was set ahead of it, by hand or by a time server.
    set: AtomicI64,
}

impl SimClock {
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.passed.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the wall clock, forward or back, though never before [`BEGIN`]; durations do not notice.
    pub fn jump(&self, millis: i64) {
        let (passed, set) = (self.passed.load(Ordering::SeqCst), self.set.load(Ordering::SeqCst));
        let wanted = set.saturating_add(millis.saturating_mul(1_000));
        self.set.store(wanted.max(-passed), Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now_micros(&self) -> i64 {
        BEGIN + self.passed.load(Ordering::SeqCst) + self.set.load(Ordering::SeqCst)
    }
    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.passed.load(Ordering::SeqCst).unsigned_abs())
    }
}
