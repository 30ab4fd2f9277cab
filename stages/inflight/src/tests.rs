//! inflight as a whole, on the in-memory context.

use fermata_payments::{Span, topics};
use fermata_stage::testing::TestContext;
use fermata_stage::{Emission, Input};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_795_388_462_000;
const TIMEOUT: i64 = 30_000;

fn stage() -> Inflight<0> {
    Inflight::init(Config::default()).expect("the defaults are valid")
}

fn context() -> TestContext {
    let mut cx = TestContext::new();
    cx.set_now(NOW);
    cx
}

fn payment(id: &str) -> Value {
    json!({ "id": id, "from": "a", "to": "b", "amount": 1250, "currency": "EUR", "colour": "blue" })
}

fn send(cx: &mut TestContext, topic: &str, id: &str, value: &Value) -> Result<Vec<Value>, Rejection> {
    let outputs = cx.process(&stage(), Input::new(topic).with_key(id).with_value(value.to_string()))?;
    Ok(outputs.into_iter().map(said).collect())
}

fn accept(cx: &mut TestContext, id: &str) -> Vec<Value> {
    send(cx, topics::ACCEPTED, id, &payment(id)).expect("an accepted payment")
}

fn complete(cx: &mut TestContext, id: &str, opened: i64) {
    let value = json!({ "v": 1, "type": "complete", "id": id, "opened": opened, "payment": payment(id) });
    assert!(send(cx, topics::COMPLETE, id, &value).expect("an end").is_empty());
}

fn fail(cx: &mut TestContext, id: &str, state: &str, code: &str) {
    let value = json!({
        "v": 1, "type": "failed", "id": id, "opened": NOW, "state": state, "code": code, "reason": "so",
        "payment": payment(id),
    });
    assert!(send(cx, topics::FAILED, id, &value).expect("an end").is_empty());
}

/// Key and value of an emission.
fn said(output: Output) -> Value {
    let emission = Emission::from(output);
    assert_eq!(emission.port, "inflight");
    let value: Value = serde_json::from_slice(emission.value.as_deref().expect("a value")).expect("JSON");
    json!([String::from_utf8(emission.key.expect("a key")).expect("a name"), value])
}

fn fire(cx: &mut TestContext) -> Vec<Value> {
    let fired = cx.fire_due(&stage());
    fired
        .into_iter()
        .flat_map(|outcome| outcome.expect("a sweep"))
        .map(said)
        .collect()
}

fn view<const MINOR: u32>(shards: &[&TestContext]) -> Value {
    let stage = Inflight::<MINOR>::init(Config::default()).expect("valid");
    let parts = shards
        .iter()
        .map(|cx| stage.query(*cx, "inflight", &json!({})).expect("a part"))
        .collect();
    stage.merge("inflight", &json!({}), parts).expect("an answer")
}

fn state(cx: &TestContext, id: &str) -> Value {
    stage()
        .query(cx, "payment", &json!({ "key": id }))
        .map_or(Value::Null, |answer| answer["state"].clone())
}

#[test]
fn an_accepted_payment_is_opened_and_debited() {
    let mut cx = context();
    let debit = json!(["a", { "v": 1, "type": "debit", "opened": NOW, "payment": payment("p-1") }]);
    assert_eq!(accept(&mut cx, "p-1"), [debit]);
    let expected = json!({
        "count": 1, "currency": { "EUR": { "count": 1, "value_minor": 1250 } }, "oldest_ms": 0, "open": ["p-1"],
        "open_since": ["2026-11-22T23:01:02Z"],
    });
    assert_eq!(view::<0>(&[&cx]), expected);
    assert_eq!(cx.gauge("payments_in_flight", &["EUR"]), Some(1));
}

