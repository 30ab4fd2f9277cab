//! What operators ask, and what they are told.

use super::*;

#[test]
fn every_command_is_answered() {
    let mut shard = Shard::new();
    let open = json!({ "type": "open", "currency": "EUR" });
    for (account, command, code) in [
        ("n", open.clone(), "ok"),
        ("n", open.clone(), "exists"),
        ("n", json!({ "type": "open", "currency": "USD" }), "currency-mismatch"),
        ("n", json!({ "type": "open", "currency": "euro" }), "bad-currency"),
        ("n", json!({ "type": "unfreeze" }), "exists"),
        ("n", json!({ "type": "freeze" }), "ok"),
        ("n", json!({ "type": "freeze" }), "exists"),
        ("n", open.clone(), "exists"),
        ("n", json!({ "type": "unfreeze" }), "ok"),
        ("n", json!({ "type": "limit", "limit": -5 }), "ok"),
        ("n", json!({ "type": "limit", "limit": -5 }), "exists"),
        ("n", json!({ "type": "limit" }), "missing-field"),
        ("n", json!({ "type": "close" }), "ok"),
        ("n", json!({ "type": "close" }), "exists"),
        ("n", json!({ "type": "freeze" }), "account-closed"),
        ("n", json!({ "type": "limit", "limit": 1 }), "account-closed"),
        ("n", open, "account-closed"),
        ("nobody", json!({ "type": "close" }), "unknown-account"),
        ("nobody", json!({ "type": "freeze" }), "unknown-account"),
        ("funding-EUR", json!({ "type": "limit", "limit": 0 }), "no-limit"),
        ("a", json!({ "type": "close" }), "balance-not-zero"),
    ] {
        assert_eq!(shard.command(account, command.clone()), code, "{account} {command}");
    }
}

#[test]
fn an_account_that_no_payment_could_name_is_not_opened() {
    let mut shard = Shard::new();
    let (longest, longer) = ("n".repeat(128), "n".repeat(129));
    let open = || json!({ "type": "open", "currency": "EUR" });
    assert_eq!(shard.command(&longest, open()), "ok");
    assert_eq!(shard.command(&longer, open()), "too-large");
    assert!(ACCOUNTS.get(&shard.cx, &longer).is_none());
}

#[test]
fn the_answer_names_what_it_answers() {
    let mut shard = Shard::new();
    let command = json!({ "type": "close", "id": "c-7", "account": "a" });
    let input = Input::new(topics::COMMANDS)
        .with_key("a")
        .with_value(command.to_string());
    let answer = value(&shard.send(input).expect("a command")[0]);
    let expected = json!({
        "v": 1, "type": "result", "account": "a", "id": "c-7", "command": "close", "code": "balance-not-zero",
        "reason": "the balance is 1000",
    });
    assert_eq!(answer, expected);
}

#[test]
fn an_account_is_not_closed_while_debits_wait_or_are_open() {
    let mut shard = Shard::with(json!({ "one-debit-in-flight": true }));
    let (all, more) = (("p-1", "a", "b", 1_000), ("p-2", "a", "b", 1));
    shard.debit(all);
    shard.debit(more);
    let close = || json!({ "type": "close" });
    assert_eq!(shard.command("a", close()), "unsettled");
    shard.cancel(more, "from");
    assert_eq!(shard.command("a", close()), "unsettled", "the first is open");
    shard.settled(all);
    assert_eq!(shard.command("a", close()), "ok");
    assert_eq!(shard.credit(("p-3", "b", "a", 1)), ["refund b account-closed"]);
}

#[test]
fn a_validator_may_refuse_a_command() {
    let mut shard = Shard::new();
    let mut input = Input::new(topics::COMMANDS)
        .with_key("a")
        .with_value(r#"{"type":"freeze"}"#);
    input.verdicts = vec![Verdict {
        validator: "acme".into(),
        code: Some("no".into()),
        reason: "no".into(),
    }];
    assert_eq!(value(&shard.send(input).expect("a command")[0])["code"], "acme/no");
    assert_eq!(
        shard.command("a", json!({ "type": "unfreeze" })),
        "exists",
        "it was not frozen"
    );
}
