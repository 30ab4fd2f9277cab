//! Entries in the order of time, and the one timer that sweeps them.
//!
//! A timer for each entry would cost more than the entry. Instead a store is keyed by time, and a single timer is set
//! for its oldest entry; when it fires, all that is due goes, a bounded number at once.

use fermata_stage::{Context, Due, Format, Reader, Table};
use minicbor::{Decode, Encode};

/// How long the rest of a large sweep waits. Firing at once would hold up the shard's records.
const BREATH: i64 = 20;

/// How a timed store is swept.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// The timer's id.
    pub timer: &'static str,
    /// Entries that one firing takes: it must stay within the fuel and the emissions of one call.
    pub batch: u32,
    /// Milliseconds between two sweeps: each costs a tick of the shard.
    pub pause: i64,
}

/// When the timer of a sweep will fire, if it is set; kept in the stage's state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Alarm(#[n(0)] Option<i64>);

/// What a stage knows of its own forgetting, where forgetting too early would decide something twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct Memory {
    #[cbor(n(0), default)]
    pub alarm: Alarm,
    /// Entries up to this time may be gone.
    #[n(1)]
    forgotten: Option<i64>,
}

impl Memory {
    /// May an entry of this time have been forgotten? Then that it is not there says nothing.
    pub fn may_have_forgotten(&self, at: i64) -> bool {
        self.forgotten.is_some_and(|forgotten| at <= forgotten)
    }

    /// Entries up to the one with this key are gone.
    pub fn forgot(&mut self, last: &[u8]) {
        self.forgotten = self.forgotten.max(Some(split(last).0));
    }
}

/// A timer that fires so late was not waited for: the shard was away, and what was sent before is still to be read.
const AWAY: i64 = 600_000;

/// Eight bytes of time, big-endian, then the name: entries stand in the order of time.
pub fn key(at: i64, name: &str) -> Vec<u8> {
    let at = u64::try_from(at).unwrap_or(0);
    [&at.to_be_bytes()[..], name.as_bytes()].concat()
}

/// The time and the name in a key.
pub fn split(key: &[u8]) -> (i64, &str) {
    let (at, name) = key
        .split_first_chunk()
        .expect("keys of timed stores begin with eight bytes of time");
    let at = i64::try_from(u64::from_be_bytes(*at)).expect("times come from i64");
    (at, std::str::from_utf8(name).expect("names are UTF-8"))
}

/// What a sweep found.
pub struct Found<T> {
    /// Entries no later than asked for, oldest first.
    pub due: Vec<(Vec<u8>, T)>,
    /// Where the rest begins.
    pub rest: Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing is left.
    Empty,
    /// The next entry's time lies behind the one asked for.
    Later(i64),
    /// There may be more of what is due.
    More,
}

impl Sweep {
    /// Sets the timer unless it is set: what comes later waits for its turn. True: it was set now. A timer that should
    /// have fired long ago is set anew, since its firing may have ended as a dead letter.
    pub fn arm(&self, cx: &mut dyn Context, alarm: &mut Alarm, at: i64) -> bool {
        if alarm.0.is_some_and(|set| cx.now() - set <= AWAY) {
            return false;
        }
        self.set(cx, alarm, at, b"");
        true
    }

    /// Puts the sweep off if the shard was away, so that the records that waited meanwhile find all that they may ask
    /// about. True: this firing has nothing more to do.
    pub fn put_off(&self, cx: &mut dyn Context, alarm: &mut Alarm, timer: &Due) -> bool {
        let away = cx.now() - timer.at > AWAY;
        if away {
            let at = cx.now() + AWAY;
            self.set(cx, alarm, at, &timer.payload);
        }
        away
    }

    /// The entries of `table` behind `after` whose time is no later than `until`.
    pub fn find<T, F: Format<T>>(
        &self,
        cx: &dyn Reader,
        table: Table<T, F>,
        after: Option<&[u8]>,
        until: i64,
    ) -> Found<T> {
        let mut due = table.scan(cx, "", after, self.batch);
        let later = due.iter().position(|(key, _)| split(key).0 > until);
        let rest = match later {
            Some(first) => {
                let next = split(&due[first].0).0;
                due.truncate(first);
                Rest::Later(next)
            }
            None if due.is_empty() => Rest::Empty,
            // A page may be cut short by its bytes, so only an empty one is the end.
            None => Rest::More,
        };
        Found { due, rest }
    }