#[test]
fn an_end_closes_it_and_is_remembered() {
    let mut cx = context();
    for id in ["p-1", "p-2", "p-3"] {
        accept(&mut cx, id);
    }
    cx.set_now(NOW + 40);
    complete(&mut cx, "p-1", NOW);
    fail(&mut cx, "p-2", "refused", "insufficient-funds");
    fail(&mut cx, "p-3", "refunded", "account-frozen");
    let answer = stage()
        .query(&cx, "payment", &json!({ "key": "p-3" }))
        .expect("it is remembered");
    let expected = json!({
        "id": "p-3", "state": "refunded", "code": "account-frozen", "reason": "so", "from": "a", "to": "b",
        "amount": 1250, "currency": "EUR", "opened_at": "2026-11-22T23:01:02Z", "ended_at": "2026-11-22T23:01:02.040Z",
    });
    assert_eq!(answer, expected);
    assert_eq!(
        (state(&cx, "p-1"), state(&cx, "p-2")),
        (json!("complete"), json!("refused"))
    );
    let none = json!({ "EUR": { "count": 0, "value_minor": 0 } });
    assert_eq!(
        (&view::<0>(&[&cx])["count"], &view::<0>(&[&cx])["currency"]),
        (&json!(0), &none)
    );
    assert!(cx.entries("open").is_empty());
}

#[test]
fn an_end_of_something_else_is_ignored() {
    let mut cx = context();
    complete(&mut cx, "p-1", NOW);
    assert_eq!(state(&cx, "p-1"), Value::Null);
    accept(&mut cx, "p-1");
    complete(&mut cx, "p-1", NOW - 1);
    assert_eq!(state(&cx, "p-1"), "open", "that was another life of the id");
    complete(&mut cx, "p-1", NOW);
    fail(&mut cx, "p-1", "refunded", "timed-out");
    assert_eq!(state(&cx, "p-1"), "complete", "the first end stands");
    assert_eq!(view::<0>(&[&cx])["count"], 0);
    assert_eq!(cx.counter("payments_ended_total", &["ignored"]), 3);
}

#[test]
fn an_id_is_open_once() {
    let mut cx = context();
    accept(&mut cx, "p-1");
    assert_eq!(
        send(&mut cx, topics::ACCEPTED, "p-1", &payment("p-1"))
            .expect_err("open")
            .code,
        "duplicate-id"
    );
    assert_eq!(view::<0>(&[&cx])["count"], 1);
    complete(&mut cx, "p-1", NOW);
    cx.set_now(NOW + 1);
    assert_eq!(
        accept(&mut cx, "p-1").len(),
        1,
        "validate alone judges what is a duplicate"
    );
    assert_eq!(cx.entries("ended").len(), 0);
}

#[test]
fn two_lives_of_an_id_differ_even_within_one_tick() {
    let mut cx = context();
    accept(&mut cx, "p-1");
    complete(&mut cx, "p-1", NOW);
    let debit = json!(["a", { "v": 1, "type": "debit", "opened": NOW + 1, "payment": payment("p-1") }]);
    assert_eq!(accept(&mut cx, "p-1"), [debit]);
    complete(&mut cx, "p-1", NOW);
    assert_eq!(
        state(&cx, "p-1"),
        "open",
        "the first life's end says nothing of the second"
    );
    complete(&mut cx, "p-1", NOW + 1);
    assert_eq!(state(&cx, "p-1"), "complete");
}

#[test]
fn what_takes_too_long_is_cancelled_once_and_stays_open() {
    let mut cx = context();
    accept(&mut cx, "p-1");
    cx.set_now(NOW + 10);
    accept(&mut cx, "p-2");
    accept(&mut cx, "p-3");
    assert_eq!(cx.timers().len(), 1, "one timer for all");
    complete(&mut cx, "p-2", NOW + 10);
    cx.set_now(NOW + TIMEOUT - 1);
    assert!(fire(&mut cx).is_empty());
    cx.set_now(NOW + TIMEOUT);
    let cancel = |id: &str, opened: i64| json!(["a", { "v": 1, "type": "cancel", "opened": opened, "side": "from", "payment": payment(id) }]);
    assert_eq!(fire(&mut cx), [cancel("p-1", NOW)]);
    cx.set_now(NOW + TIMEOUT + 100);
    assert_eq!(fire(&mut cx), [cancel("p-3", NOW + 10)]);
    assert_eq!((state(&cx, "p-1"), state(&cx, "p-3")), (json!("open"), json!("open")));
    cx.set_now(NOW + 10 * TIMEOUT);
    assert!(fire(&mut cx).is_empty());
    assert!(
        cx.timers().iter().all(|timer| timer.id != "time-out"),
        "there is nothing left to cancel"
    );
    accept(&mut cx, "p-4");
    cx.set_now(NOW + 11 * TIMEOUT);
    assert_eq!(fire(&mut cx), [cancel("p-4", NOW + 10 * TIMEOUT)]);
}

