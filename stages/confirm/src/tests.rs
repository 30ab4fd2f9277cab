//! confirm as a whole, on the in-memory context.

use fermata_payments::topics;
use fermata_stage::testing::TestContext;
use fermata_stage::{Emission, Input};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_795_388_462_000;
const DAY: i64 = 86_400_000;

fn stage() -> Confirm<0> {
    Confirm::init(Config::default()).expect("the defaults are valid")
}

fn context() -> TestContext {
    let mut cx = TestContext::new();
    cx.set_now(NOW);
    cx
}

fn end(id: &str, amount: i64, opened: i64) -> Input {
    let payment = json!({ "id": id, "from": "a", "to": "b", "amount": amount, "currency": "EUR", "colour": "blue" });
    let value = json!({ "v": 1, "type": "complete", "id": id, "opened": opened, "payment": payment });
    Input::new(topics::COMPLETE).with_key(id).with_value(value.to_string())
}

fn send(cx: &mut TestContext, input: Input) -> Result<Vec<Emission>, Rejection> {
    Ok(cx.process(&stage(), input)?.into_iter().map(Emission::from).collect())
}

/// A payment whose head came `latency` milliseconds ago.
fn confirm(cx: &mut TestContext, id: &str, amount: i64, latency: i64) {
    cx.set_root("payment.incoming/0/7", cx.now() - latency);
    let opened = cx.now();
    assert_eq!(send(cx, end(id, amount, opened)).expect("an end").len(), 1);
}

fn answer<const MINOR: u32>(shards: &[&TestContext], view: &str, params: Value) -> Value {
    let stage = Confirm::<MINOR>::init(Config::default()).expect("valid");
    let parts = shards
        .iter()
        .map(|cx| stage.query(*cx, view, &params).expect("a part"))
        .collect();
    stage.merge(view, &params, parts).expect("an answer")
}

#[test]
fn an_end_is_marked_once() {
    let mut cx = context();
    cx.set_root("payment.incoming/0/7", NOW - 12);
    let emissions = send(&mut cx, end("p-1", 1_250, NOW)).expect("an end");
    assert_eq!((emissions.len(), emissions[0].port.as_str()), (1, "confirmed"));
    assert_eq!(emissions[0].key.as_deref(), Some(&b"p-1"[..]));
    let value: Value = serde_json::from_slice(emissions[0].value.as_deref().expect("a value")).expect("JSON");
    assert_eq!(
        (&value["latency_ms"], &value["payment"]["colour"]),
        (&json!(12), &json!("blue"))
    );
    assert!(send(&mut cx, end("p-1", 1_250, NOW)).expect("an end").is_empty());
    assert_eq!(answer::<0>(&[&cx], "confirmed", json!({}))["count"], 1);
    assert_eq!(cx.counter("ends_repeated_total", &[]), 1);
}

#[test]
fn days_and_totals_are_merged() {
    let (mut one, mut other) = (context(), context());
    confirm(&mut one, "p-1", 100, 5);
    confirm(&mut other, "p-2", 301, 5);
    other.set_now(NOW + DAY);
    confirm(&mut other, "p-3", 50, 5);
    let expected = json!({
        "count": 3,
        "currency": { "EUR": { "count": 3, "value_minor": 451 } },
        "today": "2026-11-23",
        "days": {
            "2026-11-22": { "EUR": { "count": 2, "value_minor": 401 } },
            "2026-11-23": { "EUR": { "count": 1, "value_minor": 50 } },
        },
    });
    assert_eq!(answer::<0>(&[&one, &other], "confirmed", json!({})), expected);
    assert_eq!(
        answer::<1>(&[&one, &other], "confirmed", json!({}))["mean_value_minor"],
        json!({ "EUR": 150 })
    );
    assert_eq!(
        answer::<1>(&[&context()], "confirmed", json!({}))["mean_value_minor"],
        json!({})
    );
}

