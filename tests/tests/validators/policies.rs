//! What becomes of a record by mode, verdict and fault, and what a validator's memo outlives.

use super::bench::Bench;
use super::slow::SLOW;

/// An entry for the validator that does as the record says.
fn script(name: &str, more: &str) -> String {
    format!(r#"{{ name = "{name}", component = "builtin:script@1.0.0", {more} }}"#)
}
fn enforced(name: &str, more: &str) -> String {
    script(name, &format!(r#"mode = "enforce", {more}"#))
}

const ALL: [&str; 7] = [
    "one",
    "refuse",
    "panic",
    "fat-memo",
    "bad-code",
    "forged-fault",
    "long-code",
];

#[test]
fn a_report_counts_and_changes_nothing() {
    for on_fault in ["reject", "accept", "pause"] {
        let entry = script(
            "watch",
            &format!(r#"on-reject = "dead-letter", on-fault = "{on_fault}""#),
        );
        let mut bench = Bench::new(&entry, "");
        bench.send(Some("k"), &ALL);
        assert_eq!(bench.values("end"), ALL, "no verdict is told");
        assert!(bench.codes().is_empty());
        let counted = [
            ("accepted", 1),
            ("no", 1),
            ("fault-trap", 1),
            ("fault-size", 1),
            ("fault-contract", 3),
        ];
        assert_eq!(
            bench.counted("watch"),
            counted.map(|(verdict, n)| (verdict.to_owned(), n)).into()
        );
        assert_eq!(
            bench.memo("report:watch", "k"),
            Some(vec![2]),
            "one and refuse were counted by it"
        );
        bench.replay();
    }
}

#[test]
fn a_delivered_verdict_is_the_stages_to_judge() {
    let both = [enforced("a", ""), enforced("b", ""), script("c", "")].join(", ");
    let mut bench = Bench::new(&both, "");
    bench.send(Some("k"), &["one", "refuse"]);
    assert_eq!(
        bench.values("end"),
        ["one a:ok: b:ok:", "refuse a:no:record 2 b:no:record 2"],
        "in order, each with its own memo, and not of one that only reports"
    );
    assert_eq!(bench.counted("c").values().sum::<u64>(), 2);
    bench.replay();
}

#[test]
fn what_is_refused_to_the_dead_letters_no_one_behind_sees() {
    let both = [enforced("a", r#"on-reject = "dead-letter""#), enforced("b", "")].join(", ");
    let mut bench = Bench::new(&both, "");
    bench.send(Some("k"), &["one", "refuse", "two"]);
    assert_eq!(bench.values("end"), ["one b:ok:", "two b:ok:"]);
    assert_eq!(bench.codes(), ["first a/no"]);
    let letter = bench.dead_letters().pop().expect("one");
    assert_eq!(
        letter.value.as_deref(),
        Some(b"refuse".as_slice()),
        "the stage's own input"
    );
    let header = |name| letter.header(name).unwrap_or_default();
    assert_eq!(
        (header("__streams.errors.message"), header("fermata-port")),
        ("record 2", "in")
    );
    assert_eq!(
        bench.memo("a", "k"),
        Some(vec![3]),
        "who refuses keeps what it wrote down"
    );
    assert_eq!(bench.memo("b", "k"), Some(vec![2]), "who was not asked knows nothing");
    let counts = bench.board.reports().into_values().next().expect("a report").tasks["first"].counts;
    assert_eq!((counts.processed, counts.rejected, counts.faulted), (3, 1, 0));
    bench.replay();
}

#[test]
fn a_fault_is_refused_under_its_code_accepted_or_stops_the_task() {
    let values = ["panic", "fat-memo", "bad-code", "one"];
    let letters = enforced("v", r#"on-reject = "dead-letter""#);
    let mut bench = Bench::new(&letters, "");
    bench.send(Some("k"), &values);
    assert_eq!(
        bench.codes(),
        ["first v/fault-trap", "first v/fault-size", "first v/fault-contract"]
    );
    assert_eq!(bench.values("end"), ["one"]);
    assert_eq!(bench.memo("v", "k"), Some(vec![1]), "a fault leaves no memo");
    bench.replay();

    let mut bench = Bench::new(&enforced("v", r#"on-fault = "reject""#), "");
    bench.send(Some("k"), &["panic"]);
    let told = bench.values("end").pop().expect("delivered");
    assert!(
        told.starts_with("panic v:fault-trap:panicked") && told.ends_with("as told"),
        "{told}"
    );
    bench.replay();

    let mut bench = Bench::new(&enforced("v", r#"on-fault = "accept""#), "");
    bench.send(Some("k"), &values);
    assert_eq!(
        bench.values("end"),
        ["panic v:ok:", "fat-memo v:ok:", "bad-code v:ok:", "one v:ok:"]
    );
    bench.replay();

    let mut bench = Bench::new(&enforced("v", r#"on-fault = "pause""#), "");
    bench.send(Some("k"), &["one", "panic", "two"]);
    assert_eq!(bench.values("end"), ["one v:ok:"], "nothing passes the record");
    let why = bench.paused().expect("the task is paused");
    assert!(
        why.contains("validator v ended with fault-trap") && why.contains("in/0/"),
        "{why}"
    );
    assert!(bench.codes().is_empty());
    bench.replay();
    // A validator that is gone stops nobody: the record is still there.
    let mut bench = bench.restart("", "");
    bench.settle();
    assert_eq!(bench.values("end"), ["one v:ok:", "panic", "two"]);
    assert_eq!(bench.replay().receipts, 1, "another validator is another version");
}

#[test]
fn a_fault_on_a_used_instance_is_a_suspicion_only() {
    let mut bench = Bench::new(&enforced("v", r#"on-reject = "dead-letter""#), "");
    bench.send(Some("k"), &["one", "panic-when-used", "two"]);
    assert_eq!(bench.values("end"), ["one", "panic-when-used", "two"]);
    assert_eq!(bench.memo("v", "k"), Some(vec![3]));
    bench.replay();
}

#[test]
fn memos_are_kept_for_each_key_and_go_when_none_is_answered() {
    let mut bench = Bench::new(&script("v", ""), "");
    bench.send(Some("a"), &["one", "two", "same-memo"]);
    bench.send(Some("b"), &["one"]);
    bench.send(None, &["one", "two"]);
    assert_eq!(
        (
            bench.memo("report:v", "a"),
            bench.memo("report:v", "b"),
            bench.memo("report:v", "")
        ),
        (Some(vec![2]), Some(vec![1]), None)
    );
    let mut bench = bench.restart(&script("v", ""), "");
    bench.send(Some("a"), &["three"]);
    bench.send(Some("b"), &["forget"]);
    assert_eq!(
        (bench.memo("report:v", "a"), bench.memo("report:v", "b")),
        (Some(vec![3]), None)
    );
    bench.send(Some("b"), &["one"]);
    assert_eq!(bench.memo("report:v", "b"), Some(vec![1]), "it begins anew");
    bench.replay();
}

#[test]
fn a_record_that_the_stage_does_not_take_leaves_no_memo() {
    let mut bench = Bench::new(&enforced("v", ""), "");
    bench.send(Some("k"), &["one", "stage-rejects", "stage-panics", "two"]);
    assert_eq!(bench.codes(), ["first told-to", "first fault-trap"]);
    assert_eq!(bench.memo("v", "k"), Some(vec![2]), "one and two");
    assert_eq!(
        bench.counted("v").get("accepted"),
        Some(&4),
        "the figures tell what it said of each"
    );
    bench.replay();
}

#[test]
fn fused_records_meet_the_validators_too() {
    let second = enforced("v", r#"on-reject = "dead-letter""#);
    let mut bench = Bench::new("", &second);
    for value in ["one", "refuse", "two"] {
        bench.send(Some("k"), &[value]);
    }
    assert_eq!(bench.values("end"), ["one", "two"]);
    assert_eq!(bench.codes(), ["second v/no"]);
    assert!(bench.replay().fused > 0, "the test is about fused records");
}

#[test]
fn a_long_reason_is_cut_and_harms_nothing() {
    let mut bench = Bench::new(&enforced("v", r#"on-reject = "dead-letter""#), "");
    bench.send(Some("k"), &["fat-reason"]);
    let letter = bench.dead_letters().pop().expect("one");
    let reason = letter.header("__streams.errors.message").expect("UTF-8").to_owned();
    assert_eq!(reason, "é".repeat(512));
    bench.replay();
}

#[test]
fn without_validators_a_version_is_what_it_was() {
    let mut plain = Bench::new("", "");
    plain.send(Some("k"), &["one"]);
    let version = plain.board.directive().stages["first"].version.id();
    assert_eq!(version.config, fermata_core::Digest::of(b"{}"));
    let guarded = Bench::new(&script("v", ""), "");
    let reported = guarded.board.directive().stages["first"].version.id();
    let enforced = Bench::new(&enforced("v", ""), "");
    let enforcing = enforced.board.directive().stages["first"].version.id();
    assert_eq!(version.component, reported.component);
    assert!(version.config != reported.config && reported.config != enforcing.config);
}

#[test]
fn what_a_report_had_no_time_for_decides_nothing_later() {
    let mut bench = Bench::new(&script("v", ""), "");
    bench.send(Some("k"), &["one", SLOW, "two"]);
    assert_eq!(bench.values("end").len(), 3, "a report holds nobody up");
    assert_eq!(bench.counted("v").get("no-verdict"), Some(&1));
    assert_eq!(
        bench.memo("report:v", "k"),
        Some(vec![2]),
        "where there is time, it is 3"
    );
    let mut bench = bench.restart(&enforced("v", r#"on-reject = "dead-letter""#), "");
    bench.send(Some("k"), &["refuse", "refuse"]);
    let reasons = bench.dead_letters().into_iter();
    let reasons: Vec<_> = reasons
        .map(|letter| letter.header("__streams.errors.message").expect("UTF-8").to_owned())
        .collect();
    assert_eq!(reasons, ["record 1", "record 2"], "whoever enforces begins anew");
    assert_eq!(bench.memo("v", "k"), Some(vec![2]));
    // On a machine that had the time the report would have counted one more.
    bench.replay();
}

#[test]
fn whoever_enforces_is_waited_for() {
    let mut bench = Bench::new(&enforced("v", ""), "");
    bench.send(Some("k"), &["one", SLOW, "two"]);
    assert_eq!(bench.values("end").len(), 1);
    assert!(bench.paused().is_some_and(|why| why.contains("did not end within")));
    bench.replay();
}