#[test]
fn many_are_cancelled_in_several_sweeps() {
    let mut cx = context();
    for index in 0..100 {
        accept(&mut cx, &format!("p-{index}"));
    }
    let mut cancels = Vec::new();
    cx.set_now(NOW + TIMEOUT);
    for _ in 0..5 {
        let fired = fire(&mut cx);
        assert!(fired.len() <= 32);
        cancels.extend(fired);
        cx.set_now(cx.now() + 20);
    }
    cancels.sort_by_key(Value::to_string);
    cancels.dedup();
    assert_eq!(cancels.len(), 100);
}

#[test]
fn a_sweep_is_bounded_by_bytes() {
    let mut cx = context();
    for index in 0..20 {
        let id = format!("p-{index:02}");
        let mut large = payment(&id);
        large["colour"] = json!("b".repeat(3_000));
        send(&mut cx, topics::ACCEPTED, &id, &large).expect("an accepted payment");
    }
    cx.set_now(NOW + TIMEOUT);
    assert_eq!(fire(&mut cx).len(), 3);
    cx.set_now(NOW + TIMEOUT + 20);
    assert_eq!(fire(&mut cx).len(), 3);
}

#[test]
fn ends_are_forgotten_after_a_while() {
    let mut cx = context();
    accept(&mut cx, "p-1");
    accept(&mut cx, "p-2");
    complete(&mut cx, "p-1", NOW);
    cx.set_now(NOW + Span::seconds(15 * 60).as_millis());
    fire(&mut cx);
    assert_eq!(state(&cx, "p-1"), Value::Null);
    assert_eq!(state(&cx, "p-2"), "open");
    assert!(cx.entries("ended").is_empty());
}

#[test]
fn shards_are_merged_by_age() {
    let (mut one, mut other) = (context(), context());
    for index in 0..30 {
        let cx = if index % 2 == 0 { &mut one } else { &mut other };
        cx.set_now(NOW + index * 500);
        accept(cx, &format!("p-{index}"));
    }
    for cx in [&mut one, &mut other] {
        cx.set_now(NOW + 20_000);
    }
    let answer = view::<1>(&[&other, &one]);
    let oldest: Vec<String> = (0..20).map(|index| format!("p-{index}")).collect();
    assert_eq!(answer["open"], json!(oldest));
    assert_eq!((&answer["count"], &answer["oldest_ms"]), (&json!(30), &json!(20_000)));
    assert_eq!(answer["mean_value_minor"], json!({ "EUR": 1250 }));
    assert_eq!(view::<0>(&[&one])["mean_value_minor"], Value::Null);
    assert_eq!(view::<1>(&[&context()])["mean_value_minor"], json!({}));
}

#[test]
fn what_is_no_message_is_a_dead_letter() {
    let mut cx = context();
    for (topic, value, code) in [
        (topics::ACCEPTED, json!({ "id": "p-1" }), "bad-json"),
        (topics::ACCEPTED, payment("p-2"), "key-mismatch"),
        (topics::COMPLETE, json!({ "v": 1 }), "bad-json"),
        (
            topics::FAILED,
            json!({ "v": 3, "opened": 1, "payment": payment("p-1") }),
            "unknown-version",
        ),
    ] {
        assert_eq!(
            send(&mut cx, topic, "p-1", &value).expect_err("no message").code,
            code,
            "{value}"
        );
    }
}

#[test]
fn a_config_that_lets_nothing_pass_is_refused() {
    let config: Config = serde_json::from_value(json!({ "timeout": "0s" })).expect("of its types");
    assert!(Inflight::<0>::init(config).is_err());
    assert!(serde_json::from_value::<Config>(json!({ "time-out": "1s" })).is_err());
}
