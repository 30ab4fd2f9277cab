//! `generate` against a running server: shares of bad input, files replayed, the schedule, and the summary.

use fermata_tests::harness::{Cli, PATIENCE, Server, ServerSpec, payment, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

fn payments() -> (TempDir, Server) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&ServerSpec::payments(&dir.path().join("data")));
    (dir, server)
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("the folder is writable");
    path.to_str().expect("a path of text").to_owned()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The time of a payment of now, as payments say it.
fn now() -> String {
    payment("x", "y")["at"].as_str().expect("a time").to_owned()
}

#[test]
fn every_share_of_bad_input_ends_as_it_is_named_and_the_sums_agree() {
    let (_dir, server) = payments();
    let cli = server.cli();
    let kinds: Vec<&str> = include_str!("../../stages/generator/bad-input.txt").lines().collect();
    let shares: Vec<String> = kinds.iter().map(|kind| format!("bad.{kind}=0.04")).collect();
    let mut args = vec![
        "generate",
        "--backlog",
        "1000",
        "--seed",
        "3",
        "--set",
        "accounts=40",
        "--set",
        "zipf=1.4",
    ];
    for share in &shares {
        args.extend(["--set", share]);
    }
    let sent = cli.json(&args);
    assert_eq!(sent["schema"], "fermata.generate/1", "{sent}");
    // Two records of one sequence number where an id comes twice.
    assert!(
        number(&sent, "sent") > 1_000 && sent["sent"] == sent["acknowledged"],
        "{sent}"
    );
    assert_eq!(
        (number(&sent, "refused"), number(&sent, "unanswered")),
        (0, 0),
        "{sent}"
    );
    cli.read_all_and_drain();
    assert!(cli.ok(&["verify"]).contains("OK"));
    let status = cli.json(&["status"]);
    let n = |name: &str| number(&status["summary"], name);
    let letters = cli.json(&["dlq", "list", "--limit", "10000"]);
    let mut dead: BTreeMap<(String, String), u64> = BTreeMap::new();
    for letter in letters["dead_letters"].as_array().into_iter().flatten() {
        let word = |name: &str| letter[name].as_str().expect("a word").to_owned();
        *dead.entry((word("stage"), word("code"))).or_default() += 1;
    }
    let of_validate: u64 = dead
        .iter()
        .filter(|((stage, _), _)| stage == "validate")
        .map(|(_, n)| n)
        .sum();
    assert_eq!(
        n("taken_in"),
        n("accepted") + n("rejected") + n("repeated") + of_validate,
        "{status}"
    );
    assert_eq!(n("accepted"), n("confirmed") + n("failed"), "{status}");
    assert!(n("repeated") > 0, "{status}");
    let mut found = codes(&cli, &["payment.rejected", "payment.failed", "account.results"]);
    found.extend(dead.into_keys().map(|(_, code)| code));
    for kind in kinds.iter().filter(|kind| **kind != "repeated") {
        assert!(found.iter().any(|code| code == kind), "no {kind} in {found:?}");
    }
    server.stop();
}

/// The codes on these topics.
fn codes(cli: &Cli, topics: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for topic in topics {
        for line in cli.ok(&["consume", topic, "-o", "json"]).lines() {
            let record: Value = serde_json::from_str(line).expect("a line of JSON");
            let value: Value = serde_json::from_str(record["value"].as_str().expect("a text")).expect("JSON");
            found.push(value["code"].as_str().expect("a code").to_owned());
        }
    }
    found
}

#[test]
fn a_csv_file_is_replayed_and_its_bad_lines_are_told_by_number() {
    let (dir, server) = payments();
    let cli = server.cli();
    let at = now();
    let mut rows = vec!["id,from,to,amount,currency,at,reference,metadata:json".to_owned()];
    rows.extend((2..=40).map(|line| match line {
        10 => format!("{line},funding-EUR,acct-{line},many,EUR,{at},,"),
        20 => format!("{line},funding-EUR,acct-{line},7,EUR"),
        30 => format!(",funding-EUR,acct-{line},7,EUR,{at},,"),
        _ => format!("{line},funding-EUR,acct-{line},7,EUR,{at},\"a, \"\"b\"\"\",\"{{\"\"n\"\":1}}\""),
    }));
    let file = write(dir.path(), "payments.csv", &rows.join("\n"));
    let replay = [
        "generate",
        "--file",
        &file,
        "--topic",
        "payment.incoming",
        "--rate",
        "500",
        "-o",
        "json",
    ];
    let output = cli.run(&replay);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let sent: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(
        (
            number(&sent, "acknowledged"),
            number(&sent, "bad_lines"),
            number(&sent, "refused")
        ),
        (36, 3, 0),
        "{sent}"
    );
    assert_eq!(sent["topic"], "payment.incoming", "{sent}");
    for bad in ["line 10: amount", "line 20: it has 5 cells", "line 30: it has no key"] {
        assert!(said.contains(bad), "no {bad:?} in {said}");
    }
    cli.read_all_and_drain();
    assert_eq!(cli.view(&["confirmed"])["count"], 36);
    let consumed = cli.ok(&["consume", "payment.incoming", "-o", "json"]);
    let first: Value = serde_json::from_str(consumed.lines().next().expect("a record")).expect("JSON");
    let value: Value = serde_json::from_str(first["value"].as_str().expect("a text")).expect("JSON");
    assert!(value["id"].is_string() && value["amount"] == 7, "{value}");
    assert_eq!(value["reference"], "a, \"b\"", "{value}");
    assert_eq!(value["id"], first["key"], "the manifest's key field is the key");

    let said = cli.fails(&[&replay[..], &["--strict"]].concat(), 4);
    assert!(said.contains("F0301") && said.contains("line 10"), "{said}");
    server.stop();
}

