//! A hook for tests of a disk that fails.
//!
//! `FERMATA_PERSIST=fail:40` makes the 40th sync of the log fail and all after it, `fail-write:40` the 40th write: the
//! process must stop with an error, and what it had acknowledged before must be there. Without the variable nothing
//! happens.

use crate::failure::Failure;
use fermata_core::CommitId;
use fermata_store::PersistHook;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub const VARIABLE: &str = "FERMATA_PERSIST";

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Write,
    Sync,
}

struct Failing {
    step: Step,
    /// Such steps so far.
    begun: AtomicU64,
    fails: u64,
}

impl Failing {
    fn begin(&self, step: Step) -> Result<(), String> {
        if step != self.step || self.begun.fetch_add(1, Ordering::SeqCst) + 1 < self.fails {
            return Ok(());
        }
        let what = if step == Step::Sync { "sync" } else { "write" };
        Err(format!("{VARIABLE} lets {what} {} fail", self.fails))
    }
}

impl PersistHook for Failing {
    fn writing(&self, _: CommitId) -> Result<(), String> {
        self.begin(Step::Write)
    }
    fn before(&self, _: CommitId) -> Result<(), String> {
        self.begin(Step::Sync)
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
    let step = match text.split_once(':') {
        Some(("fail", count)) => Some((Step::Sync, count)),
        Some(("fail-write", count)) => Some((Step::Write, count)),
        _ => None,
    };
    match step.and_then(|(step, count)| Some((step, count.parse().ok()?))) {
        Some((step, fails)) if fails > 0 => Ok(Arc::new(Failing {
            step,
            begun: AtomicU64::new(0),
            fails,
        })),
        _ => Err(Failure::usage(format!(
            "{VARIABLE}={text:?}: expected fail:<n> or fail-write:<n>"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_step_fails_and_all_after_it() {
        let passed = |text: &str| -> Vec<(bool, bool)> {
            let hook = read(text).ok().unwrap();
            let each = (0..4).map(|n| (hook.writing(CommitId(n)).is_ok(), hook.before(CommitId(n)).is_ok()));
            each.collect()
        };
        assert_eq!(
            passed("fail:3"),
            [(true, true), (true, true), (true, false), (true, false)]
        );
        assert_eq!(
            passed("fail-write:2"),
            [(true, true), (false, true), (false, true), (false, true)]
        );
        for nonsense in ["fail:0", "fail-write:", "hold:1"] {
            assert!(read(nonsense).is_err(), "{nonsense}");
        }
    }
}
