//! Debits and credits, and what refuses them.

use super::*;

#[test]
fn money_moves_from_one_account_to_the_other() {
    let mut shard = Shard::new();
    let terms = ("p-1", "a", "b", 400);
    assert_eq!(shard.debit(terms), ["credit b"]);
    assert_eq!((shard.balance("a"), shard.balance("b")), (600, 0));
    assert_eq!(shard.credit(terms), ["complete p-1", "settled a"]);
    assert_eq!((shard.balance("a"), shard.balance("b")), (600, 400));
    assert_eq!(shard.settled(terms), [""; 0]);
}

#[test]
fn debits_are_checked_in_order() {
    let mut shard = Shard::new();
    shard.command("usd", json!({ "type": "open", "currency": "USD" }));
    shard.command("frozen-usd", json!({ "type": "open", "currency": "USD" }));
    shard.command("frozen-usd", json!({ "type": "freeze" }));
    shard.command("closed-usd", json!({ "type": "open", "currency": "USD" }));
    shard.command("closed-usd", json!({ "type": "close" }));
    for (from, amount, code) in [
        ("nobody", 1, "unknown-account"),
        ("closed-usd", 1, "account-closed"),
        ("frozen-usd", 1, "account-frozen"),
        ("usd", 1, "currency-mismatch"),
        ("b", 1, "insufficient-funds"),
        ("a", 1_001, "insufficient-funds"),
        ("funding-USD", 1, "currency-mismatch"),
    ] {
        let id = format!("p-{from}");
        assert_eq!(
            shard.debit((&id, from, "c", amount)),
            [format!("failed {id} refused {code}")]
        );
    }
    assert_eq!(shard.cx.counter("payments_failed_total", &["insufficient-funds"]), 2);
    assert_eq!(shard.debit(("p-all", "a", "c", 1_000)), ["credit c"]);
}

#[test]
fn credits_are_checked_in_order() {
    let mut shard = Shard::new();
    shard.command("usd", json!({ "type": "open", "currency": "USD" }));
    shard.command("frozen", json!({ "type": "open", "currency": "EUR" }));
    shard.command("frozen", json!({ "type": "freeze" }));
    shard.command("closed", json!({ "type": "open", "currency": "EUR" }));
    shard.command("closed", json!({ "type": "close" }));
    for (to, code) in [
        ("nobody", "unknown-account"),
        ("closed", "account-closed"),
        ("frozen", "account-frozen"),
        ("usd", "currency-mismatch"),
    ] {
        let id = format!("p-{to}");
        let terms = (id.as_str(), "a", to, 100);
        assert_eq!(shard.debit(terms), [format!("credit {to}")]);
        assert_eq!(shard.credit(terms), [format!("refund a {code}")]);
        assert_eq!(shard.refund(terms, code), [format!("failed {id} refunded {code}")]);
        assert_eq!(shard.balance("a"), 1_000);
    }
}

#[test]
fn only_a_funding_account_has_no_limit() {
    let mut shard = Shard::new();
    assert_eq!(shard.debit(("p-1", "funding-EUR", "b", i64::MAX - 1_000)), ["credit b"]);
    assert_eq!(shard.balance("funding-EUR"), -i64::MAX);
    assert_eq!(shard.debit(("p-2", "funding-EUR", "b", 1)), ["credit b"]);
    assert_eq!(
        shard.debit(("p-3", "funding-EUR", "b", 1)),
        ["failed p-3 refused amount-overflow"]
    );
    assert_eq!(
        shard.debit(("p-4", "funding-eur", "b", 1)),
        ["failed p-4 refused unknown-account"]
    );
}

#[test]
fn an_overdraft_goes_to_its_limit() {
    let mut shard = Shard::new();
    assert_eq!(shard.command("b", json!({ "type": "limit", "limit": -50 })), "ok");
    assert_eq!(
        shard.debit(("p-1", "b", "c", 51)),
        ["failed p-1 refused insufficient-funds"]
    );
    assert_eq!(shard.debit(("p-2", "b", "c", 50)), ["credit c"]);
    assert_eq!(shard.command("a", json!({ "type": "limit", "limit": 900 })), "ok");
    assert_eq!(
        shard.debit(("p-3", "a", "c", 101)),
        ["failed p-3 refused insufficient-funds"]
    );
    assert_eq!(shard.debit(("p-4", "a", "c", 100)), ["credit c"]);
}

