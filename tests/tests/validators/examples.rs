//! The velocity check in Rust and in JavaScript: the same verdicts on the same recorded debits, and in front of
//! `account` a payment that is too fast ends as any other that is refused.

use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor};
use fermata_core::validation::{Allowance, ValidatorInstance};
use fermata_core::{Input, Record};
use fermata_engine::{Compile, CompileCommand, EngineOptions, WasmExecutor};
use fermata_server::host::artifacts;
use fermata_tests::harness::{Books, PATIENCE, Server, ServerSpec, Topics, binary, fixture, json_value, until};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Debits that both are asked about.
const DEBITS: usize = 10_000;
const CONFIG: &str = r#"{"per-minute": 5, "except-prefix": "funding-"}"#;

/// The payments' manifest with a validator in front of `account`.
fn manifest(dir: &Path, mode: &str) -> std::path::PathBuf {
    let entry = format!(
        r#"validator = [{{ name = "velocity", component = "builtin:velocity@1.0.0", mode = "{mode}",
             config = {{ per-minute = 5, except-prefix = "funding-" }} }}]"#
    );
    let text = std::fs::read_to_string(ServerSpec::payments(dir).manifest).expect("the example is there");
    assert_eq!(text.matches("[stage.account]").count(), 1);
    let path = dir.join("pipeline.toml");
    let text = text.replace("[stage.account]", &format!("[stage.account]\n{entry}"));
    std::fs::write(&path, text).expect("a temporary folder can be written");
    path
}

fn serve(dir: &Path, mode: &str) -> Server {
    Server::start(&ServerSpec {
        manifest: manifest(dir, mode),
        ..ServerSpec::payments(&dir.join("data"))
    })
}

fn generate(server: &Server, from: u64, count: u64) {
    let (from, count) = (from.to_string(), count.to_string());
    let range = ["--from", &from, "--count", &count];
    let first: &[&str] = if from == "0" { &[] } else { &["--no-setup"] };
    let load = [
        "generate",
        "--seed",
        "7",
        "--rate",
        "0",
        "--config",
        r#"{"accounts": 300}"#,
    ];
    server.cli().ok(&[&load[..], &range, first].concat());
    server.cli().read_all_and_drain();
}

/// What a validator has said, as `status` tells it.
fn told(server: &Server) -> Value {
    let status = server.cli().json(&["status"]);
    let stages = status["stages"].as_array().expect("a list").clone();
    let account = stages.iter().find(|s| s["stage"] == "account").expect("a stage");
    account["validators"][0].clone()
}

/// Codes of what has failed.
fn failures(topics: &Topics) -> BTreeMap<String, u64> {
    let mut codes = BTreeMap::new();
    topics.each("payment.failed", |record| {
        let code = json_value(record)["code"].as_str().expect("a code").to_owned();
        *codes.entry(code).or_default() += 1;
    });
    codes
}

#[test]
fn a_payment_that_is_too_fast_fails_under_the_validators_code() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = serve(dir.path(), "report");
    generate(&server, 0, 1_500);
    let reported = told(&server);
    let would = reported["refused"]["too-fast"].as_u64().expect("some are too fast");
    assert!(would > 0 && reported["faults"] == serde_json::json!({}), "{reported}");
    assert_eq!(
        server.cli().json(&["status"])["summary"]["failed"],
        0,
        "a report refuses nobody"
    );

    // The manifest's new mode is another version: it comes by a deployment, with a receipt for each task.
    server.stop();
    let server = serve(dir.path(), "enforce");
    assert_eq!(told(&server)["mode"], "report", "what runs goes on");
    let deploy = [
        "deploy",
        "account",
        "builtin:account@1.0.0",
        "--probation",
        "50ms",
        "--wait",
        "--timeout",
        "120s",
    ];
    let done = server.cli().json(&deploy);
    // The pipeline is drained, and nothing runs: probation is served when it goes on.
    assert_eq!(done["deployment"]["state"], "Probation", "{done}");
    assert_eq!(done["deployment"]["held"]["by"], "pause", "{done}");
    assert_eq!(done["receipts"].as_array().map(Vec::len), Some(4), "{done}");
    server.cli().ok(&["resume"]);
    until("the deployment is promoted", PATIENCE, || {
        let state = server.cli().json(&["deployments", "show", "1"])["state"].clone();
        if state == "Promoted" { Ok(()) } else { Err(state) }
    });
    generate(&server, 1_500, 1_500);
    let enforced = told(&server);
    let refused = enforced["refused"]["too-fast"].as_u64().expect("some are too fast");
    assert!(enforced["mode"] == "enforce" && refused > 0, "{enforced}");
    let metrics = server.get("/metrics").text;
    let series = format!(
        "fermata_validator_records_total{{pipeline=\"payments\",stage=\"account\",validator=\"velocity\",verdict=\"too-fast\"}} {refused}"
    );
    assert!(metrics.contains(&series), "{metrics}");
    let shown = server.cli().ok(&["status"]);
    for word in ["VALIDATOR", "velocity", "enforce", "too-fast"] {
        assert!(shown.contains(word), "{shown}");
    }
    server.cli().ok(&["verify", "--replay"]);
    server.stop();

    let topics = Topics::open(&dir.path().join("data"));
    assert_eq!(failures(&topics), [("velocity/too-fast".to_owned(), refused)].into());
    let totals = Books::read(&topics).check_drained();
    assert_eq!(
        (totals.failed, totals.confirmed),
        (refused, totals.accepted - refused),
        "{totals:?}"
    );
    println!("{totals:?}; reported {would}, refused {refused}");
}