#[test]
fn only_so_many_days_are_kept_and_the_total_stays() {
    let mut cx = context();
    for day in 0..40 {
        cx.set_now(NOW + day * DAY);
        confirm(&mut cx, &format!("p-{day}"), 1, 0);
    }
    let answer = answer::<0>(&[&cx], "confirmed", json!({}));
    assert_eq!(answer["days"].as_object().expect("days").len(), 31);
    assert_eq!(answer["count"], 40);
}

#[test]
fn a_window_tells_of_its_minute() {
    let (mut one, mut other) = (context(), context());
    for latency in 1..=100 {
        let cx = if latency % 2 == 0 { &mut one } else { &mut other };
        confirm(cx, &format!("p-{latency}"), latency * 10, latency);
    }
    one.set_now(NOW + 60_000);
    confirm(&mut one, "p-last", 7, 900);
    let windows = answer::<0>(&[&one, &other], "throughput", json!({}));
    let expected = json!({ "windows": [
        {
            "at": "2026-11-22T23:02:00Z", "currency": "EUR", "count": 1, "value_minor": 7,
            "latency_ms": { "min": 900, "mean": 900, "max": 900, "p99": 900 },
            "largest": { "id": "p-last", "amount": 7 },
        },
        {
            "at": "2026-11-22T23:01:00Z", "currency": "EUR", "count": 100, "value_minor": 50_500,
            "latency_ms": { "min": 1, "mean": 50, "max": 100, "p99": 99 },
            "largest": { "id": "p-100", "amount": 1_000 },
        },
    ] });
    assert_eq!(windows, expected);
    let last = answer::<0>(&[&one], "throughput", json!({ "minutes": 1 }));
    assert_eq!(last["windows"].as_array().expect("a list").len(), 1);
}

#[test]
fn a_head_from_the_future_has_taken_no_time() {
    let mut cx = context();
    confirm(&mut cx, "p-1", 1, -50);
    assert_eq!(
        answer::<0>(&[&cx], "throughput", json!({}))["windows"][0]["latency_ms"]["max"],
        0
    );
}

#[test]
fn old_windows_go_when_new_ones_begin() {
    let mut cx = context();
    for minute in 0..1_500 {
        cx.set_now(NOW + minute * 60_000);
        confirm(&mut cx, &format!("p-{minute}"), 1, 0);
    }
    assert!(cx.entries("windows").len() <= 1_442, "{}", cx.entries("windows").len());
    let all = answer::<0>(&[&cx], "throughput", json!({ "minutes": 1440 }));
    assert_eq!(all["windows"].as_array().expect("a list").len(), 1_440);
}

#[test]
fn ends_are_forgotten_and_then_refused() {
    let mut cx = context();
    confirm(&mut cx, "p-1", 1, 0);
    cx.set_now(NOW + 8 * DAY);
    assert!(
        cx.fire_due(&stage())
            .into_iter()
            .all(|fired| fired.expect("a sweep").is_empty())
    );
    assert!(cx.entries("ends").is_empty());
    assert_eq!(
        send(&mut cx, end("p-1", 1, NOW))
            .expect_err("it is not known any more")
            .code,
        "too-old"
    );
    assert_eq!(send(&mut cx, end("p-2", 1, NOW + 1)).expect("an end").len(), 1);
}

#[test]
fn what_is_no_complete_is_a_dead_letter() {
    let mut cx = context();
    let payment = json!({ "id": "p-1", "from": "a", "to": "b", "amount": 1, "currency": "EUR" });
    let failed = json!({ "v": 1, "type": "failed", "opened": 1, "state": "refused", "code": "x", "payment": payment });
    for (value, code) in [(failed, "unknown-type"), (json!({}), "bad-json")] {
        let input = Input::new(topics::COMPLETE)
            .with_key("p-1")
            .with_value(value.to_string());
        assert_eq!(send(&mut cx, input).expect_err("no end").code, code);
    }
}

#[test]
fn a_config_that_forgets_at_once_is_refused() {
    for config in [json!({ "remember": "0s" }), json!({ "keep-days": 0 })] {
        let config: Config = serde_json::from_value(config).expect("of its types");
        assert!(Confirm::<0>::init(config).is_err());
    }
}
