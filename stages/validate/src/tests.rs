//! validate as a whole, on the in-memory context.

use fermata_payments::{Span, time, topics};
use fermata_stage::testing::TestContext;
use fermata_stage::{Emission, Input, Rejection, Verdict};
use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-11-22T23:01:02Z";

fn now() -> i64 {
    time::parse(NOW).expect("a time")
}

fn stage() -> Validate<0> {
    Validate::init(Config::default()).expect("the defaults are valid")
}

fn context() -> TestContext {
    let mut cx = TestContext::new();
    cx.set_now(now());
    cx
}

fn payment(id: &str) -> Value {
    json!({ "id": id, "from": "acct-1", "to": "acct-2", "amount": 1250, "currency": "EUR", "at": NOW, "colour": "blue" })
}

fn input(payment: &Value) -> Input {
    let id = payment["id"].as_str().expect("an id");
    Input::new(topics::INCOMING)
        .with_key(id)
        .with_value(payment.to_string())
}

fn send(cx: &mut TestContext, payment: &Value) -> Vec<Emission> {
    try_send(cx, input(payment)).expect("a payment")
}

fn try_send(cx: &mut TestContext, input: Input) -> Result<Vec<Emission>, Rejection> {
    Ok(cx.process(&stage(), input)?.into_iter().map(Emission::from).collect())
}

/// The code of the one rejection emitted, or the port of what was emitted instead.
fn code(emissions: &[Emission]) -> String {
    match emissions {
        [] => "nothing".to_owned(),
        [one] if one.port == "rejected" => {
            let value: Value = serde_json::from_slice(one.value.as_deref().expect("a value")).expect("JSON");
            value["code"].as_str().expect("a code").to_owned()
        }
        [one] => one.port.clone(),
        more => panic!("{} emissions", more.len()),
    }
}

fn view<const MINOR: u32>(cx: &TestContext) -> Value {
    let stage = Validate::<MINOR>::init(Config::default()).expect("valid");
    let part = stage.query(cx, "rejections", &json!({})).expect("a part");
    stage
        .merge("rejections", &json!({}), vec![part.clone(), part])
        .expect("an answer")
}

#[test]
fn an_accepted_payment_goes_on_as_it_came() {
    let mut cx = context();
    let payment = payment("p-1");
    let emissions = send(&mut cx, &payment);
    assert_eq!(code(&emissions), "accepted");
    assert_eq!(emissions[0].key.as_deref(), Some(&b"p-1"[..]));
    assert_eq!(emissions[0].value.as_deref(), Some(payment.to_string().as_bytes()));
    assert_eq!(cx.counter("payments_accepted_total", &[]), 1);
}

#[test]
fn what_may_not_pass_is_rejected_with_its_code() {
    for (field, value, expected) in [
        ("amount", json!(10_000_001), "too-large"),
        ("amount", json!(10_000_000), "accepted"),
        ("amount", json!(0), "bad-amount"),
        ("currency", json!("XXX"), "bad-currency"),
        ("at", json!("2026-11-14T23:01:01.999Z"), "too-old"),
        ("at", json!("2026-11-14T23:01:02Z"), "accepted"),
        ("at", json!("2026-11-23T23:01:02.001Z"), "bad-time"),
        ("at", json!("2026-11-23T23:01:02Z"), "accepted"),
        ("at", json!("tomorrow"), "bad-time"),
        ("to", json!("acct-1"), "same-account"),
        ("to", Value::Null, "missing-field"),
        ("colour", json!("b".repeat(65_536)), "too-large"),
    ] {
        let mut payment = payment("p-1");
        payment[field] = value;
        let mut cx = context();
        let emissions = send(&mut cx, &payment);
        assert_eq!(code(&emissions), expected, "{field}");
        let rejected = u64::from(expected != "accepted");
        assert_eq!(cx.counter("payments_rejected_total", &[expected]), rejected);
    }
}

#[test]
fn a_payment_too_large_to_carry_is_rejected_without_its_text() {
    let mut large = payment("p-1");
    large["colour"] = json!("b".repeat(65_536));
    let emissions = send(&mut context(), &large);
    assert!(emissions[0].value.as_ref().expect("a value").len() < 1_000);
}

#[test]
fn money_may_come_from_a_funding_account_in_any_amount() {
    let mut payment = payment("p-1");
    payment["from"] = json!("funding-EUR");
    payment["amount"] = json!(1_000_000_000_000_000_i64);
    let mut cx = context();
    assert_eq!(code(&send(&mut cx, &payment)), "accepted");
    assert_eq!(view::<0>(&cx)["setup"], 2);
}

#[test]
fn the_same_again_is_dropped_and_counted() {
    let mut cx = context();
    assert_eq!(code(&send(&mut cx, &payment("p-1"))), "accepted");
    assert_eq!(code(&send(&mut cx, &payment("p-1"))), "nothing");
    cx.set_now(now() + 1_000);
    assert_eq!(code(&send(&mut cx, &payment("p-1"))), "nothing");
    assert_eq!(view::<0>(&cx)["repeated"], 4);
}

#[test]
fn another_content_under_an_accepted_id_is_rejected_and_the_first_stands() {
    let mut cx = context();
    send(&mut cx, &payment("p-1"));
    let mut other = payment("p-1");
    other["amount"] = json!(9);
    assert_eq!(code(&send(&mut cx, &other)), "duplicate-id");
    assert_eq!(code(&send(&mut cx, &payment("p-1"))), "nothing");
}

