//! Guests that misbehave as candidates. One that faults on every record, in its probation: the version before it passes
//! them, the deployment is taken back by itself, nothing becomes a dead letter, and `deploy --wait` ends with 7. One that
//! answers from memory does not come as far.

use super::deployed::{more, start};
use fermata_tests::harness::{PIPELINE, fixture};
use serde_json::Value;

#[test]
fn a_guest_that_faults_on_every_record_is_taken_back_without_a_dead_letter() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = start(dir.path(), r#"do = "trap", on = "every", since = "1.1.0""#);
    let cli = server.cli();
    more(&cli, 20);
    let next = fixture("hostile-1.1.0");
    let next = next.to_str().expect("a path of ASCII");
    let deploy = [
        "deploy",
        "hostile",
        next,
        "--probation",
        "10m",
        "--wait",
        "--timeout",
        "120s",
    ];
    let deploying = cli.background(&[&deploy[..], &["-o", "json"]].concat());
    // Records of both shards, until one has met the new version.
    let said = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| deploying.finish());
        while !waiting.is_finished() {
            more(&cli, 8);
        }
        waiting.join().expect("it waits for a child")
    });
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(7), "{stderr}");
    assert!(
        stderr.contains("was rolled back") && stderr.contains("fault-trap"),
        "{stderr}"
    );
    let told: Value = serde_json::from_slice(&said.stdout).expect("one JSON object");
    assert_eq!(told["deployment"]["state"], "RolledBack", "{told}");
    more(&cli, 20);
    let status = cli.json(&["status"]);
    assert_eq!(status["stages"][0]["version"], "1.0.0", "{status}");
    let letters = server.get(&format!("{}/dlq", PIPELINE.replace("payments", "hostile")));
    assert_eq!(letters.body["total"], 0, "{}", letters.text);
    cli.read_all_and_drain();
    cli.ok(&["verify", "--replay"]);
    server.stop();
}

#[test]
fn a_guest_that_answers_from_memory_is_refused_before_the_switch() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = start(dir.path(), r#"do = "from-memory", on = "every", since = "1.1.0""#);
    let cli = server.cli();
    more(&cli, 20);
    let next = fixture("hostile-1.1.0");
    let next = next.to_str().expect("a path of ASCII");
    let said = cli.fails(&["deploy", "hostile", next, "--wait", "--timeout", "120s"], 4);
    assert!(
        said.contains("F0210") && said.contains("on work/") && said.contains("where a fresh one emits"),
        "{said}"
    );
    more(&cli, 20);
    assert_eq!(cli.json(&["status"])["stages"][0]["version"], "1.0.0");
    assert!(
        cli.json(&["receipts", "dep/1"]).as_array().is_none_or(Vec::is_empty),
        "nothing switched"
    );
    cli.read_all_and_drain();
    cli.ok(&["verify", "--replay"]);
    server.stop();
}
