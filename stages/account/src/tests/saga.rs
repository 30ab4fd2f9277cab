//! What may arrive twice, late, or in another order than it was sent.

use super::*;

const P: Terms<'_> = ("p-1", "a", "b", 400);
const NOTHING: [&str; 0] = [];

#[test]
fn every_message_counts_once() {
    let mut shard = Shard::new();
    shard.debit(P);
    assert_eq!(shard.debit(P), NOTHING);
    assert_eq!(shard.balance("a"), 600);
    shard.credit(P);
    assert_eq!(shard.credit(P), NOTHING);
    assert_eq!(shard.balance("b"), 400);
    assert_eq!(shard.settled(P), NOTHING);
    assert_eq!(shard.settled(P), NOTHING);
    assert_eq!(shard.refund(P, "account-frozen"), NOTHING, "it is settled");
    assert_eq!(shard.balance("a"), 600);
    assert_eq!(shard.cx.counter("transfers_dropped_total", &["decided"]), 2);
    assert_eq!(shard.cx.counter("transfers_dropped_total", &["not-open"]), 2);
}

#[test]
fn the_first_refund_stands() {
    let mut shard = Shard::new();
    shard.debit(P);
    assert_eq!(
        shard.refund(P, "account-frozen"),
        ["failed p-1 refunded account-frozen"]
    );
    assert_eq!(shard.refund(P, "timed-out"), NOTHING);
    assert_eq!(shard.settled(P), NOTHING);
    assert_eq!(shard.balance("a"), 1_000);
}

#[test]
fn a_refund_of_a_debit_that_is_not_open_is_ignored() {
    let mut shard = Shard::new();
    assert_eq!(shard.refund(P, "account-frozen"), NOTHING);
    assert_eq!(shard.balance("a"), 1_000);
    assert_eq!(shard.debit(P), ["credit b"], "it was not the end of anything");
}

#[test]
fn a_refund_is_applied_whatever_the_status() {
    let mut shard = Shard::new();
    shard.debit(P);
    shard.command("a", json!({ "type": "freeze" }));
    assert_eq!(
        shard.refund(P, "unknown-account"),
        ["failed p-1 refunded unknown-account"]
    );
    assert_eq!(shard.balance("a"), 1_000);
}

#[test]
fn a_cancel_before_the_debit_ends_the_payment_at_once() {
    let mut shard = Shard::new();
    assert_eq!(shard.cancel(P, "from"), ["failed p-1 refused timed-out"]);
    assert_eq!(shard.cancel(P, "from"), NOTHING);
    assert_eq!(shard.debit(P), NOTHING, "it comes too late");
    assert_eq!(shard.balance("a"), 1_000);
}

#[test]
fn a_cancel_of_an_open_debit_goes_the_way_of_the_credit() {
    let mut shard = Shard::new();
    shard.debit(P);
    assert_eq!(shard.cancel(P, "from"), ["cancel b"]);
    assert_eq!(shard.balance("a"), 600, "only the payee's side may give it back");
}

#[test]
fn a_cancel_of_what_has_ended_is_ignored() {
    let mut shard = Shard::new();
    shard.debit(P);
    shard.settled(P);
    assert_eq!(shard.cancel(P, "from"), NOTHING);
    let refunded = ("p-2", "a", "b", 1);
    shard.debit(refunded);
    shard.refund(refunded, "account-frozen");
    assert_eq!(shard.cancel(refunded, "from"), NOTHING);
    let refused = ("p-3", "b", "a", 1);
    shard.debit(refused);
    assert_eq!(shard.cancel(refused, "from"), NOTHING);
}

#[test]
fn a_cancel_behind_the_credit_is_ignored() {
    let mut shard = Shard::new();
    shard.credit(P);
    assert_eq!(shard.cancel(P, "to"), NOTHING);
    let refused = ("p-2", "a", "nobody", 1);
    assert_eq!(shard.credit(refused), ["refund a unknown-account"]);
    assert_eq!(shard.cancel(refused, "to"), NOTHING);
}

#[test]
fn a_cancel_without_a_credit_sends_the_money_back_for_good() {
    let mut shard = Shard::new();
    shard.debit(P);
    assert_eq!(shard.cancel(P, "to"), ["refund a timed-out"]);
    assert_eq!(shard.cancel(P, "to"), NOTHING);
    assert_eq!(shard.credit(P), NOTHING, "a redrive, say");
    assert_eq!(shard.balance("b"), 0);
    assert_eq!(shard.refund(P, "timed-out"), ["failed p-1 refunded timed-out"]);
    assert_eq!(shard.balance("a"), 1_000);
}

#[test]
fn another_life_of_an_id_is_another_payment() {
    let mut shard = Shard::new();
    shard.debit(P);
    let mut later = about(P);
    later["opened"] = json!(OPENED + 1);
    assert_eq!(shard.message("debit", "a", later.clone()), ["credit b"]);
    later["code"] = json!("account-frozen");
    assert_eq!(
        shard.message("refund", "a", later),
        ["failed p-1 refunded account-frozen"]
    );
    assert_eq!(shard.settled(P), NOTHING);
    assert_eq!(shard.cx.counter("transfers_dropped_total", &["not-open"]), 0);
}

#[test]
fn what_is_no_message_is_a_dead_letter_and_changes_nothing() {
    let mut shard = Shard::new();
    let before = shard.cx.entries("accounts");
    for (topic, value, code) in [
        (topics::INFLIGHT, "{", "bad-json"),
        (topics::INFLIGHT, r#"{"v":7,"type":"debit"}"#, "unknown-version"),
        (topics::INFLIGHT, r#"{"v":1,"type":"gift"}"#, "unknown-type"),
        (topics::COMMANDS, r#"{"type":"enrich"}"#, "unknown-type"),
        (topics::COMMANDS, "7", "bad-json"),
    ] {
        let rejection = shard
            .send(Input::new(topic).with_key("a").with_value(value))
            .expect_err(value);
        assert_eq!(rejection.code, code, "{value}");
    }
    assert_eq!(shard.cx.entries("accounts"), before);
}
