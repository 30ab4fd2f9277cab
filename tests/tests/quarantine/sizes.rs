//! Sizes are checked before a transaction is: a record that would not fit on the log never reaches it.

use super::bench::{Bench, QUARANTINE, topic};
use fermata_core::limits::{MAX_HEADERS, MAX_RECORD, MAX_VALUE};
use fermata_core::names::headers;
use fermata_core::ports::Log;
use fermata_core::{Header, NewRecord, Shard, Timestamp};

#[test]
fn the_hosts_headers_count() {
    let mut bench = Bench::new("");
    bench.send("a", "first-large");
    bench.send("a", "ok");
    bench.settle();
    let letter = bench.read("dlq").remove(0);
    assert_eq!(letter.header(headers::CODE), Some("fault-size"));
    let why = letter.header(headers::ERRORS_MESSAGE).unwrap_or_default();
    assert!(why.contains("host's headers"), "{why}");
    assert_eq!(bench.values("end"), ["a=2:ok"]);
    bench.verify();
}

#[test]
fn a_trace_context_that_is_passed_on_counts_too() {
    let mut bench = Bench::new("");
    let trace = Header::new("traceparent", vec![b'0'; MAX_HEADERS - 100]);
    let record = NewRecord {
        topic: topic("in"),
        shard: Shard(0),
        timestamp: Timestamp(1),
        key: Some("a".into()),
        value: Some("1:ok".into()),
        headers: vec![trace],
    };
    bench.log.append(vec![record]).expect("no faults");
    bench.send("a", "ok");
    bench.settle();
    assert_eq!(bench.read("dlq")[0].header(headers::CODE), Some("fault-size"));
    assert_eq!(bench.values("end"), ["a=1:ok"]);
}

#[test]
fn an_oversize_input_is_a_dead_letter_even_under_quarantine() {
    let mut bench = Bench::new(QUARANTINE);
    bench.send_raw(Some("a"), vec![b'x'; MAX_VALUE + 1]);
    bench.send("a", "ok");
    bench.settle();
    let letters = bench.read("dlq");
    assert_eq!(
        letters[0].header(headers::CODE),
        Some("fault-size"),
        "no version could ever treat it"
    );
    assert_eq!(letters[0].value.as_ref().map(bytes::Bytes::len), Some(MAX_VALUE + 1));
    assert_eq!(bench.values("end"), ["a=1:ok"]);
    bench.verify();
}

#[test]
fn what_cannot_even_be_a_dead_letter_pauses_its_task_and_says_so() {
    let mut bench = Bench::new("");
    bench.send("a", "ok");
    bench.send_raw(Some("a"), vec![b'x'; MAX_RECORD]);
    bench.send("b", "ok");
    bench.settle();
    let paused = bench.task("first", 0).paused.expect("it cannot go on");
    assert!(
        paused.contains("in/0/1") && paused.contains(&MAX_RECORD.to_string()),
        "{paused}"
    );
    assert_eq!(bench.values("end"), ["a=1:ok"], "nothing is passed over");
    assert!(bench.read("dlq").is_empty());
    bench.order(|orders| orders.retries += 1);
    bench.settle();
    assert!(bench.task("first", 0).paused.is_some() && bench.read("dlq").is_empty());
    bench.verify();
}
