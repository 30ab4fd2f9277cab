//! A hook for tests of a disk that fails.
//!
//! `FERMATA_PERSIST=fail:40` makes the 40th sync of the log fail: the process must stop with an error, and what it had
//! acknowledged before must be there. Without the variable nothing happens.

use crate::failure::Failure;
use fermata_core::CommitId;
use fermata_store::PersistHook;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub const VARIABLE: &str = "FERMATA_PERSIST";

struct Failing {
    /// Syncs so far.
    begun: AtomicU64,
    fails: u64,
}

impl PersistHook for Failing {
    fn before(&self, _: CommitId) -> Result<(), String> {
        if self.begun.fetch_add(1, Ordering::SeqCst) + 1 < self.fails {
            return Ok(());
        }
        Err(format!("{VARIABLE} lets sync {} fail", self.fails))
    }
}

/// The hook that the environment asks for.
pub fn from_environment() -> Result<Option<Arc<dyn PersistHook>>, Failure> {
    match std::env::var(VARIABLE) {
        Ok(text) => read(&text).map(Some),
        Err(_) => Ok(None),
    }
}

fn read(text: &str) -> Result<Arc<dyn PersistHook>, Failure> {
    match text.strip_prefix("fail:").and_then(|count| count.parse().ok()) {
        Some(fails) if fails > 0 => Ok(Arc::new(Failing {
            begun: AtomicU64::new(0),
            fails,
        })),
        _ => Err(Failure::usage(format!("{VARIABLE}={text:?}: expected fail:<n>"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_sync_fails_and_all_after_it() {
        let hook = read("fail:3").ok().unwrap();
        let passed: Vec<bool> = (0..5).map(|n| hook.before(CommitId(n)).is_ok()).collect();
        assert_eq!(passed, [true, true, false, false, false]);
        assert!(read("fail:0").is_err());
        assert!(read("hold:1").is_err());
    }
}