#[test]
fn lines_from_a_pipe_are_replayed_and_what_intake_refuses_goes_alone() {
    let (_dir, server) = payments();
    let cli = server.cli();
    let mut lines: Vec<String> = (0..30)
        .map(|n| payment(&format!("p-{n}"), "acct-1").to_string())
        .collect();
    lines.insert(7, "{\"id\": \"cut".to_owned());
    lines.insert(11, payment(&"k".repeat(5_000), "acct-1").to_string());
    let args = [
        "generate",
        "--file",
        "-",
        "--topic",
        "payment.incoming",
        "--rate",
        "0",
        "-o",
        "json",
    ];
    let sent: Value = serde_json::from_str(&cli.fed(&args, &lines.join("\n"))).expect("one JSON object");
    assert_eq!(
        (
            number(&sent, "acknowledged"),
            number(&sent, "refused"),
            number(&sent, "bad_lines")
        ),
        (30, 1, 1),
        "{sent}"
    );
    cli.read_all_and_drain();
    assert_eq!(cli.view(&["confirmed"])["count"], 30);
    let said = cli.fed_fails(&[&args[..], &["--strict"]].concat(), &lines[9..].join("\n"), 4);
    assert!(said.contains("line 3") && said.contains("limit"), "{said}");

    let said = cli.fed_fails(&["generate", "--file", "-"], "{}", 2);
    assert!(
        said.contains("payment.incoming") && said.contains("account.commands"),
        "two heads: {said}"
    );
    cli.fed_fails(&["generate", "--file", "-", "--topic", "payment.accepted"], "{}", 3);
    cli.fails(
        &[
            "generate",
            "--file",
            "/there/is/no/such.jsonl",
            "--topic",
            "payment.incoming",
        ],
        3,
    );
    cli.fails(&["generate", "--file", "notes.txt", "--topic", "payment.incoming"], 2);
    server.stop();
}

#[test]
fn ctrl_c_ends_with_the_summary() {
    let (_dir, server) = payments();
    let cli = server.cli();
    let args = [
        "generate",
        "--rate",
        "200",
        "--config",
        r#"{"accounts": 20}"#,
        "-o",
        "json",
    ];
    let load = cli.background(&args);
    until("some payments are confirmed", PATIENCE, || {
        let count = cli.view(&["confirmed"])["count"].as_u64();
        if count > Some(60) { Ok(()) } else { Err(count) }
    });
    let output = load.interrupt();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sent: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(
        (&sent["interrupted"], &sent["setup"]),
        (&Value::Bool(true), &20.into()),
        "{sent}"
    );
    assert!(number(&sent, "acknowledged") > 0 && sent["unanswered"] == 0, "{sent}");
    let latency = &sent["latency_micros"];
    assert!(
        number(latency, "p50") <= number(latency, "p99") && number(latency, "p99") <= number(latency, "max"),
        "{sent}"
    );
    cli.read_all_and_drain();
    let confirmed = number(&cli.view(&["confirmed"]), "count");
    assert_eq!(confirmed, number(&sent, "setup") + number(&sent, "acknowledged"));
    server.stop();
}

/// A pipe that stays open without a line: Ctrl-C is heard all the same.
#[test]
fn a_silent_pipe_does_not_hold_up_the_end() {
    let (dir, server) = payments();
    let cli = server.cli();
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is on every machine").success());
    let path = pipe.to_str().expect("a path of text");
    let format = ["--format", "jsonl", "--topic", "payment.incoming"];
    let load = cli.background(&[&["generate", "--file", path, "-o", "json"], &format[..]].concat());
    let mut writer = std::fs::OpenOptions::new()
        .write(true)
        .open(&pipe)
        .expect("a reader has come");
    let line = format!("{}\n", payment("p-1", "acct-1"));
    std::io::Write::write_all(&mut writer, line.as_bytes()).expect("the pipe takes a line");
    until("the line has gone through", PATIENCE, || {
        let count = cli.view(&["confirmed"])["count"].as_u64();
        if count == Some(1) { Ok(()) } else { Err(count) }
    });
    let output = load.interrupt();
    drop(writer);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sent: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(
        (number(&sent, "acknowledged"), &sent["interrupted"]),
        (1, &Value::Bool(true)),
        "{sent}"
    );
    server.stop();
}

#[test]
fn a_server_that_goes_away_leaves_a_summary_and_an_error() {
    let (_dir, server) = payments();
    let cli = server.cli();
    let load = cli.background(&[
        "generate",
        "--rate",
        "200",
        "--config",
        r#"{"accounts": 20}"#,
        "-o",
        "json",
    ]);
    until("payments are confirmed", PATIENCE, || {
        let count = cli.view(&["confirmed"])["count"].as_u64();
        if count > Some(60) { Ok(()) } else { Err(count) }
    });
    server.kill();
    let output = load.finish();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("F0705"), "{said}");
    let sent: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let parts = number(&sent, "acknowledged") + number(&sent, "refused") + number(&sent, "unanswered");
    assert_eq!(number(&sent, "sent"), parts, "{sent}");
}
