//! Key-scoped quarantine: what waits, what goes on, what is tried again and in which order.

mod bench;
mod limits;
mod property;
mod sizes;
mod suspicion;

use bench::{Bench, QUARANTINE};
use fermata_core::names::headers;
use fermata_tests::simulated::Faults;
use std::time::Duration;

#[test]
fn later_records_of_a_parked_key_wait_and_others_go_on() {
    let mut bench = Bench::new(QUARANTINE);
    for (key, word) in [
        ("a", "ok"),
        ("a", "first-fault"),
        ("b", "ok"),
        ("a", "ok"),
        ("a", "ok"),
        ("b", "ok"),
    ] {
        bench.send(key, word);
    }
    bench.settle();
    assert_eq!(bench.values("end"), ["a=1:ok", "b=3:ok", "b=6:ok"]);
    assert_eq!(bench.queues(), ["first a: in/0/1 of 3 fault-trap"]);
    assert!(bench.read("dlq").is_empty());
    let counts = bench.task("first", 0).counts;
    assert_eq!(
        (counts.processed, counts.in_quarantine(), counts.dead_letters()),
        (6, 3, 0)
    );
    let report = bench.verify();
    assert!(!report.figures.drained && report.figures.parked == 3, "{report:?}");
}

#[test]
fn released_on_another_version_they_go_on_in_order() {
    let mut bench = Bench::new(QUARANTINE);
    for word in ["ok", "first-fault", "first-reject", "ok", "second-reject", "ok"] {
        bench.send("a", word);
    }
    bench.settle();
    bench.release(None, None);
    bench.settle();
    assert_eq!(bench.queues(), ["first a: in/0/1 of 5 fault-trap"]);
    let parked = bench.parked().remove(0).first;
    assert_eq!(
        parked.failure.map(|f| f.attempts),
        Some(2),
        "it was tried, and failed again"
    );
    assert_eq!(bench.task("first", 0).unparking.failed, 1);
    bench.deploy("first", 1);
    bench.settle();
    assert_eq!(bench.values("end"), ["a=1:ok"], "a swap releases nothing by itself");
    bench.release(Some("first"), Some("a"));
    bench.settle();
    assert_eq!(
        bench.queues().len(),
        1,
        "what was released parks at the next stage, behind what fails there: {:?}",
        bench.queues()
    );
    assert!(bench.queues()[0].starts_with("second a:"), "{:?}", bench.queues());
    assert_eq!(
        bench.values("end"),
        ["a=1:ok", "a=2:first-fault", "a=3:first-reject", "a=4:ok"]
    );
    bench.deploy("second", 1);
    bench.release(None, Some("a"));
    bench.settle();
    assert!(bench.parked().is_empty(), "{:?}", bench.queues());
    let all = [
        "a=1:ok",
        "a=2:first-fault",
        "a=3:first-reject",
        "a=4:ok",
        "a=5:second-reject",
        "a=6:ok",
    ];
    assert_eq!(bench.values("end"), all);
    bench.send("a", "ok");
    bench.settle();
    assert_eq!(
        bench.values("end").last().map(String::as_str),
        Some("a=7:ok"),
        "the key is free again"
    );
    let released = bench
        .read("end")
        .into_iter()
        .filter(|r| r.header(headers::RELEASED).is_some());
    assert!(released.count() > 0, "what came of released records says so");
    assert!(bench.verify().figures.drained);
}

#[test]
fn a_skip_is_a_dead_letter_with_its_failure_and_the_rest_goes_on() {
    let mut bench = Bench::new(QUARANTINE);
    for word in ["first-fault", "ok", "first-reject", "ok"] {
        bench.send("a", word);
    }
    bench.settle();
    bench.skip("a");
    bench.settle();
    assert_eq!(bench.values("dlq"), ["a=1:first-fault"]);
    let letter = bench.read("dlq").remove(0);
    assert_eq!(letter.header(headers::CODE), Some("fault-trap"));
    assert_eq!(letter.header(headers::ERRORS_OFFSET), Some("0"));
    assert_eq!(letter.header(headers::ID), Some("in/0/0"));
    assert_eq!(bench.values("end"), ["a=2:ok"], "up to the next that fails");
    assert_eq!(bench.queues(), ["first a: in/0/2 of 2 told-to"]);
    let done = bench.task("first", 0).unparking;
    assert_eq!((done.skipped, done.released, done.failed, done.done), (1, 1, 1, true));
    bench.verify();
    bench.skip("a");
    bench.settle();
    assert_eq!(bench.values("end"), ["a=2:ok", "a=4:ok"]);
    assert!(bench.parked().is_empty() && bench.read("dlq").len() == 2);
    bench.verify();
}

