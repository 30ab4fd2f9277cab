//! A credit that cannot be processed: while its payment may still take its time, a drain does not succeed and says
//! which payment is in the way; once it has timed out, the saga gives the money back, and the drain succeeds.

use fermata_tests::harness::{PATIENCE, PIPELINE, Server, ServerSpec, fixture, payment, until};
use serde_json::Value;
use std::path::Path;

const POISON: &str = "pay-the-poisoned";

/// The example, with the poisoned account stage and another payment time-out.
fn start(dir: &Path, timeout: &str) -> Server {
    let spec = ServerSpec::payments(&dir.join("data"));
    let text = std::fs::read_to_string(&spec.manifest).expect("the example is there");
    let component = format!("component = {:?}", fixture("account-poison-1.0.0"));
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
    let server = Server::start(&ServerSpec { manifest, ..spec });
    pay(&server);
    server
}

/// Sound payments around the one that cannot be credited, and waits until that is a dead letter.
fn pay(server: &Server) {
    let mut payments: Vec<Value> = (0..20)
        .map(|n| payment(&format!("sound-{n}"), &format!("acct-{n}")))
        .collect();
    payments.insert(10, payment(POISON, "acct-poison"));
    let lines: Vec<String> = payments.iter().map(Value::to_string).collect();
    server.cli().fed(&["produce", "payment.incoming"], &lines.join("\n"));
    let letters = until("the credit is a dead letter", PATIENCE, || {
        let found = server.get(&format!("{PIPELINE}/dlq"));
        if found.body["total"] == 1 {
            Ok(found.text)
        } else {
            Err(found)
        }
    });
    assert!(letters.contains(POISON) && letters.contains("account"), "{letters}");
}

#[test]
fn a_drain_that_cannot_end_names_the_payment() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = start(dir.path(), "10m");
    let cli = server.cli();
    let said = cli.fails(&["drain", "--wait", "--timeout", "5s"], 6);
    assert!(said.contains(POISON) && said.contains("F0412"), "{said}");
    assert!(!said.contains("sound-"), "only what blocks is named: {said}");
    assert_eq!(cli.view(&["payment", POISON])["state"], "open");
    assert_eq!(cli.view(&["inflight"])["count"], 1);
    // The books are right all the same: the money is on its way.
    cli.ok(&["verify"]);
    cli.ok(&["resume"]);
    server.stop();
}

#[test]
fn a_time_out_ends_the_payment_and_the_drain_succeeds() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = start(dir.path(), "1s");
    let cli = server.cli();
    cli.ok(&["drain", "--wait", "--timeout", "60s"]);
    let payment = cli.view(&["payment", POISON]);
    assert_eq!(
        (&payment["state"], &payment["code"]),
        (&"refunded".into(), &"timed-out".into()),
        "{payment}"
    );
    assert_eq!(cli.view(&["ledger"])["clearing"]["EUR"], 0);
    let status = cli.json(&["status"]);
    let summary = &status["summary"];
    assert!(
        summary["confirmed"] == 20 && summary["failed"] == 1 && status["in_flight"] == 0,
        "{status}"
    );
    cli.ok(&["verify"]);
    server.stop();
}
