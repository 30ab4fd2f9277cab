//! Guests keep nothing: a run recorded with WebAssembly stages gives the same output hash for each task when it is
//! executed again with every instance dropped after one call, and with batches cut at random.

use fermata_core::manifest::parse;
use fermata_core::ports::{Artifacts, Executor};
use fermata_engine::{Compile, CompileCommand, EngineOptions, WasmExecutor};
use fermata_runtime::verify::{Replay, VerifySpec, verify};
use fermata_server::host::artifacts::Files;
use fermata_store::{Embedded, Options};
use fermata_tests::harness::{Server, ServerSpec, binary};
use std::path::Path;

/// Ways to cut the batches.
const SEEDS: [u64; 3] = [1, 2, 3];
const CONFIG: &str = r#"{"accounts": 40, "bad": {
    "insufficient-funds": 0.03, "bad-json": 0.02, "bad-amount": 0.03, "repeated": 0.03, "account-frozen": 0.03
}}"#;

/// Refusals, dead letters and swaps of all stages among some hundred payments.
fn record(dir: &Path) {
    let server = Server::start(&ServerSpec::payments(dir));
    let cli = server.cli();
    cli.ok(&[
        "generate", "--seed", "5", "--count", "300", "--rate", "0", "--config", CONFIG,
    ]);
    for stage in ["validate", "inflight", "account", "confirm"] {
        let component = format!("builtin:{stage}@1.1.0");
        cli.ok(&[
            "deploy",
            stage,
            &component,
            "--probation",
            "50ms",
            "--wait",
            "--timeout",
            "120s",
        ]);
    }
    let more = [
        "generate",
        "--seed",
        "5",
        "--from",
        "300",
        "--no-setup",
        "--count",
        "300",
        "--rate",
        "0",
    ];
    cli.ok(&[&more[..], &["--config", CONFIG]].concat());
    cli.read_all_and_drain();
    server.stop();
}

#[test]
fn a_recorded_run_depends_neither_on_instances_nor_on_batches() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    record(dir.path());
    let cache = tempfile::tempdir().expect("a temporary folder");
    let compile = Compile::Child(CompileCommand {
        program: binary(),
        args: vec!["__compile".into()],
    });
    let executor = WasmExecutor::new(EngineOptions {
        compile,
        cache: Some(cache.path().to_owned()),
    });
    let executor = executor.unwrap_or_else(|e| panic!("{e}"));
    let artifacts = Files::open(dir.path(), ".").unwrap_or_else(|e| panic!("{e}"));
    let spec = ServerSpec::payments(dir.path());
    let text = std::fs::read_to_string(&spec.manifest).expect("the example is there");
    let manifest = parse::parse("pipeline.toml", &text).expect("the example is right");
    let log = Embedded::open(dir.path(), Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let replayed = |drop_instances, recut| {
        let mut replay = Replay::new(&executor as &dyn Executor, &artifacts as &dyn Artifacts);
        (replay.drop_instances, replay.recut) = (drop_instances, recut);
        let report = verify(&VerifySpec {
            manifest: &manifest,
            log: &*log,
            views: None,
            replay: Some(replay),
        });
        let report = report.unwrap_or_else(|e| panic!("{e}"));
        let how = format!("instances dropped: {drop_instances}, batches cut by {recut:?}");
        assert!(report.ok, "{how}: {:#?}", report.problems);
        let unplayed: Vec<&String> = report.limited.iter().filter(|l| l.contains("replayed")).collect();
        assert!(unplayed.is_empty(), "{how}: {unplayed:?}");
        report.figures
    };
    let as_it_was = replayed(false, None);
    assert!(as_it_was.replayed > 2_000 && as_it_was.receipts == 16, "{as_it_was:?}");
    assert!(as_it_was.dead_letters > 0 && as_it_was.fused > 0, "{as_it_was:?}");
    for seed in SEEDS {
        assert_eq!(replayed(true, Some(seed)), as_it_was, "seed {seed}");
    }
    println!("executed again {} times: {as_it_was:?}", 1 + SEEDS.len());
}
