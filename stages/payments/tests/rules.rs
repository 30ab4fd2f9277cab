//! examples/payments/RULES.md: every rule names tests, and every test that it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const RULES: &str = include_str!("../../../examples/payments/RULES.md");
const STORM: &str = "the storm";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names of the tests in a file whose module is `module`: each function that follows a `#[test]`.
fn tests_of(module: &str, text: &str, into: &mut BTreeSet<String>) {
    let inline = text.find("\nmod tests {");
    let mut place = 0;
    while let Some(found) = text[place..].find("#[test]") {
        place += found + "#[test]".len();
        let inner = inline.filter(|begin| place > *begin).map_or("", |_| "tests::");
        let after = text[place..].split("fn ").nth(1).expect("a test is a function");
        let name = after.split(['(', '<']).next().expect("with a name");
        into.insert(format!("{module}::{inner}{name}"));
    }
}

fn walk(folder: &Path, module: &str, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a folder of the tree can be read").path();
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name")
            .to_owned();
        let inner = match name.as_str() {
            "lib" | "main" | "mod" => module.to_owned(),
            _ => format!("{module}::{name}"),
        };
        if path.is_dir() {
            walk(&path, &inner, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).expect("sources are text");
            tests_of(&inner, &text, into);
        }
    }
}

/// `crate::module::name` of every test of the stages and of the workspace.
fn all() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for stage in ["account", "confirm", "generator", "inflight", "payments", "validate"] {
        for folder in ["src", "tests"] {
            walk(&root().join("stages").join(stage).join(folder), stage, &mut all);
        }
    }
    walk(&root().join("tests/tests"), "tests", &mut all);
    all
}

/// The rows of the tables of rules: the rule, and its tests.
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let rules = RULES.split_once("\n## ").expect("tables of rules under headings").1;
    let rows = rules
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| rule "));
    rows.map(|row| {
        let mut columns = row.trim_matches('|').split(" | ");
        let (rule, tests) = (columns.next().expect("a rule"), columns.next().expect("tests"));
        let mut named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        named.extend(tests.contains(STORM).then_some(STORM));
        (rule, named)
    })
    .collect()
}

#[test]
fn every_rule_names_tests_and_they_exist() {
    let (all, rows) = (all(), rows());
    assert!(!rows.is_empty(), "RULES.md has no rows");
    for (rule, tests) in rows {
        assert!(!tests.is_empty(), "no test proves: {rule}");
        for test in tests.into_iter().filter(|test| *test != STORM) {
            assert!(all.contains(test), "there is no test {test}, which is to prove: {rule}");
        }
    }
    let storm = RULES
        .split_once("*the storm* is `")
        .and_then(|(_, rest)| rest.split('`').next());
    assert!(storm.is_some_and(|storm| all.contains(storm)), "there is no {storm:?}");
}

/// The other way round: what proves nothing of PAYMENTS.md is not in the stages.
#[test]
fn every_behaviour_of_accounts_and_payments_is_a_rule() {
    let named: BTreeSet<&str> = rows().into_iter().flat_map(|(_, tests)| tests).collect();
    let of = |test: &&String| test.starts_with("account::tests::") || test.starts_with("inflight::tests::");
    let unnamed: Vec<String> = all()
        .iter()
        .filter(of)
        .filter(|test| !named.contains(test.as_str()))
        .filter(|test| !test.contains("a_config_") && !test.contains("what_is_no_message") && !test.contains("1_1_0"))
        .cloned()
        .collect();
    assert!(unnamed.is_empty(), "RULES.md does not name {unnamed:#?}");
}