#[test]
fn a_rejected_id_is_judged_anew() {
    let mut cx = context();
    let mut bad = payment("p-1");
    bad["amount"] = json!(0);
    assert_eq!(code(&send(&mut cx, &bad)), "bad-amount");
    assert_eq!(code(&send(&mut cx, &bad)), "bad-amount");
    assert_eq!(code(&send(&mut cx, &payment("p-1"))), "accepted");
}

#[test]
fn an_accepted_payment_never_becomes_too_old() {
    let mut cx = context();
    let mut old = payment("p-1");
    old["at"] = json!("2026-11-14T23:01:02Z");
    assert_eq!(code(&send(&mut cx, &old)), "accepted");
    cx.set_now(now() + 3_600_000);
    assert_eq!(code(&send(&mut cx, &old)), "nothing");
}

#[test]
fn ids_are_forgotten_only_when_what_comes_again_would_be_too_old() {
    let mut cx = context();
    let window = Span::days(8).as_millis();
    let mut ahead = payment("p-2");
    ahead["at"] = json!("2026-11-23T00:01:02Z");
    send(&mut cx, &payment("p-1"));
    send(&mut cx, &ahead);
    assert_eq!(cx.timers().len(), 1, "one timer for all");

    cx.set_now(now() + window);
    assert!(cx.fire_due(&stage()).is_empty());
    assert_eq!(code(&send(&mut cx, &payment("p-1"))), "nothing");

    cx.set_now(now() + window + 1);
    for fired in cx.fire_due(&stage()) {
        assert!(fired.expect("a sweep").is_empty());
    }
    assert_eq!(cx.entries("ids").len(), 1, "p-2 is remembered for an hour more");
    assert_eq!(code(&send(&mut cx, &payment("p-1"))), "too-old");
    assert_eq!(code(&send(&mut cx, &ahead)), "nothing");

    cx.set_now(now() + window + 3_600_001);
    cx.fire_due(&stage());
    cx.set_now(cx.now() + 1_000);
    cx.fire_due(&stage());
    assert_eq!(
        cx.entries("ids").len() + cx.entries("expiry").len() + cx.timers().len(),
        0
    );
    assert_eq!(code(&send(&mut cx, &ahead)), "too-old");
}

#[test]
fn many_ids_are_forgotten_in_several_sweeps() {
    let mut cx = context();
    for index in 0..600 {
        send(&mut cx, &payment(&format!("p-{index}")));
    }
    let mut sweeps = 0;
    cx.set_now(now() + Span::days(8).as_millis() + 1);
    while !cx.entries("ids").is_empty() {
        assert_eq!(
            cx.fire_due(&stage()).len(),
            1,
            "with {} ids left",
            cx.entries("ids").len()
        );
        sweeps += 1;
        cx.set_now(cx.now() + 1_000);
    }
    assert_eq!(sweeps, 3);
    cx.fire_due(&stage());
    assert!(cx.timers().is_empty());
}

#[test]
fn a_validator_may_say_no() {
    let verdict = Verdict {
        validator: "acme".into(),
        code: Some("too-fast".into()),
        reason: "7 in 60 s".into(),
    };
    let mut cx = context();
    let mut refused = input(&payment("p-1"));
    refused.verdicts = vec![verdict];
    assert_eq!(
        code(&try_send(&mut cx, refused.clone()).expect("a payment")),
        "acme/too-fast"
    );
    assert_eq!(code(&send(&mut cx, &payment("p-1"))), "accepted");
    assert_eq!(
        code(&try_send(&mut cx, refused).expect("a payment")),
        "nothing",
        "it was accepted before"
    );
}

#[test]
fn what_is_no_payment_leaves_no_trace() {
    let mut cx = context();
    let rejection =
        try_send(&mut cx, Input::new(topics::INCOMING).with_key("p-1").with_value("{")).expect_err("no JSON");
    assert_eq!(rejection.code, "bad-json");
    assert!(cx.entries("figures").is_empty());
}

#[test]
fn the_view_adds_up_and_1_1_0_knows_the_share() {
    let mut cx = context();
    send(&mut cx, &payment("p-1"));
    for (field, value) in [("amount", json!(0)), ("amount", json!(-1)), ("at", json!("x"))] {
        let mut bad = payment("p-2");
        bad[field] = value;
        send(&mut cx, &bad);
    }
    let answer = view::<0>(&cx);
    let codes = json!({ "bad-amount": 4, "bad-time": 2 });
    assert_eq!(
        answer,
        json!({ "accepted": 2, "setup": 0, "repeated": 0, "rejected": 6, "codes": codes })
    );
    assert_eq!(view::<1>(&cx)["share"], json!(0.75));
    assert_eq!(stage().query(&cx, "accounts", &json!({})), Err(ViewError::NotFound));
    assert!(stage().query(&cx, "rejections", &json!({ "page": 2 })).is_err());
}

#[test]
fn a_config_that_lets_nothing_pass_is_refused() {
    for config in [
        json!({ "max-amount": 0 }),
        json!({ "currencies": [] }),
        json!({ "window": "0s" }),
    ] {
        let config: Config = serde_json::from_value(config).expect("of its types");
        assert!(Validate::<0>::init(config).is_err());
    }
    for config in [
        json!({ "maxamount": 1 }),
        json!({ "window": 8 }),
        json!({ "currencies": ["euro"] }),
    ] {
        assert!(serde_json::from_value::<Config>(config).is_err());
    }
}
