//! How long a transaction gathers.
//!
//! Ending one costs much the same whatever it holds, and how much is for the log to say: a fraction of a millisecond on
//! the embedded one, some ten on brokers, more on busy brokers. So while there are records a worker gathers for longer
//! than its last commit took: most of its time goes into records, on any log. When nothing is left to read it commits
//! at once, whatever the pace: nobody waits for records that may never come.

use std::time::Duration;

/// Gathering takes so many times what committing took.
const SHARE: u32 = 2;
/// The longest that a record waits for others, whatever commits take.
const LONGEST: Duration = Duration::from_millis(100);

/// What the last commit took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    took: Duration,
}

impl Pace {
    pub fn committed_in(&mut self, took: Duration) {
        self.took = took;
    }

    /// How long to gather, where `least` is long enough on a quick log.
    pub fn gathering(&self, least: Duration) -> Duration {
        least.max((self.took * SHARE).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathering_grows_with_what_commits_take_and_has_an_end() {
        let ms = Duration::from_millis;
        let mut pace = Pace::default();
        assert_eq!(pace.gathering(ms(10)), ms(10));
        for (took, gathering) in [(1, 10), (5, 10), (20, 40), (50, 100), (5_000, 100), (2, 10)] {
            pace.committed_in(ms(took));
            assert_eq!(pace.gathering(ms(10)), ms(gathering), "{took}");
        }
        assert_eq!(pace.gathering(ms(300)), ms(300), "what was asked for is never cut");
    }
}