    /// After the timer fired: sets it again if there is a rest. `wait`: how long after its time an entry is due.
    /// `place`: where this firing stopped, given to the next one as payload if it is to go on from there.
    pub fn rearm(&self, cx: &mut dyn Context, alarm: &mut Alarm, rest: Rest, wait: i64, place: &[u8]) {
        let now = cx.now();
        match rest {
            Rest::Empty => alarm.0 = None,
            Rest::Later(at) => self.set(cx, alarm, at.saturating_add(wait).max(now + self.pause), b""),
            Rest::More => self.set(cx, alarm, now + BREATH, place),
        }
    }

    fn set(&self, cx: &mut dyn Context, alarm: &mut Alarm, at: i64, payload: &[u8]) {
        cx.set_timer(self.timer, at, payload);
        alarm.0 = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_stage::Cbor;
    use fermata_stage::testing::TestContext;

    #[derive(Encode, Decode)]
    struct Mark {}
    const MARKS: Table<Mark, Cbor> = Table::new("marks", 1);
    const SWEEP: Sweep = Sweep {
        timer: "sweep",
        batch: 64,
        pause: 1_000,
    };

    #[test]
    fn keys_stand_in_the_order_of_time() {
        assert!(key(255, "z") < key(256, "a"));
        assert!(key(-1, "a") < key(1, "a"));
        assert_eq!(split(&key(1_795_388_462_345, "p-1")), (1_795_388_462_345, "p-1"));
    }

    #[test]
    fn a_sweep_takes_what_is_due_and_says_what_is_left() {
        let mut cx = TestContext::new();
        for at in 0..100 {
            MARKS.put(&mut cx, key(at, "x"), &Mark {});
        }
        let found = SWEEP.find(&cx, MARKS, None, 9);
        assert_eq!((found.due.len(), found.rest), (10, Rest::Later(10)));
        let found = SWEEP.find(&cx, MARKS, None, 1_000);
        assert_eq!((found.due.len(), found.rest), (64, Rest::More));
        let last = &found.due.last().expect("some").0;
        assert_eq!(SWEEP.find(&cx, MARKS, Some(last), 1_000).due.len(), 36);
        assert_eq!(SWEEP.find(&cx, MARKS, Some(&key(99, "x")), 1_000).rest, Rest::Empty);
    }

    #[test]
    fn a_sweep_has_one_timer() {
        let mut cx = TestContext::new();
        cx.set_now(1_000);
        let mut alarm = Alarm::default();
        assert!(SWEEP.arm(&mut cx, &mut alarm, 5_000));
        assert!(!SWEEP.arm(&mut cx, &mut alarm, 6_000));
        assert_eq!(cx.timers().len(), 1);
        assert_eq!(cx.timers()[0].at, 5_000);
        cx.set_now(5_000);
        SWEEP.rearm(&mut cx, &mut alarm, Rest::Later(2_000), 30_000, b"");
        assert_eq!(cx.timers()[0].at, 32_000);
        SWEEP.rearm(&mut cx, &mut alarm, Rest::Later(2_000), 3_500, b"");
        assert_eq!(cx.timers()[0].at, 6_000, "never sooner than the pause");
        SWEEP.rearm(&mut cx, &mut alarm, Rest::More, 30_000, b"here");
        assert_eq!(
            (cx.timers()[0].at, cx.timers()[0].payload.as_slice()),
            (5_020, &b"here"[..])
        );
        SWEEP.rearm(&mut cx, &mut alarm, Rest::Empty, 30_000, b"");
        assert!(SWEEP.arm(&mut cx, &mut alarm, 9_000), "an empty store is swept no more");
    }

    #[test]
    fn a_shard_that_was_away_forgets_nothing_at_once() {
        let mut cx = TestContext::new();
        let mut alarm = Alarm::default();
        SWEEP.arm(&mut cx, &mut alarm, 5_000);
        cx.set_now(5_000 + AWAY);
        let timer = cx.timers().remove(0);
        assert!(!SWEEP.put_off(&mut cx, &mut alarm, &timer));
        cx.set_now(5_001 + AWAY);
        assert!(SWEEP.put_off(&mut cx, &mut alarm, &timer));
        assert_eq!(cx.timers()[0].at, 5_001 + 2 * AWAY);
        assert!(!SWEEP.arm(&mut cx, &mut alarm, 9_000_000));
        cx.set_now(5_002 + 3 * AWAY);
        assert!(SWEEP.arm(&mut cx, &mut alarm, 9_000_000), "that firing was lost");
    }

    #[test]
    fn what_may_be_forgotten_is_known_by_its_time() {
        let mut memory = Memory::default();
        assert!(!memory.may_have_forgotten(0));
        memory.forgot(&key(7, "p"));
        memory.forgot(&key(5, "p"));
        assert!(memory.may_have_forgotten(7));
        assert!(!memory.may_have_forgotten(8));
    }
}
