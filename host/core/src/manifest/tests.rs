//! What a manifest comes to, and what each mistake is told.

use super::parse::{nearest, parse, parse_duration};
use super::*;
use std::time::Duration;

mod environments;
mod mistakes;
mod shape;

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
