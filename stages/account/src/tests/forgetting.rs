//! What is remembered, for how long, and what comes after.

use super::*;

const DAY: i64 = 86_400_000;

fn fire(shard: &mut Shard, at: i64) -> usize {
    shard.cx.set_now(at);
    let fired = shard.cx.fire_due(&shard.stage);
    for outcome in &fired {
        assert!(outcome.as_ref().expect("a sweep").is_empty());
    }
    shard.check();
    fired.len()
}

#[test]
fn ends_are_remembered_as_long_as_cancels_may_come() {
    let mut shard = Shard::new();
    let terms = ("p-1", "a", "b", 1);
    shard.debit(terms);
    shard.credit(terms);
    shard.settled(terms);
    assert_eq!(shard.cx.timers().len(), 2, "one for each side");
    assert_eq!(fire(&mut shard, OPENED + 8 * DAY - 1), 0);
    assert_eq!(shard.cancel(terms, "from"), [""; 0]);
    assert_eq!(fire(&mut shard, OPENED + 8 * DAY), 2);
    assert!(shard.cx.entries("debits").is_empty() && shard.cx.entries("credits").is_empty());
    fire(&mut shard, OPENED + 8 * DAY + 1_000);
    assert!(shard.cx.timers().is_empty());
}

#[test]
fn what_may_have_been_forgotten_is_a_dead_letter() {
    let mut shard = Shard::new();
    fire(&mut shard, OPENED + 8 * DAY);
    for (kind, key, side) in [
        ("debit", "a", None),
        ("credit", "b", None),
        ("cancel", "a", Some("from")),
        ("cancel", "b", Some("to")),
    ] {
        let mut message = about(("p-1", "a", "b", 1));
        message["v"] = json!(1);
        message["type"] = json!(kind);
        message["side"] = json!(side);
        let input = Input::new(topics::INFLIGHT)
            .with_key(key)
            .with_value(message.to_string());
        assert_eq!(shard.send(input).expect_err(kind).code, "too-old", "{kind} {side:?}");
    }
    let mut later = about(("p-1", "a", "b", 1));
    later["opened"] = json!(OPENED + 1);
    assert_eq!(shard.message("debit", "a", later), ["credit b"]);
}

#[test]
fn open_and_waiting_debits_are_never_forgotten() {
    let mut shard = Shard::with(json!({ "one-debit-in-flight": true }));
    let (open, waiting) = (("p-1", "a", "b", 1), ("p-2", "a", "b", 2));
    shard.debit(open);
    shard.debit(waiting);
    for day in 8..20 {
        fire(&mut shard, OPENED + day * DAY);
    }
    assert_eq!(shard.cx.entries("debits").len(), 2);
    assert_eq!(
        shard.refund(open, "account-frozen"),
        ["failed p-1 refunded account-frozen", "credit b"]
    );
    assert_eq!(
        shard.refund(waiting, "account-frozen"),
        ["failed p-2 refunded account-frozen"]
    );
}

#[test]
fn a_sweep_goes_past_many_open_debits() {
    let mut shard = Shard::new();
    for index in 0..600 {
        shard.debit((&format!("p-{index:03}"), "a", "b", 1));
    }
    shard.settled(("p-599", "a", "b", 1));
    let mut at = OPENED + 8 * DAY;
    for _ in 0..4 {
        assert!(fire(&mut shard, at) > 0);
        at += 1_000;
    }
    assert_eq!(shard.cx.entries("debits").len(), 599);
}

#[test]
fn after_a_long_absence_what_was_sent_before_is_read_first() {
    let mut shard = Shard::new();
    let terms = ("p-1", "a", "b", 1);
    shard.debit(terms);
    shard.settled(terms);
    fire(&mut shard, OPENED + 30 * DAY);
    assert_eq!(shard.cancel(terms, "from"), [""; 0], "the end is still known");
    assert_eq!(
        shard.cancel(("p-2", "a", "b", 1), "from"),
        ["failed p-2 refused timed-out"]
    );
    fire(&mut shard, OPENED + 30 * DAY + 600_000);
    assert!(shard.cx.entries("debits").is_empty());
}
