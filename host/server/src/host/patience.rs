//! What a start does while the log is away: whoever started the process says how long it is waited for.

use super::weather::Backoff;
use crate::failure::{Exit, Failure};
use crate::ground::Unfit;
use fermata_core::codes;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(5);

/// Decides whether a start that met no log is tried again.
pub trait Patience {
    /// Waits for about `pause`. `false`: enough.
    fn wait(&self, why: &str, pause: Duration) -> bool;
}

/// Tries once.
pub struct Impatience;

impl Patience for Impatience {
    fn wait(&self, _: &str, _: Duration) -> bool {
        false
    }
}

/// Tries until it is done, is refused, or patience ends.
pub fn patiently<T>(patience: &dyn Patience, mut attempt: impl FnMut() -> Result<T, Unfit>) -> Result<T, Failure> {
    let mut backoff = Backoff::new(FIRST, MOST);
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(Unfit::Refused(failure)) => return Err(failure),
            Err(Unfit::Away(why)) => {
                if !patience.wait(&why, backoff.pause()) {
                    return Err(away(&why));
                }
            }
        }
    }
}

pub fn away(why: &str) -> Failure {
    let failure = Failure::new(
        codes::LOG_AWAY,
        Exit::Unreachable,
        format!("the log cannot be reached: {why}"),
    );
    failure.help("is a broker running where bootstrap.servers says, and do they name the right protocol?")
}
