//! The JSON Schema says what the reader reads: key by key, default by default.

use super::super::raw::{Fields, Problems};
use super::super::{effective, parse as reader, schema};
use super::{GOOD, Source, parse};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use toml::de::DeTable;

/// Every table that a manifest can have, once; no name has a dot in it.
const WHOLE: &str = r#"
manifest = 1
name = "shop"
partitions = 2
topics.start = { head = true, key = "id" }
drain = { complete-when = { view = "open", equals = 0 }, blocking = { view = "open", field = "/open" } }
deploy = { probation = "0s" }
goal = [{ name = "rate", metric = "fermata_pipeline_records_total", above = 1 }]
invariant = [{ name = "once", of = "start", ends-in = ["end"] }, { name = "sum", view = "open", each = 0 }]
summary = [{ name = "taken", count = "start" }]
search = { view = "one" }
[stage.only]
component = "x"
in = ["start"]
out = { end = "end" }
limits = {}
parked = {}
validator = [{ name = "v", component = "v", limits = {} }]
[generator.load]
component = "y"
out = { start = "start" }
"#;

/// By table, the items of a list taken together.
fn asked() -> BTreeMap<String, BTreeSet<&'static str>> {
    let table = DeTable::parse(WHOLE).unwrap();
    let problems = Problems::default();
    assert!(
        reader::manifest(Fields::top(&table, &problems)).is_some(),
        "{problems:?}"
    );
    let mut all: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (path, keys) in problems.asked.into_inner() {
        let outside = path.split(['[', ']']).enumerate();
        let path: String = outside.map(|(i, part)| if i % 2 == 0 { part } else { "[]" }).collect();
        all.entry(path).or_default().extend(keys);
    }
    all
}

/// The schema of the table at `path`, as in `goal[]` or `stage.only.limits`.
fn at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    let steps = path.split(['.', '[']).filter(|step| !step.is_empty());
    steps.fold(schema, |within, step| match step.strip_suffix(']') {
        Some(_) => &within["items"],
        None => schema::below(within, step),
    })
}

fn declared(schema: &Value) -> BTreeSet<&str> {
    let own = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str());
    let choices = schema["anyOf"].as_array().into_iter().flatten();
    own.chain(choices.flat_map(declared)).collect()
}

#[test]
fn the_schema_declares_the_keys_that_are_read_and_no_others() {
    let schema = schema::schema();
    let asked = asked();
    for (path, keys) in &asked {
        let mut declared = declared(at(&schema, path));
        // Taken out before the rest is read.
        declared.remove("env");
        assert_eq!(
            declared,
            keys.iter().copied().collect(),
            "at {path:?}: left what manifest/schema.rs declares, right what is read"
        );
    }
    // Every table of the schema was met: what is declared and read by nobody would be a lie too.
    let mut tables = Vec::new();
    tables_of(&schema, &mut tables);
    let met: Vec<&Value> = asked.keys().map(|path| at(&schema, path)).collect();
    for table in tables {
        assert!(
            met.iter()
                .any(|m| *m == table || m["anyOf"].as_array().is_some_and(|all| all.contains(table))),
            "no manifest of this test has {table}: add it to WHOLE"
        );
    }
}

/// Every table with keys of its own, environments apart: they are the same again.
fn tables_of<'a>(schema: &'a Value, into: &mut Vec<&'a Value>) {
    match schema {
        Value::Object(entries) => {
            if entries.get("properties").is_some_and(Value::is_object) && entries.contains_key("type") {
                into.push(schema);
            }
            for (_, below) in entries.iter().filter(|(key, _)| *key != "$defs") {
                tables_of(below, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| tables_of(item, into)),
        _ => {}
    }
}

/// Writing every default down changes nothing: so they are the reader's own.
#[test]
fn the_schemas_defaults_are_the_readers() {
    for text in [GOOD, WHOLE] {
        let source = Source::new("p", text);
        let mut written: toml::Table = text.parse().unwrap();
        let defaults: Vec<_> = source.effective().unwrap();
        let defaults: Vec<_> = defaults
            .into_iter()
            .filter(|s| s.origin == effective::Origin::Default)
            .collect();
        assert!(defaults.len() > 5, "{defaults:?}");
        for shown in defaults {
            put(&mut written, &shown.path, toml::Value::try_from(&shown.value).unwrap());
        }
        let spelt = written.to_string();
        assert_eq!(parse("p", &spelt).unwrap(), parse("p", text).unwrap(), "{spelt}");
    }
}

fn put(table: &mut toml::Table, path: &[effective::Step], value: toml::Value) {
    use effective::Step::{Index, Key};
    match path {
        [Key(key)] => {
            table.insert(key.clone(), value);
        }
        [Key(key), Index(i), rest @ ..] => {
            let items = table.get_mut(key).and_then(toml::Value::as_array_mut).unwrap();
            put(items[*i].as_table_mut().unwrap(), rest, value);
        }
        [Key(key), rest @ ..] => {
            let below = table.entry(key.clone()).or_insert_with(|| toml::Table::new().into());
            put(below.as_table_mut().unwrap(), rest, value);
        }
        _ => panic!("no such path: {path:?}"),
    }
}

/// The file that ships. `FERMATA_WRITE=1` writes it anew.
#[test]
fn the_shipped_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/pipeline.v1.json");
    let generated = format!("{:#}\n", schema::schema());
    if std::env::var_os("FERMATA_WRITE").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let shipped = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        shipped == generated,
        "schemas/pipeline.v1.json is not what manifest/schema.rs says: run this test with FERMATA_WRITE=1"
    );
}