#[test]
fn an_order_met_again_is_not_carried_out_again() {
    let mut bench = Bench::new(QUARANTINE);
    for word in ["first-fault", "first-fault", "first-fault"] {
        bench.send("a", word);
    }
    bench.settle();
    bench.skip("a");
    bench.settle();
    for _ in 0..3 {
        bench.kill(0);
        bench.start(0);
        bench.settle();
    }
    assert_eq!(bench.read("dlq").len(), 1, "one order, one record");
    assert_eq!(bench.queues(), ["first a: in/0/1 of 2 fault-trap"]);
    bench.verify();
}

#[test]
fn a_record_without_key_is_a_dead_letter() {
    let mut bench = Bench::new(QUARANTINE);
    bench.send_raw(None, b"1:first-fault".to_vec());
    bench.send_raw(None, b"2:ok".to_vec());
    bench.settle();
    assert_eq!(bench.values("dlq"), ["=1:first-fault"]);
    assert_eq!(bench.values("end"), ["=2:ok"]);
    bench.verify();
}

#[test]
fn each_policy_stands_alone() {
    let mut bench = Bench::new("on-reject = \"quarantine\"");
    for (key, word) in [("a", "first-fault"), ("a", "ok"), ("b", "first-reject"), ("b", "ok")] {
        bench.send(key, word);
    }
    bench.settle();
    assert_eq!(bench.values("dlq"), ["a=1:first-fault"]);
    assert_eq!(bench.queues(), ["first b: in/0/2 of 2 told-to"]);
    assert_eq!(bench.values("end"), ["a=2:ok"]);
    bench.verify();
}

#[test]
fn fusion_does_not_pass_a_parked_key() {
    let mut bench = Bench::new(QUARANTINE);
    bench.send("a", "ok");
    bench.settle();
    bench.send("a", "second-fault");
    bench.send("a", "ok");
    bench.send("b", "ok");
    bench.settle();
    let mid = bench.read("mid");
    let done = |value: &str| {
        let record = mid.iter().find(|r| bench::shown(r) == value).expect("emitted");
        record.header(headers::DONE).map(str::to_owned)
    };
    assert_eq!(
        done("a=2:second-fault").as_deref(),
        Some("second@1"),
        "parked is concluded"
    );
    assert_eq!(done("a=3:ok").as_deref(), Some("second@1"), "so is what waits");
    assert_eq!(bench.values("end"), ["a=1:ok", "b=4:ok"]);
    let queues = bench.queues();
    assert_eq!(queues.len(), 1, "{queues:?}");
    assert!(
        queues[0].starts_with("second a: in/0/") && queues[0].ends_with("of 2 fault-trap"),
        "{queues:?}"
    );
    bench.skip("a");
    bench.settle();
    assert_eq!(bench.values("end"), ["a=1:ok", "b=4:ok", "a=3:ok"]);
    let letter = bench.read("dlq").remove(0);
    assert_eq!(
        letter.header(headers::ERRORS_TOPIC),
        Some("in"),
        "where its chain was read"
    );
    assert_eq!(letter.header(headers::STAGE), Some("second"));
    bench.verify();
}

#[test]
fn timers_of_a_parked_key_wait_with_it() {
    let mut bench = Bench::new(QUARANTINE);
    bench.send("a", "first-later");
    bench.send("b", "first-later");
    bench.settle();
    bench.send("a", "first-fault");
    bench.send("a", "ok");
    bench.settle();
    bench.pass(Duration::from_secs(2));
    assert_eq!(
        bench.values("end"),
        ["a=1:first-later", "b=2:first-later", "b=t2:fired"]
    );
    assert!(bench.queues()[0].contains("of 3 "), "{:?}", bench.queues());
    bench.verify();
    bench.deploy("first", 1);
    bench.release(None, Some("a"));
    bench.settle();
    let of_a: Vec<_> = bench
        .values("end")
        .into_iter()
        .filter(|v| v.starts_with("a="))
        .collect();
    assert_eq!(of_a, ["a=1:first-later", "a=3:first-fault", "a=4:ok", "a=t1:fired"]);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.values("end").len(), 6, "it fires once");
    bench.verify();
}

