//! A folder of wrong manifests in miniature: each row names the fault that it must meet.

use super::parse::{nearest, parse, parse_duration};
use super::*;
use crate::codes;
use std::time::Duration;

const GOOD: &str = r#"
manifest = 1
name = "shop"
partitions = 1_6
noun = "orders"
topics."order.incoming" = { head = true, key = "id" }
drain = { complete-when = { view = "open", field = "/count", equals = 0 }, timeout = "5s" }
deploy = { probation = "200ms" }
goal = [{ name = "latency", metric = "fermata_pipeline_latency_seconds", quantile = 0.99, below = "200ms", over = "1m" }]
invariant = [{ name = "ends-once", of = "order.incoming", ends-in = ["order.done"] }, { name = "sum", view = "open", field = "/sum", each = 0, when = "drained" }]
summary = [{ name = "taken_in", count = "order.incoming" }, { name = "open", count = "open", field = "/count" }]
search = { view = "order" }
[stage.check]
component = "builtin:check@1.0.0"
in = ["order.incoming"]
out = { ok = "order.ok" }
config = { max = 10_000, nested = { list = [1, 2.5, "x"] } }
limits = { memory = "32MiB", fuel = 1_000_000, wall = "2s", output-bytes = 4096 }
[stage.close]
component = "target/close.wasm"
in = { checked = "order.ok" }
out = { done = "order.done" }
[generator.orders]
component = "builtin:orders@1.0.0"
out = { order = "order.incoming" }
"#;

#[test]
fn a_good_manifest_is_read_as_written() {
    let m = parse("pipeline.toml", GOOD).unwrap();
    assert_eq!((m.name.as_str(), m.partitions, m.noun.as_str()), ("shop", 16, "orders"));
    let names: Vec<_> = m.stages.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["check", "close"], "in order of declaration");
    let heads: Vec<_> = m.heads().map(TopicName::as_str).collect();
    assert_eq!(heads, ["order.incoming"]);
    let internal: Vec<_> = m.internal().map(TopicName::as_str).collect();
    assert_eq!(internal, ["order.ok"]);
    let check = m.stage("check").unwrap();
    assert_eq!(check.inputs[0].0, "order.incoming", "a listed topic names its port");
    assert_eq!(
        check.config,
        serde_json::json!({"max": 10000, "nested": {"list": [1, 2.5, "x"]}})
    );
    assert_eq!((check.limits.memory, check.limits.output_bytes), (32 << 20, 4096));
    assert_eq!(m.stage("close").unwrap().inputs[0].0, "checked");
    assert_eq!(m.probation, Duration::from_millis(200));
    assert_eq!(m.goals[0].bound, Bound::Below(0.2));
    assert_eq!(m.topics["order.incoming"].key.as_deref(), Some("id"));
    assert!(m.invariants[1].when_drained);
    assert!(matches!(m.summary[0].source, CountSource::Topic(_)));
    assert!(matches!(m.summary[1].source, CountSource::View(_)));
}

