//! Waiting for a fact, with a deadline that says what was seen instead.

use std::fmt::Debug;
use std::time::{Duration, Instant};

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
