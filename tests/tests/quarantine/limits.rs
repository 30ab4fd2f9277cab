//! A full quarantine stops its task or turns records away; either way no record overtakes another of its key.

use super::bench::{Bench, QUARANTINE};
use fermata_core::names::headers;
use std::time::Duration;

fn with(parked: &str) -> String {
    format!("{QUARANTINE}\nparked = {{ {parked} }}")
}

#[test]
fn a_full_quarantine_pauses_its_task_and_a_release_lets_it_go_on() {
    let mut bench = Bench::new(&with("max-records = 3"));
    for (key, word) in [
        ("a", "first-fault"),
        ("b", "first-reject"),
        ("a", "ok"),
        ("b", "ok"),
        ("c", "ok"),
    ] {
        bench.send(key, word);
    }
    bench.settle();
    let paused = bench.task("first", 0).paused.expect("it is full");
    assert!(
        paused.contains("max-records is 3") && paused.contains("fermata parked release"),
        "{paused}"
    );
    assert!(bench.read("end").is_empty() && bench.read("dlq").is_empty());
    assert_eq!(bench.task("first", 0).counts.in_quarantine(), 3);
    bench.verify();
    // One leaves; the next takes its place; nothing was lost meanwhile.
    bench.skip("b");
    bench.settle();
    assert_eq!(bench.values("dlq"), ["b=2:first-reject"]);
    assert_eq!(bench.values("end"), ["b=4:ok", "c=5:ok"]);
    assert_eq!(bench.task("first", 0).paused, None);
    bench.deploy("first", 1);
    bench.release(None, None);
    bench.settle();
    assert_eq!(bench.values("end")[2..], ["a=1:first-fault", "a=3:ok"]);
    bench.verify();
}

#[test]
fn a_paused_task_stays_full_over_a_restart_and_a_retry() {
    let mut bench = Bench::new(&with("max-records = 1"));
    bench.send("a", "first-fault");
    bench.send("a", "ok");
    bench.send("b", "ok");
    bench.settle();
    for again in 1..3 {
        bench.order(|orders| orders.retries = again);
        bench.settle();
        assert!(bench.task("first", 0).paused.is_some());
        bench.kill(0);
        bench.start(0);
        bench.settle();
        assert!(bench.task("first", 0).paused.is_some());
    }
    assert!(bench.read("end").is_empty(), "b waits because its task does");
    bench.skip("a");
    bench.settle();
    assert_eq!(bench.values("end"), ["a=2:ok", "b=3:ok"]);
    bench.verify();
}

#[test]
fn a_full_quarantine_may_turn_records_away_and_order_stands() {
    let mut bench = Bench::new(&with("max-records = 2, at-limit = \"dead-letter\""));
    for (key, word) in [
        ("a", "first-fault"),
        ("a", "ok"),
        ("a", "ok"),
        ("b", "first-reject"),
        ("b", "ok"),
    ] {
        bench.send(key, word);
    }
    bench.settle();
    assert_eq!(bench.values("dlq"), ["a=3:ok", "b=4:first-reject"]);
    let codes: Vec<_> = bench
        .read("dlq")
        .iter()
        .map(|r| r.header(headers::CODE).map(str::to_owned))
        .collect();
    assert_eq!(codes, [Some("quarantine-full".into()), Some("told-to".into())]);
    assert_eq!(
        bench.values("end"),
        ["b=5:ok"],
        "a key that could not be parked goes on"
    );
    assert_eq!(bench.queues(), ["first a: in/0/0 of 2 fault-trap"]);
    bench.deploy("first", 1);
    bench.release(None, None);
    bench.settle();
    assert_eq!(bench.values("end")[1..], ["a=1:first-fault", "a=2:ok"]);
    bench.verify();
}

#[test]
fn age_runs_on_ticks() {
    let mut bench = Bench::new(&with("max-age = \"10s\""));
    bench.send("a", "first-fault");
    bench.settle();
    bench.log.clock().advance(Duration::from_secs(60));
    bench.settle();
    assert_eq!(bench.task("first", 0).paused, None, "no tick, no time");
    bench.send("b", "ok");
    bench.settle();
    let paused = bench.task("first", 0).paused.expect("a tick came with the record");
    assert!(paused.contains("max-age is 10s"), "{paused}");
    bench.skip("a");
    bench.settle();
    assert_eq!(bench.task("first", 0).paused, None);
    assert_eq!(bench.values("end"), ["b=2:ok"]);
    bench.verify();
}

#[test]
fn what_is_too_old_may_turn_new_ones_away() {
    let mut bench = Bench::new(&with("max-age = \"10s\", at-limit = \"dead-letter\""));
    bench.send("a", "first-fault");
    bench.settle();
    bench.log.clock().advance(Duration::from_secs(11));
    for (key, word) in [("b", "ok"), ("a", "ok"), ("b", "first-fault"), ("b", "ok")] {
        bench.send(key, word);
    }
    bench.settle();
    assert_eq!(bench.task("first", 0).paused, None);
    assert_eq!(bench.values("dlq"), ["a=3:ok", "b=4:first-fault"]);
    assert_eq!(bench.values("end"), ["b=2:ok", "b=5:ok"]);
    assert_eq!(bench.queues(), ["first a: in/0/0 of 1 fault-trap"]);
    bench.verify();
}

#[test]
fn a_paused_task_with_a_timer_due_comes_to_rest() {
    let mut bench = Bench::new(&with("max-records = 1"));
    bench.send("a", "first-later");
    bench.send("a", "first-fault");
    bench.settle();
    // The timer wants to wait behind the record, and there is no room.
    bench.pass(Duration::from_secs(2));
    assert!(bench.task("first", 0).paused.is_some());
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.values("end"), ["a=1:first-later"]);
    bench.skip("a");
    bench.settle();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.values("end"), ["a=1:first-later", "a=t1:fired"]);
    bench.verify();
}
