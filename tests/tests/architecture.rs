//! Arrows point to `core`: held against what cargo itself says of the workspace.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

fn workspace() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata runs in the workspace");
    let packages = metadata.packages.into_iter().map(|p| {
        let normal = p
            .dependencies
            .iter()
            .filter(|d| d.kind == DependencyKind::Normal)
            .map(|d| d.name.clone());
        (p.name.to_string(), normal.collect())
    });
    packages.collect()
}

/// What each crate of `host/` may know of Fermata.
const ALLOWED: &[(&str, &[&str])] = &[
    ("fermata-core", &[]),
    ("fermata-build", &[]),
    ("fermata-engine", &["fermata-core"]),
    ("fermata-store", &["fermata-core"]),
    ("fermata-kafka", &["fermata-core"]),
    ("fermata-runtime", &["fermata-core"]),
    (
        "fermata-server",
        &[
            "fermata-core",
            "fermata-build",
            "fermata-engine",
            "fermata-store",
            "fermata-kafka",
            "fermata-runtime",
        ],
    ),
];

#[test]
fn host_crates_depend_only_on_what_stands_below_them() {
    let workspace = workspace();
    for (name, allowed) in ALLOWED {
        let found = &workspace[*name];
        let own = found.iter().filter(|d| d.starts_with("fermata-"));
        let wrong: Vec<_> = own.filter(|d| !allowed.contains(&d.as_str())).collect();
        assert!(
            wrong.is_empty(),
            "{name} depends on {wrong:?}; it may know only {allowed:?}"
        );
    }
}

#[test]
fn core_knows_no_kafka_no_wasm_no_http_and_no_disk() {
    let found = &workspace()["fermata-core"];
    for banned in ["tokio", "wasmtime", "rdkafka", "fjall", "axum"] {
        assert!(
            !found.contains(banned),
            "fermata-core depends on {banned}: put it behind a port"
        );
    }
}

#[test]
fn the_host_knows_no_stage_and_no_payment() {
    let workspace = workspace();
    let stages: BTreeSet<_> = [
        "fermata-stage",
        "fermata-validator",
        "fermata-payments",
        "fermata-native",
        "example-velocity",
    ]
    .into_iter()
    .chain(["validate", "inflight", "account", "confirm", "generator"])
    .collect();
    for (name, _) in ALLOWED {
        let known: Vec<_> = workspace[*name]
            .iter()
            .filter(|d| stages.contains(d.trim_start_matches("fermata-")) || stages.contains(d.as_str()))
            .collect();
        assert!(
            known.is_empty(),
            "{name} depends on {known:?}: the host hosts stages, it does not know them"
        );
    }
}
