//! Numbers of commits. Kafka has none that grow, so they are this process's own; what is committed is durable.

use fermata_core::CommitId;
use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) struct Commits {
    last: Mutex<u64>,
    grown: Condvar,
}

impl Commits {
    /// Begins at the microseconds since the Unix epoch, so that numbers grow from one process to the next.
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            last: Mutex::new(u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2)),
            grown: Condvar::new(),
        }
    }
    /// The number of a transaction that has just been committed.
    pub fn next(&self) -> CommitId {
        let mut last = self.last.lock();
        *last += 1;
        self.grown.notify_all();
        CommitId(*last)
    }
    pub fn last(&self) -> CommitId {
        CommitId(*self.last.lock())
    }
    pub fn wait(&self, commit: CommitId, max_wait: Duration) -> bool {
        let deadline = Instant::now() + max_wait;
        let mut last = self.last.lock();
        while *last < commit.0 {
            if self.grown.wait_until(&mut last, deadline).timed_out() {
                return *last >= commit.0;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_the_next_process_goes_on_from_them() {
        let commits = Commits::new();
        let first = commits.next();
        assert_eq!(commits.last(), first);
        assert!(commits.wait(first, Duration::ZERO));
        assert!(!commits.wait(CommitId(first.0 + 1), Duration::ZERO));
        assert!(commits.next() > first);
        assert!(Commits::new().last() > first);
    }
}
