//! Waiting for a fact, with a deadline that says what was seen instead.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How long a test waits for what must come: a slow machine is slow, and only one that hangs is wrong.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until `ask` answers `Ok`; panics with its last `Err` once `patience` is over.
pub fn until<T, E: Debug>(what: &str, patience: Duration, mut ask: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match ask() {
            Ok(found) => return found,
            Err(seen) => assert!(
                Instant::now() < deadline,
                "{what}: not within {patience:?}; last seen: {seen:?}"
            ),
        }
        // A pause between two looks, not a wait for the fact.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
