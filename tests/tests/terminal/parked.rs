//! `fermata parked`: a credit that faults keeps its account waiting, and nothing else.

use super::PATIENCE;
use fermata_tests::harness::{PIPELINE, Server, ServerSpec, fixture, payment, until};
use serde_json::{Value, json};
use std::path::Path;

const POISONED: &str = "acct-poison";

/// The example with an account stage that faults on every credit to one account, and parks what faults.
fn start(dir: &Path, timeout: &str) -> Server {
    let spec = ServerSpec::payments(&dir.join("data"));
    let text = std::fs::read_to_string(&spec.manifest).expect("the example is there");
    let component = format!(
        "component = {:?}\non-fault = \"quarantine\"",
        fixture("account-poison-1.0.0")
    );
    let edits = [
        (r#"component = "builtin:account@1.0.0""#, component.as_str()),
        (
            r#"config = { timeout = "30s""#,
            &format!("config = {{ timeout = {timeout:?}"),
        ),
    ];
    let text = edits.iter().fold(text, |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from} stands once in the example");
        text.replace(from, to)
    });
    let manifest = dir.join("pipeline.toml");
    std::fs::write(&manifest, text).expect("a temporary folder can be written");
    Server::start(&ServerSpec { manifest, ..spec })
}

/// Two payments to the poisoned account among sound ones, and waits until the account is parked with both.
fn pay(server: &Server) {
    let mut payments: Vec<Value> = (0..10)
        .map(|n| payment(&format!("sound-{n}"), &format!("acct-{n}")))
        .collect();
    payments.insert(3, payment("poison-1", POISONED));
    payments.push(payment("poison-2", POISONED));
    let lines: Vec<String> = payments.iter().map(Value::to_string).collect();
    let cli = server.cli();
    cli.fed(&["produce", "payment.incoming"], &lines.join("\n"));
    until("both credits are parked", PATIENCE, || {
        let status = cli.json(&["status"]);
        // Time-outs, too, may wait behind them.
        if status["parked"].as_u64() >= Some(2) {
            Ok(())
        } else {
            Err(status)
        }
    });
}

#[test]
fn a_parked_key_is_listed_shown_and_released_on_the_cure() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = start(dir.path(), "10m");
    pay(&server);
    let cli = server.cli();
    assert!(cli.ok(&["status"]).contains("parked 2"), "{}", cli.ok(&["status"]));
    let list = cli.json(&["parked", "list"]);
    let parked = &list["parked"][0];
    assert_eq!(
        (&list["records"], &parked["key"], &parked["stage"], &parked["records"]),
        (&json!(2), &json!(POISONED), &json!("account"), &json!(2)),
        "{list}"
    );
    assert_eq!(parked["first"]["code"], "fault-trap", "{list}");
    assert!(cli.ok(&["parked", "list"]).contains("fault-trap"));
    let shown = cli.ok(&["parked", "show", POISONED]);
    assert!(shown.contains("poison-1") && shown.contains("waits"), "{shown}");
    let queue = cli.json(&["parked", "show", POISONED, "--stage", "account"])["queues"][0]["queue"].clone();
    assert_eq!(queue.as_array().map(Vec::len), Some(2), "{queue}");

    let said = cli.fails(&["drain", "--wait", "--timeout", "5s"], 6);
    assert!(
        said.contains("F0412") && said.contains("key acct-poison is parked at account behind"),
        "{said}"
    );
    cli.ok(&["resume"]);

    let again = cli.fails(&["parked", "release", "--all"], 1);
    assert!(again.contains("F0309"), "{again}");
    let attempts = cli.json(&["parked", "list"])["parked"][0]["first"]["attempts"].clone();
    assert_eq!(attempts, 2);

    cli.ok(&[
        "deploy",
        "account",
        "builtin:account@1.0.0",
        "--wait",
        "--probation",
        "200ms",
    ]);
    let outcome = cli.json(&["parked", "release", POISONED, "--reason", "cured"]);
    assert_eq!(
        (&outcome["outcome"], &outcome["released"], &outcome["keys"]),
        (&json!("unparked"), &json!(2), &json!(1)),
        "{outcome}"
    );
    cli.read_all_and_drain();
    let status = cli.json(&["status"]);
    assert!(
        status["parked"] == 0 && status["dead_letters"] == 0 && status["summary"]["confirmed"] == 12,
        "{status}"
    );
    assert_eq!(cli.view(&["payment", "poison-2"])["state"], "complete");
    assert!(cli.ok(&["verify", "--replay"]).contains("OK"));
    server.stop();
}

#[test]
fn a_skip_is_a_dead_letter_and_what_is_not_parked_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = start(dir.path(), "1s");
    pay(&server);
    let cli = server.cli();
    let said = cli.fails(&["parked", "release", "nobody"], 3);
    assert!(said.contains("nobody"), "{said}");
    cli.fails(&["parked", "show", "nobody"], 3);
    cli.fails(&["parked", "skip", POISONED, "--stage", "acount"], 3);
    cli.fails(&["parked", "release"], 2);
    cli.fails(&["parked", "release", "x", "--all"], 2);
    let empty = server.post(&format!("{PIPELINE}/parked/skip"), "application/json", "{}");
    assert_eq!(empty.expect("an answer").status, 400);

    // The first credit goes; the second fails in its turn, and goes as well.
    cli.ok(&["parked", "skip", POISONED]);
    let letters = cli.json(&["dlq", "list"]);
    assert_eq!(letters["total"], 1, "{letters}");
    let letter = &letters["dead_letters"][0];
    assert!(
        letter["code"] == "fault-trap" && letter["stage"] == "account" && letter["record"]["key"] == POISONED,
        "{letter}"
    );
    until("the second credit is parked in front", PATIENCE, || {
        let list = cli.json(&["parked", "list"]);
        if list["parked"][0]["first"]["code"] == "fault-trap" {
            Ok(())
        } else {
            Err(list)
        }
    });
    cli.ok(&["parked", "skip", POISONED]);
    assert_eq!(cli.json(&["parked", "list"])["records"], 0);
    // Both payments run into their time-out, and the money goes back.
    cli.read_all_and_drain();
    let status = cli.json(&["status"]);
    assert!(
        status["parked"] == 0 && status["dead_letters"] == 2 && status["summary"]["failed"] == 2,
        "{status}"
    );
    assert!(cli.ok(&["verify", "--replay"]).contains("OK"));
    server.stop();
}
