//! Every broken kind of record on each head ends with its code, and the sound ones between them all get through.

use fermata_core::manifest::parse::parse;
use fermata_core::ports::Log;
use fermata_runtime::worker::topics;
use fermata_store::{Embedded, Options};
use fermata_tests::bad_input::{append, cases, check};
use fermata_tests::harness::{Server, ServerSpec, Topics};
use fermata_tests::native::Native;
use fermata_tests::simulation::manifest;
use serde_json::Value;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

#[test]
fn each_kind_ends_with_its_code_in_native_stages() {
    let mut native = Native::start(manifest(), fermata_native::registry());
    let now = native.now();
    let sent = append(&native.log, native.manifest.partitions, now, cases(now));
    native.settle();
    check(&Topics::on(Arc::new(native.log.clone())), &sent);
}

/// The records are on the log before the server starts, as those of a foreign producer would be: intake itself takes
/// neither a foreign partition nor a derived key that is not there.
#[test]
fn each_kind_ends_with_its_code_in_the_real_binary() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let spec = ServerSpec::payments(dir.path());
    let text = std::fs::read_to_string(&spec.manifest).expect("the example is there");
    let manifest = parse("pipeline.toml", &text).expect("the example is right");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_millis()).expect("a time of this era");
    let log = Embedded::open(dir.path(), Options::default()).unwrap_or_else(|e| panic!("{e}"));
    log.ensure(&topics(&manifest)).unwrap_or_else(|e| panic!("{e}"));
    let sent = append(&*log, manifest.partitions, now, cases(now));
    drop(log);

    let server = Server::start(&spec);
    let cli = server.cli();
    cli.read_all_and_drain();
    assert!(cli.ok(&["verify"]).contains("OK"));
    let status = cli.json(&["status"]);
    sums_agree(&status);
    assert_eq!(cli.view(&["ledger"])["clearing"]["EUR"], 0);
    let stages = status["stages"].as_array().expect("a list");
    assert!(
        stages.iter().all(|stage| stage["faults"] == 0),
        "no stage faulted: {status}"
    );
    server.stop();
    let summary = check(&Topics::open(dir.path()), &sent);
    println!("{}", summary.table());
}

fn sums_agree(status: &Value) {
    let n = |name: &str| {
        status["summary"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("no {name} in {status}"))
    };
    assert_eq!(n("accepted"), n("confirmed") + n("failed"), "{status}");
    assert_eq!((n("in_flight"), n("failed"), n("repeated")), (0, 0, 0), "{status}");
}
