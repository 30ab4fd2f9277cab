//! One debit in flight for each account; later ones wait in order.

use super::*;

const NOTHING: [&str; 0] = [];

fn shard() -> Shard {
    Shard::with(json!({ "one-debit-in-flight": true }))
}

fn waiting(shard: &Shard) -> u64 {
    let waiting = ACCOUNTS.get(&shard.cx, "a").expect("it was opened").waiting;
    assert_eq!(shard.cx.entries("waiting").len() as u64, waiting);
    waiting
}

#[test]
fn the_second_debit_waits_for_the_end_of_the_first() {
    for refunded in [false, true] {
        let mut shard = shard();
        let (first, second, third) = (("p-1", "a", "b", 10), ("p-2", "a", "b", 20), ("p-3", "a", "b", 30));
        assert_eq!(shard.debit(first), ["credit b"]);
        assert_eq!(shard.debit(second), NOTHING);
        assert_eq!(shard.debit(third), NOTHING);
        assert_eq!((waiting(&shard), shard.balance("a")), (2, 990));
        if refunded {
            assert_eq!(
                shard.refund(first, "account-frozen"),
                ["failed p-1 refunded account-frozen", "credit b"]
            );
        } else {
            assert_eq!(shard.settled(first), ["credit b"]);
        }
        assert_eq!(waiting(&shard), 1);
        assert_eq!(shard.settled(second), ["credit b"]);
        assert_eq!(shard.settled(third), NOTHING);
        assert_eq!(waiting(&shard), 0);
    }
}

#[test]
fn others_do_not_wait() {
    let mut shard = shard();
    shard.fund("b", 100);
    assert_eq!(shard.debit(("p-1", "a", "c", 10)), ["credit c"]);
    assert_eq!(shard.debit(("p-2", "b", "c", 10)), ["credit c"]);
}

#[test]
fn without_the_option_none_waits() {
    let mut shard = Shard::new();
    assert_eq!(shard.debit(("p-1", "a", "b", 10)), ["credit b"]);
    assert_eq!(shard.debit(("p-2", "a", "b", 10)), ["credit b"]);
}

#[test]
fn checks_run_at_release() {
    let mut shard = shard();
    let first = ("p-1", "a", "b", 600);
    shard.debit(first);
    assert_eq!(
        shard.debit(("p-2", "a", "b", 600)),
        NOTHING,
        "it waits, although it could not pass now"
    );
    let more = ("p-3", "funding-EUR", "a", 200);
    shard.debit(more);
    shard.credit(more);
    assert_eq!(shard.settled(first), ["credit b"], "by now it can");
}

#[test]
fn one_record_releases_one_debit_or_four_refusals() {
    let mut shard = shard();
    let first = ("p-0", "a", "b", 1);
    shard.debit(first);
    for index in 1..=9 {
        assert_eq!(shard.debit((&format!("p-{index}"), "a", "b", 10_000)), NOTHING);
    }
    shard.debit(("p-last", "a", "b", 5));
    let refused = |ids: std::ops::Range<u32>| ids.map(|id| format!("failed p-{id} refused insufficient-funds"));
    let next = || std::iter::once("next a".to_owned());
    assert_eq!(shard.settled(first), refused(1..5).chain(next()).collect::<Vec<_>>());
    assert_eq!(shard.next("a"), refused(5..9).chain(next()).collect::<Vec<_>>());
    assert_eq!(shard.next("a"), ["failed p-9 refused insufficient-funds", "credit b"]);
    assert_eq!(shard.next("a"), NOTHING);
    assert_eq!(waiting(&shard), 0);
}

#[test]
fn none_overtakes_what_waits_for_a_next() {
    let mut shard = shard();
    let first = ("p-0", "a", "b", 1);
    shard.debit(first);
    for index in 1..=6 {
        shard.debit((&format!("p-{index}"), "a", "b", 10_000));
    }
    shard.settled(first);
    assert_eq!(waiting(&shard), 2);
    let answers = shard.debit(("p-7", "a", "b", 5));
    assert_eq!(
        answers,
        [
            "failed p-5 refused insufficient-funds",
            "failed p-6 refused insufficient-funds",
            "credit b"
        ]
    );
    assert_eq!(shard.next("a"), NOTHING, "what was left is released");
}

#[test]
fn a_next_while_a_debit_is_in_flight_releases_nothing() {
    let mut shard = shard();
    shard.debit(("p-1", "a", "b", 1));
    shard.debit(("p-2", "a", "b", 1));
    assert_eq!(shard.next("a"), NOTHING);
    assert_eq!(shard.next("nobody"), NOTHING);
    assert_eq!(waiting(&shard), 1);
}

#[test]
fn a_waiting_debit_that_takes_too_long_is_dropped() {
    let mut shard = shard();
    let (first, second, third) = (("p-1", "a", "b", 1), ("p-2", "a", "b", 2), ("p-3", "a", "b", 3));
    shard.debit(first);
    shard.debit(second);
    shard.debit(third);
    assert_eq!(shard.cancel(second, "from"), ["failed p-2 refused timed-out"]);
    assert_eq!(shard.cancel(second, "from"), NOTHING);
    assert_eq!(waiting(&shard), 1);
    assert_eq!(shard.settled(first), ["credit b"]);
    assert_eq!(shard.balance("a"), 1_000 - 1 - 3);
    assert_eq!(shard.debit(second), NOTHING);
}

#[test]
fn waiting_debits_of_a_frozen_account_are_refused_at_release() {
    let mut shard = shard();
    let first = ("p-1", "a", "b", 1);
    shard.debit(first);
    shard.debit(("p-2", "a", "b", 1));
    shard.command("a", json!({ "type": "freeze" }));
    assert_eq!(shard.settled(first), ["failed p-2 refused account-frozen"]);
}

#[test]
fn names_that_begin_alike_have_queues_of_their_own() {
    let mut shard = shard();
    shard.command("a\0", json!({ "type": "open", "currency": "EUR" }));
    shard.fund("a\0", 100);
    shard.debit(("p-1", "a\0", "b", 1));
    shard.debit(("p-2", "a\0", "b", 1));
    shard.debit(("p-3", "a", "b", 1));
    assert_eq!(shard.settled(("p-3", "a", "b", 1)), NOTHING);
    assert_eq!(shard.settled(("p-1", "a\0", "b", 1)), ["credit b"]);
}

#[test]
fn what_waited_is_released_when_the_option_goes() {
    let mut shard = shard();
    let first = ("p-1", "a", "b", 1);
    shard.debit(first);
    shard.debit(("p-2", "a", "b", 1));
    shard.debit(("p-3", "a", "b", 1));
    shard.stage = Account::init(Config::default()).expect("valid");
    assert_eq!(shard.settled(first), ["credit b", "next a"]);
    assert_eq!(shard.next("a"), ["credit b"]);
    assert_eq!(waiting(&shard), 0);
}
