//! A hook for tests that kill the process at a named moment.
//!
//! `FERMATA_HOLD_AT=switch:3` makes the thread that reaches the moment `switch` for the third time say
//! `held at switch` on stderr and wait for ever: the test then sends SIGKILL. Without the variable nothing happens.
//! Moments are those of [`fermata_core::ports::Moment`].

use crate::failure::Failure;
use fermata_core::ports::{Moment, NoProbe, Probe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub const VARIABLE: &str = "FERMATA_HOLD_AT";

struct Hold {
    moment: Moment,
    /// Passes left before the one that is held.
    left: AtomicU64,
}

impl Probe for Hold {
    fn reached(&self, moment: Moment) {
        if moment != self.moment {
            return;
        }
        let before = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if before == Ok(1) {
            eprintln!("held at {}", moment.name());
            loop {
                std::thread::park();
            }
        }
    }
}

/// The probe that the environment asks for.
pub fn from_environment() -> Result<Arc<dyn Probe>, Failure> {
    match std::env::var(VARIABLE) {
        Ok(text) => read(&text),
        Err(_) => Ok(Arc::new(NoProbe)),
    }
}

fn read(text: &str) -> Result<Arc<dyn Probe>, Failure> {
    let (name, count) = text.split_once(':').unwrap_or((text, "1"));
    let moment = Moment::ALL.into_iter().find(|m| m.name() == name);
    match (moment, count.parse()) {
        (Some(moment), Ok(count)) if count > 0 => Ok(Arc::new(Hold {
            moment,
            left: AtomicU64::new(count),
        })),
        _ => {
            let names: Vec<&str> = Moment::ALL.iter().map(|m| m.name()).collect();
            Err(Failure::usage(format!(
                "{VARIABLE}={text:?}: expected <moment>:<n>, moments {}",
                names.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_asked_moment_and_pass_is_held() {
        let probe = read("switch:2").ok().unwrap();
        probe.reached(Moment::Append);
        probe.reached(Moment::Switch);
        let held = std::thread::spawn(move || probe.reached(Moment::Switch));
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(100);
        while std::time::Instant::now() < deadline {
            assert!(!held.is_finished(), "the second pass must not return");
            std::thread::yield_now();
        }
        assert!(read("nowhere:1").is_err());
        assert!(read("switch:0").is_err());
    }
}