#[test]
fn a_record_before_a_parked_timer_still_cancels_it() {
    let mut bench = Bench::new(QUARANTINE);
    bench.send("a", "first-later");
    bench.send("a", "first-fault");
    bench.send("a", "first-cancel");
    bench.settle();
    bench.pass(Duration::from_secs(2));
    assert!(bench.queues()[0].contains("of 3 "), "{:?}", bench.queues());
    bench.deploy("first", 1);
    bench.release(None, None);
    bench.settle();
    bench.pass(Duration::from_secs(5));
    assert_eq!(
        bench.values("end"),
        ["a=1:first-later", "a=2:first-fault", "a=3:first-cancel"]
    );
    assert!(bench.parked().is_empty());
    assert_eq!(bench.task("first", 0).counts.in_quarantine(), 0);
    bench.verify();
}

#[test]
fn a_long_queue_is_released_in_bounded_transactions() {
    let mut bench = Bench::new(QUARANTINE);
    bench.send("a", "first-fault");
    for _ in 0..400 {
        bench.send("a", "ok");
    }
    bench.settle();
    bench.deploy("first", 1);
    bench.settle();
    bench.release(None, Some("a"));
    bench.step(0);
    let first = bench.values("end").len();
    assert!((1..400).contains(&first), "{first} records in one transaction");
    // The owner dies in the middle; the next goes on.
    bench.kill(0);
    bench.start(0);
    bench.settle();
    let numbers: Vec<u64> = bench.read("end").iter().map(number).collect();
    assert_eq!(numbers, (1..=401).collect::<Vec<u64>>());
    assert!(bench.parked().is_empty());
    bench.verify();
}

#[test]
fn a_park_or_release_that_did_not_commit_happens_again() {
    let mut bench = Bench::new(QUARANTINE);
    bench.send("a", "first-fault");
    bench.send("a", "ok");
    let refused = Faults {
        abort: 1.0,
        ..Faults::NONE
    };
    bench.log.set_faults(refused);
    for _ in 0..4 {
        bench.step(0);
    }
    assert!(bench.parked().is_empty(), "what is not committed is not there");
    bench.kill(0);
    bench.log.set_faults(Faults::NONE);
    bench.start(0);
    bench.settle();
    assert_eq!(bench.queues(), ["first a: in/0/0 of 2 fault-trap"]);
    bench.deploy("first", 1);
    bench.settle();
    bench.log.set_faults(refused);
    bench.skip("a");
    for _ in 0..4 {
        bench.step(0);
    }
    bench.kill(0);
    bench.log.set_faults(Faults::NONE);
    assert!(bench.read("dlq").is_empty() && bench.parked().len() == 1);
    bench.start(0);
    bench.settle();
    assert_eq!(bench.values("dlq"), ["a=1:first-fault"]);
    assert_eq!(bench.values("end"), ["a=2:ok"]);
    bench.verify();
}

#[test]
fn parked_keys_move_with_their_shard() {
    let mut bench = Bench::wide(5, 2, 2, QUARANTINE);
    bench.start(0);
    bench.settle();
    let keys: Vec<String> = (0..6).map(|n| format!("k{n}")).collect();
    for key in &keys {
        bench.send(key, "first-fault");
        bench.send(key, "ok");
    }
    bench.settle();
    assert_eq!(bench.parked().len(), 6);
    bench.start(1);
    bench.settle();
    let group = fermata_core::names::group(&bench.manifest.name);
    for shard in [0, 1] {
        bench.log.move_shard(&group, fermata_core::Shard(shard), "test.1");
    }
    bench.settle();
    bench.kill(0);
    for key in &keys {
        bench.send(key, "ok");
    }
    bench.deploy("first", 1);
    bench.settle();
    assert!(bench.values("end").is_empty(), "the new owner keeps them waiting");
    bench.release(None, None);
    bench.settle();
    assert!(bench.parked().is_empty());
    let ended = bench.values("end");
    for key in &keys {
        let of_key: Vec<&str> = ended
            .iter()
            .filter_map(|v| v.strip_prefix(&format!("{key}=")))
            .filter_map(|v| v.split(':').nth(1))
            .collect();
        assert_eq!(of_key, ["first-fault", "ok", "ok"], "{key}");
    }
    bench.verify();
}

fn number(record: &fermata_core::Record) -> u64 {
    let shown = bench::shown(record);
    let (_, value) = shown.split_once('=').expect("shown so");
    let (number, _) = value.split_once(':').expect("made so");
    number.parse().expect("a number")
}
