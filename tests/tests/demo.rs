//! `fermata demo`, as the README's first line starts it: one object on stdout whose sums agree.

use fermata_tests::harness::Cli;
use serde_json::Value;
use std::net::TcpListener;

/// What one seed decides; rates and latencies are the machine's.
const DECIDED: &[&str] = &[
    "taken_in",
    "setup",
    "accepted",
    "rejected",
    "repeated",
    "confirmed",
    "failed",
    "in_flight",
    "dead_letters",
    "duplicates",
    "ledger",
    "verify",
];

const PAYMENTS: u64 = 5_000;

/// A twentieth of the load for what validate refuses, another for what the accounts refuse.
const BAD: &str = r#"{"bad": {
    "bad-json": 0.01, "missing-field": 0.01, "unknown-version": 0.01, "bad-amount": 0.01, "bad-currency": 0.01,
    "bad-time": 0.01, "too-old": 0.01, "same-account": 0.01, "too-large": 0.01, "duplicate-id": 0.01, "repeated": 0.01,
    "unknown-account": 0.01, "insufficient-funds": 0.01, "account-frozen": 0.01, "account-closed": 0.01,
    "currency-mismatch": 0.01, "amount-overflow": 0.01
}}"#;

/// Exactly one JSON object on stdout, and exit 0.
fn demo(more: &[&str]) -> Value {
    let payments = PAYMENTS.to_string();
    let fixed = [
        "demo",
        "--payments",
        &payments,
        "--exit",
        "-o",
        "json",
        "--listen",
        "127.0.0.1:0",
    ];
    let out = Cli::nowhere().ok(&[&fixed, more].concat());
    let found: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("not one JSON document ({e}): {out}"));
    assert!(found.is_object(), "{out}");
    println!(
        "demo {more:?}: {} payments/s, latency {}",
        found["payments_per_s"], found["latency_us"]
    );
    found
}

fn decided(found: &Value) -> Value {
    DECIDED
        .iter()
        .map(|name| ((*name).to_owned(), found[name].clone()))
        .collect()
}

fn number(found: &Value, name: &str) -> u64 {
    found[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} is no count in {found}"))
}

fn sums_agree(found: &Value) {
    let n = |name| number(found, name);
    assert_eq!(
        n("taken_in"),
        n("accepted") + n("rejected") + n("repeated") + n("dead_letters"),
        "{found}"
    );
    assert_eq!(n("accepted"), n("confirmed") + n("failed"), "{found}");
    assert_eq!(n("in_flight"), 0, "{found}");
    assert_eq!(n("duplicates"), 0, "{found}");
    assert_eq!(found["verify"], "ok", "{found}");
    let ledger = found["ledger"]
        .as_object()
        .unwrap_or_else(|| panic!("no ledger in {found}"));
    assert_eq!(ledger["EUR"], 0, "{found}");
    assert!(ledger.values().all(|sum| *sum == 0), "{found}");
    let latency = |name: &str| {
        found["latency_us"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("no latency {name}: {found}"))
    };
    assert!(
        0 < latency("p50") && latency("p50") <= latency("p99") && latency("p99") <= latency("max"),
        "{found}"
    );
    assert!(
        found["payments_per_s"].as_f64().is_some_and(|rate| rate > 0.0),
        "{found}"
    );
}

#[test]
fn the_demo_is_the_same_for_one_seed_whatever_the_workers() {
    let first = demo(&["--seed", "7"]);
    sums_agree(&first);
    assert!(number(&first, "setup") > 0, "{first}");
    assert_eq!(
        number(&first, "taken_in"),
        number(&first, "setup") + PAYMENTS,
        "{first}"
    );
    assert_eq!(
        number(&first, "confirmed"),
        number(&first, "taken_in"),
        "only good payments were asked for: {first}"
    );
    let again = demo(&["--seed", "7"]);
    assert_eq!(decided(&first), decided(&again), "twice with one seed");
    for workers in ["1", "3"] {
        let other = demo(&["--seed", "7", "--workers", workers]);
        assert_eq!(decided(&first), decided(&other), "with {workers} workers");
    }
}

#[test]
fn bad_input_is_refused_alike_whatever_the_workers() {
    let one = demo(&["--seed", "11", "--workers", "1", "--config", BAD]);
    sums_agree(&one);
    for name in ["rejected", "repeated", "failed", "dead_letters"] {
        assert!(number(&one, name) > 0, "{name} was asked for: {one}");
    }
    assert!(one["ledger"].get("USD").is_some(), "a second currency moved: {one}");
    let three = demo(&["--seed", "11", "--workers", "3", "--config", BAD]);
    assert_eq!(decided(&one), decided(&three));
}

#[test]
fn a_taken_port_is_said_at_once() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = holder.local_addr().expect("it is bound").to_string();
    let said = Cli::nowhere().fails(&["demo", "--payments", "10", "--exit", "--listen", &address], 1);
    assert!(
        said.contains("F0708") && said.contains(&address) && said.contains("--listen"),
        "{said}"
    );
}

#[test]
fn a_demo_that_makes_no_sense_is_refused() {
    let cli = Cli::nowhere();
    cli.fails(&["demo", "--workers", "0"], 2);
    let said = cli.fails(
        &[
            "demo",
            "--payments",
            "1",
            "--exit",
            "--listen",
            "127.0.0.1:0",
            "--config",
            "[1]",
        ],
        2,
    );
    assert!(said.contains("--config"), "{said}");
    let said = cli.fails(&["demo", "--payments", "1", "--exit", "--listen", "0.0.0.0:0"], 4);
    assert!(said.contains("loopback"), "{said}");
}