/// A validator over recorded messages, with a memo for each key.
struct Judge {
    instance: Box<dyn ValidatorInstance>,
    memos: HashMap<Vec<u8>, Vec<u8>>,
}

impl Judge {
    fn new(executor: &WasmExecutor, bytes: impl Into<bytes::Bytes>) -> Self {
        let version = executor.validator(&Artifact::new(bytes), CONFIG, &Limits::from(Allowance::default()));
        let version = version.unwrap_or_else(|e| panic!("{e}"));
        Self {
            instance: version.instantiate().unwrap_or_else(|e| panic!("{e}")),
            memos: HashMap::new(),
        }
    }

    fn code(&mut self, record: &Record) -> Option<String> {
        let input = Input {
            port: "inflight".into(),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
            timestamp: record.timestamp,
            verdicts: Vec::new(),
        };
        let key = record.key.clone().unwrap_or_default().to_vec();
        let memo = self.memos.get(&key).map(Vec::as_slice);
        let said = self
            .instance
            .validate(&input, memo)
            .unwrap_or_else(|e| panic!("{e:?} on {record:?}"));
        match said.memo {
            Some(memo) => self.memos.insert(key, memo.to_vec()),
            None => self.memos.remove(&key),
        };
        said.refusal.map(|refusal| refusal.code)
    }
}

#[test]
fn both_languages_say_the_same_of_ten_thousand_debits() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&ServerSpec::payments(dir.path()));
    generate(&server, 0, DEBITS as u64);
    server.stop();
    let mut recorded = Topics::open(dir.path()).records("payment.inflight");
    recorded.sort_by_key(|record| (record.timestamp, record.shard, record.offset));

    let cache = tempfile::tempdir().expect("a temporary folder");
    let executor = WasmExecutor::new(EngineOptions {
        compile: Compile::Child(CompileCommand {
            program: binary(),
            args: vec!["__compile".into()],
        }),
        cache: Some(cache.path().to_owned()),
    });
    let executor = executor.unwrap_or_else(|e| panic!("{e}"));
    let rust = artifacts::builtin("velocity@1.0.0").unwrap_or_else(|e| panic!("{e}"));
    let javascript = std::fs::read(fixture("velocity-javascript-1.0.0")).expect("built");
    let (mut rust, mut javascript) = (Judge::new(&executor, rust), Judge::new(&executor, javascript));

    let (mut debits, mut refused) = (0, 0);
    for record in &recorded {
        let (one, other) = (rust.code(record), javascript.code(record));
        assert_eq!(one, other, "{record:?}");
        let debit = json_value(record)["type"] == "debit";
        debits += usize::from(debit);
        refused += usize::from(one.is_some());
        assert!(debit || one.is_none(), "{record:?}");
    }
    assert!(
        debits >= DEBITS && refused > 0 && refused < DEBITS,
        "{refused} of {debits}"
    );
    assert_eq!(rust.memos, javascript.memos, "memos too are of one form");
    println!("{} messages, {debits} debits, {refused} too fast", recorded.len());
}
