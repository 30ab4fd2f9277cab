//! The schema that ships, asked by a validator that shares nothing with the reader.

use super::{PAYMENTS, examples};
use fermata_core::manifest::{Source, schema};
use fermata_tests::harness::Cli;
use jsonschema::Validator;
use serde_json::Value;

pub fn validator() -> Validator {
    jsonschema::validator_for(&schema()).expect("the schema is one")
}

pub fn json(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("what the reader takes is JSON")
}

#[test]
fn the_examples_are_valid_by_it() {
    let shipped: Value = serde_json::from_str(include_str!("../../../schemas/pipeline.v1.json")).expect("JSON");
    let printed: Value = serde_json::from_str(&Cli::nowhere().ok(&["config", "schema"])).expect("JSON");
    assert_eq!(shipped, printed);
    let validator = jsonschema::validator_for(&shipped).expect("the schema is one");
    for file in examples() {
        let text = std::fs::read_to_string(&file).expect("examples can be read");
        let errors: Vec<String> = validator.iter_errors(&json(&text)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
    }
}

/// What no editor may let pass: the schema and the reader refuse the same.
#[test]
fn both_refuse() {
    let validator = validator();
    let with = |extra: &str| PAYMENTS.replacen("noun = \"payments\"", &format!("noun = \"payments\"\n{extra}"), 1);
    for (find, replace) in [
        ("manifest = 1", "manifest = 2"),
        ("partitions = 4", "partitions = 0"),
        ("partitions = 4", ""),
        ("name = \"payments\"", "name = \"Payments\""),
        ("fuel = 5_000_000", "fule = 5_000_000"),
        ("memory = \"64MiB\"", "memory = \"64MB\""),
        ("wall = \"1s\"", "wall = 1"),
        ("in = [\"payment.incoming\"]", "in = []"),
        (
            "component = \"builtin:validate@1.0.0\"",
            "component = \"builtin:validate\"",
        ),
        (
            "component = \"builtin:validate@1.0.0\"",
            "component = \"oci://r/validate\"",
        ),
        ("component = \"builtin:validate@1.0.0\"", ""),
        ("quantile = 0.99", "quantile = 99"),
        ("below = \"200ms\"", "below = \"200ms\", above = 1"),
        ("field = \"/count\", equals = 0", "field = \"count\", equals = 0"),
        ("when = \"drained\"", "when = \"always\""),
        ("head = true", "head = \"yes\""),
        (
            "search = { view = \"payment\" }",
            "search = { view = \"payment\", key = 1 }",
        ),
        ("ends-in = [\"payment.confirmed\", \"payment.failed\"]", "ends-in = []"),
    ] {
        assert!(PAYMENTS.contains(find), "{find}");
        let text = PAYMENTS.replacen(find, replace, 1);
        assert!(
            Source::new("p", &text).manifest().is_err(),
            "the reader takes {replace:?}"
        );
        assert!(!validator.is_valid(&json(&text)), "the schema takes {replace:?}");
    }
    for (extra, valid) in [
        (
            "env.prod = { partitions = 8, stage = { account = { limits = { fuel = 7 } } } }",
            true,
        ),
        ("env.prod = { partitons = 8 }", false),
        ("env.prod = { name = \"x\" }", false),
        ("env.PROD = { }", false),
    ] {
        let text = with(extra);
        let read = Source::new("p", &text).in_environment(Some("prod")).manifest();
        assert_eq!(
            (read.is_ok(), validator.is_valid(&json(&text))),
            (valid, valid),
            "{extra}: {read:?}"
        );
    }
}
