//! Is the log there? Each part of the process that it answers, or does not, speaks for itself.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Who gets no answer from the log, and why.
#[derive(Default)]
pub struct Weather(Mutex<BTreeMap<String, String>>);

impl Weather {
    /// `None`: the log answers.
    pub fn note(&self, who: &str, away: Option<&str>) {
        let mut all = self.0.lock();
        match away {
            Some(why) => all.insert(who.to_owned(), why.to_owned()),
            None => all.remove(who),
        };
    }

    /// Why the log is away, as one of those says that miss it.
    pub fn away(&self) -> Option<String> {
        self.0.lock().values().next().cloned()
    }
}

/// Waits that grow, with chance in them: what was cut off together must not come back together.
pub struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// Between half of the present wait and all of it; the next one is twice as long.
    pub fn pause(&mut self) -> Duration {
        let chance = RandomState::new().hash_one(0_u8) as u32;
        let half = self.next / 2;
        self.next = (self.next * 2).min(self.most);
        half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_hears_the_log_again_does_not_speak_for_the_others() {
        let weather = Weather::default();
        weather.note("worker 0", Some("no broker"));
        weather.note("worker 1", Some("no broker"));
        weather.note("worker 0", None);
        assert_eq!(weather.away().as_deref(), Some("no broker"));
        weather.note("worker 1", None);
        assert_eq!(weather.away(), None);
    }

    #[test]
    fn pauses_grow_to_their_limit_and_are_never_nothing() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<Duration> = (0..8).map(|_| backoff.pause()).collect();
        for (pause, most) in pauses.iter().zip([100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000]) {
            let most = Duration::from_millis(most);
            assert!(*pause >= most / 2 && *pause <= most, "{pauses:?}");
        }
    }
}