/// Each row changes one place of the good manifest: (find, replace, code, line, words of message and help).
const BAD: &[(&str, &str, &str, usize, &str)] = &[
    ("manifest = 1", "manifest = 2", codes::MANIFEST_VALUE, 2, "format 1"),
    ("noun =", "nuon =", codes::MANIFEST_SYNTAX, 5, "did you mean \"noun\""),
    (
        "name = \"shop\"",
        "name = \"Shop\"",
        codes::MANIFEST_VALUE,
        3,
        "pipeline name",
    ),
    (
        "name = \"shop\"",
        "name = 7",
        codes::MANIFEST_SYNTAX,
        3,
        "must be a string, found a value of type integer",
    ),
    (
        "partitions = 1_6",
        "partitions = 0",
        codes::MANIFEST_VALUE,
        4,
        "from 1 to",
    ),
    (
        "partitions = 1_6",
        "",
        codes::MANIFEST_SYNTAX,
        0,
        "\"partitions\" is missing",
    ),
    (
        "\"5s\"",
        "\"5 parsecs\"",
        codes::MANIFEST_VALUE,
        7,
        "expected a duration",
    ),
    ("\"32MiB\"", "\"32MB\"", codes::MANIFEST_VALUE, 18, "expected a size"),
    ("fuel =", "fule =", codes::MANIFEST_SYNTAX, 18, "did you mean \"fuel\""),
    (
        "in = [\"order.incoming\"]",
        "in = [\"order.incomin\"]",
        codes::MANIFEST_REFERENCE,
        15,
        "did you mean \"order.incoming\"",
    ),
    (
        "ends-in = [\"order.done\"]",
        "ends-in = [\"order.doen\"]",
        codes::MANIFEST_REFERENCE,
        10,
        "did you mean \"order.done\"",
    ),
    (
        "quantile = 0.99",
        "quantile = 99",
        codes::MANIFEST_VALUE,
        9,
        "between 0 and 1",
    ),
    (
        "latency_seconds",
        "latency_second",
        codes::MANIFEST_REFERENCE,
        9,
        "fermata_pipeline_latency_seconds",
    ),
    (
        "below = \"200ms\"",
        "below = \"200ms\", above = 1",
        codes::MANIFEST_VALUE,
        9,
        "one bound",
    ),
    (
        "builtin:check@1.0.0",
        "builtin:check",
        codes::MANIFEST_VALUE,
        14,
        "builtin:name@version",
    ),
    (
        "builtin:check@1.0.0",
        "oci://r/check",
        codes::MANIFEST_VALUE,
        14,
        "sha256",
    ),
    (
        "out = { order = \"order.incoming\" }",
        "out = { order = \"order.ok\" }",
        codes::MANIFEST_REFERENCE,
        25,
        "heads only",
    ),
    (
        "out = { ok = \"order.ok\" }",
        "out = { ok = \"shop.journal\" }",
        codes::MANIFEST_REFERENCE,
        0,
        "order.ok",
    ),
    (
        "out = { done = \"order.done\" }",
        "out = { done = \"order.done\", x = \"shop.dlq\" }",
        codes::MANIFEST_REFERENCE,
        22,
        "belongs to the host",
    ),
    (
        "head = true",
        "head = false",
        codes::MANIFEST_REFERENCE,
        6,
        "no stage writes it",
    ),
    (
        "field = \"/count\", equals",
        "field = \"count\", equals",
        codes::MANIFEST_VALUE,
        7,
        "JSON Pointer",
    ),
    ("search = {", "policy = {", codes::MANIFEST_SYNTAX, 12, "not a key"),
    ("noun = \"orders\"", "noun = orders", codes::MANIFEST_SYNTAX, 5, ""),
];

#[test]
fn each_fault_is_named_with_its_place_and_its_cure() {
    for (find, replace, code, line, words) in BAD {
        assert!(GOOD.contains(find), "{find}");
        let error = parse("pipeline.toml", &GOOD.replacen(find, replace, 1)).expect_err(replace);
        let text = error.to_string();
        assert_eq!(error.code, *code, "{replace}: {text}");
        assert!(text.contains(words), "{replace}: {text}");
        if *line > 0 {
            assert_eq!(error.line, *line, "{replace}: {text}");
            assert!(text.contains(&format!("pipeline.toml:{line}")), "{text}");
        }
    }
}

#[test]
fn names_that_cannot_travel_are_refused() {
    let long = "o".repeat(230);
    let error = parse("p", &GOOD.replace("order.incoming", &long)).expect_err("too long");
    assert!(error.to_string().contains("more than 512"), "{error}");
}

#[test]
fn durations_have_units() {
    assert_eq!(parse_duration("7d"), Some(Duration::from_secs(604_800)));
    assert_eq!(parse_duration("1_000ms"), Some(Duration::from_secs(1)));
    for wrong in ["", "5", "s", "-5s", "5 m m", "99999999999999999999s"] {
        assert_eq!(parse_duration(wrong), None, "{wrong}");
    }
}

#[test]
fn only_near_names_are_proposed() {
    assert_eq!(nearest("chrage", ["charge", "refund"]), Some("charge"));
    assert_eq!(nearest("zzz", ["charge", "refund"]), None);
}
