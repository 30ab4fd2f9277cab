//! Records in and out by hand, dead letters, components.

use super::{PATIENCE, payments};
use fermata_tests::harness::{Cli, until};
use serde_json::{Value, json};
use std::process::Command;

/// Now, as a payment says it.
fn now() -> String {
    let output = Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .expect("date is on every machine");
    String::from_utf8(output.stdout)
        .expect("date writes ASCII")
        .trim()
        .to_owned()
}

fn payment(id: &str, from: &str, to: &str) -> String {
    json!({ "id": id, "from": from, "to": to, "amount": 120, "currency": "EUR", "at": now() }).to_string()
}

/// The lines of a `consume -o json`.
fn consumed(cli: &Cli, args: &[&str]) -> Vec<Value> {
    let out = cli.ok(&[&["consume"], args, &["-o", "json"]].concat());
    out.lines()
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l} is not JSON: {e}")))
        .collect()
}

#[test]
fn what_is_produced_can_be_followed_to_its_end() {
    let (dir, server) = payments();
    let cli = server.cli();
    let file = dir.path().join("payments.jsonl");
    let fund: String = (0..3)
        .map(|n| payment(&format!("fund-{n}"), "funding-EUR", &format!("acct-{n}")) + "\n")
        .collect();
    std::fs::write(&file, fund).expect("the folder is writable");
    let places = cli.ok(&["produce", "payment.incoming", file.to_str().expect("a path of text")]);
    assert_eq!(places.lines().count(), 3, "a place for each record: {places}");
    until("the accounts are funded", PATIENCE, || {
        match cli.view(&["confirmed"])["count"].as_u64() {
            Some(3) => Ok(()),
            found => Err(found),
        }
    });
    let places = cli.fed(
        &["produce", "payment.incoming"],
        &format!("{}\n", payment("p-1", "acct-0", "acct-1")),
    );
    assert_eq!(places.lines().count(), 1, "{places}");
    until("the payment ends", PATIENCE, || {
        let answer = server.get(&format!("{}/views/payment/p-1", fermata_tests::harness::PIPELINE));
        if answer.body["data"]["state"] == "complete" {
            Ok(())
        } else {
            Err(answer.text)
        }
    });
    let found = consumed(&cli, &["payment.confirmed"]);
    let ended = found
        .iter()
        .find(|r| r["key"] == "p-1")
        .unwrap_or_else(|| panic!("p-1 is not in {found:?}"));
    let header = |name: &str| {
        let found = ended["headers"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|h| h["name"] == name);
        found
            .and_then(|h| h["value"].as_str())
            .unwrap_or_else(|| panic!("no {name} in {ended}"))
            .to_owned()
    };
    assert_eq!(header("fermata-stage"), "confirm");
    assert!(
        header("fermata-id").starts_with("payment.incoming/"),
        "{}",
        header("fermata-id")
    );
    let one = consumed(&cli, &["payment.incoming", "--limit", "1"]);
    assert_eq!(one.len(), 1, "{one:?}");
    let shard = one[0]["partition"].to_string();
    let of_shard = consumed(&cli, &["payment.incoming", "--partition", &shard, "--offset", "0"]);
    assert!(
        !of_shard.is_empty() && of_shard.iter().all(|r| r["partition"] == one[0]["partition"]),
        "{of_shard:?}"
    );
    assert!(cli.ok(&["consume", "payment.incoming"]).contains("p-1\t"));
}

#[test]
fn a_record_that_is_no_payment_becomes_a_dead_letter() {
    let (_dir, server) = payments();
    let cli = server.cli();
    cli.fed(
        &["produce", "payment.incoming", "--key", "broken"],
        "{\"id\": \"broken\", \n",
    );
    until("a dead letter appears", PATIENCE, || {
        let found = cli.json(&["dlq", "list"]);
        if found["total"] == 1 { Ok(()) } else { Err(found) }
    });
    let letter = cli.json(&["dlq", "list"])["dead_letters"][0].clone();
    assert_eq!(
        (letter["code"].as_str(), letter["stage"].as_str()),
        (Some("bad-json"), Some("validate")),
        "{letter}"
    );
    assert_eq!(letter["source"]["topic"], "payment.incoming", "{letter}");
    assert_eq!(letter["record"]["value"], "{\"id\": \"broken\", ", "{letter}");
    let table = cli.ok(&["dlq", "list"]);
    assert!(table.contains("bad-json") && table.contains("broken"), "{table}");
    let id = letter["id"].as_str().expect("partition/offset");
    let shown = cli.ok(&["dlq", "show", id]);
    assert!(
        shown.contains("bad-json") && shown.contains("__streams.errors.topic"),
        "{shown}"
    );
    assert_eq!(cli.json(&["dlq", "show", id]), letter);
    assert_eq!(cli.json(&["status"])["dead_letters"], 1);
    assert!(cli.ok(&["verify"]).contains("OK"));
}

#[test]
fn components_and_the_binary_say_what_they_are() {
    let cli = Cli::nowhere();
    let found = cli.json(&["component", "inspect", "builtin:account@1.1.0"]);
    assert_eq!(found["description"]["version"], "1.1.0", "{found}");
    let other = cli.json(&["component", "inspect", "builtin:account@1.0.0"]);
    assert_ne!(found["digest"], other["digest"], "two versions, two components");
    let table = cli.ok(&["component", "inspect", "builtin:account@1.1.0"]);
    assert!(table.contains("account 1.1.0") && table.contains("ledger"), "{table}");
    assert!(cli.ok(&["version"]).contains("fermata:stage@0.1.0"));
    assert_eq!(cli.json(&["version"])["schema"], "fermata.version/1");
}