#[test]
fn a_credit_that_would_not_fit_goes_back() {
    let mut shard = Shard::new();
    let terms = ("p-1", "funding-EUR", "b", i64::MAX - 1_000);
    shard.debit(terms);
    shard.credit(terms);
    for (id, amount, answer) in [
        ("p-2", 1_001, "refund a amount-overflow"),
        ("p-3", 1_000, "complete p-3"),
    ] {
        assert_eq!(shard.credit((id, "a", "b", amount))[0], answer);
    }
    assert_eq!(shard.balance("b"), i64::MAX);
}

/// A refund cannot be refused, so room for it must be left while the debit is open.
#[test]
fn a_credit_leaves_room_for_refunds() {
    let mut shard = Shard::new();
    let terms = ("p-1", "funding-EUR", "b", i64::MAX - 1_000);
    shard.debit(terms);
    shard.credit(terms);
    let open = ("p-2", "b", "nobody", 5_000);
    assert_eq!(shard.debit(open), ["credit nobody"]);
    assert_eq!(shard.credit(("p-3", "a", "b", 1_001)), ["refund a amount-overflow"]);
    assert_eq!(shard.credit(("p-4", "a", "b", 1_000))[0], "complete p-4");
    assert_eq!(
        shard.refund(open, "unknown-account"),
        ["failed p-2 refunded unknown-account"]
    );
    assert_eq!(shard.balance("b"), i64::MAX);
}

#[test]
fn only_a_credit_opens_an_account_and_only_if_told_to() {
    let mut shard = Shard::with(json!({ "auto-open": true }));
    assert_eq!(
        shard.debit(("p-1", "new", "a", 1)),
        ["failed p-1 refused unknown-account"]
    );
    assert_eq!(shard.credit(("p-2", "a", "new", 10))[0], "complete p-2");
    assert_eq!(shard.balance("new"), 10);
    assert_eq!(
        shard.debit(("p-3", "new", "a", 11)),
        ["failed p-3 refused insufficient-funds"]
    );
    assert_eq!(shard.debit(("p-4", "new", "a", 10)), ["credit a"]);
}

#[test]
fn a_validator_may_refuse_either_side() {
    let verdict = Verdict {
        validator: "acme".into(),
        code: Some("too-fast".into()),
        reason: "7 in 60 s".into(),
    };
    let mut shard = Shard::new();
    let terms = ("p-1", "a", "b", 1);
    let mut judged = |kind: &str, key: &str, terms| {
        let mut message = about(terms);
        message["v"] = json!(1);
        message["type"] = json!(kind);
        let mut input = Input::new(topics::INFLIGHT)
            .with_key(key)
            .with_value(message.to_string());
        input.verdicts = vec![verdict.clone()];
        shard
            .send(input)
            .expect("a message")
            .iter()
            .map(said)
            .collect::<Vec<_>>()
    };
    assert_eq!(judged("debit", "a", terms), ["failed p-1 refused acme/too-fast"]);
    assert_eq!(judged("credit", "b", ("p-2", "a", "b", 1)), ["refund a acme/too-fast"]);
}

#[test]
fn the_payment_travels_untouched() {
    let mut shard = Shard::new();
    let payment = r#"{ "id":"p-1","from":"a","to":"b","amount":1,"currency":"EUR", "colour" : "blue" }"#;
    let send = |shard: &mut Shard, kind: &str, key: &str| {
        let message = format!(r#"{{"v":1,"type":"{kind}","opened":{OPENED},"payment":{payment}}}"#);
        let emissions = shard
            .send(Input::new(topics::INFLIGHT).with_key(key).with_value(message))
            .expect("a message");
        String::from_utf8(emissions[0].value.clone().expect("a value")).expect("JSON")
    };
    assert!(send(&mut shard, "debit", "a").contains(payment));
    assert!(send(&mut shard, "credit", "b").contains(payment));
}
