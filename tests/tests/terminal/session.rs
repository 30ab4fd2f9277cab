//! Status, views, pause and drain, deploy and roll back, the books.

use super::{PATIENCE, SMALL, confirmed, flows, load, payments};
use fermata_tests::harness::{Cli, Server, ServerSpec, until};
use serde_json::Value;

fn count(status: &Value, name: &str) -> u64 {
    status["summary"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {status}"))
}

fn sums_agree(status: &Value) {
    let n = |name| count(status, name);
    let dead = status["dead_letters"].as_u64().expect("a count");
    assert_eq!(
        n("taken_in"),
        n("accepted") + n("rejected") + n("repeated") + dead,
        "{status}"
    );
    assert_eq!(n("accepted"), n("confirmed") + n("failed"), "{status}");
}

#[test]
fn status_and_views_answer_under_load() {
    let (_dir, server) = payments();
    let cli = server.cli();
    let _load = load(&cli);
    let table = cli.ok(&["status"]);
    assert!(table.starts_with("payments  Running  4/4 shards"), "{table}");
    for stage in ["validate", "inflight", "account", "confirm"] {
        assert!(
            table.lines().any(|l| l.starts_with(stage) && l.contains("1.0.0")),
            "no {stage} 1.0.0 in {table}"
        );
    }
    let status = cli.json(&["status"]);
    assert_eq!(status["schema"], "fermata.status/1");
    assert_eq!(status["state"], "Running");
    assert_eq!(status["shards"]["held"], status["shards"]["all"]);
    assert_eq!(status["stages"].as_array().map(Vec::len), Some(4), "{status}");
    let views = cli.ok(&["view", "list"]);
    let listed = cli.json(&["view", "list"]);
    let names: Vec<&str> = listed["views"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|v| v["view"].as_str())
        .collect();
    for view in [
        "rejections",
        "inflight",
        "payment",
        "account",
        "accounts",
        "ledger",
        "confirmed",
        "throughput",
    ] {
        assert!(
            views.contains(view) && names.contains(&view),
            "no view {view} in {views} or {names:?}"
        );
    }
    let inflight = cli.json(&["view", "get", "inflight"]);
    assert!(inflight["data"]["count"].is_u64(), "{inflight}");
    assert_eq!(inflight["partial"], false, "{inflight}");
    assert_eq!(
        inflight["positions"].as_object().map(serde_json::Map::len),
        Some(4),
        "{inflight}"
    );
    assert_eq!(cli.view(&["ledger"])["EUR"], 0);
    let account = cli.json(&["view", "get", "account", "acct-0"]);
    assert_eq!(account["data"]["id"], "acct-0", "{account}");
    assert_eq!(
        account["positions"].as_object().map(serde_json::Map::len),
        Some(1),
        "one shard answers: {account}"
    );
    let page = cli.view(&["accounts", "--param", "limit=3", "--param", "sort=balance"]);
    assert_eq!(page["accounts"].as_array().map(Vec::len), Some(3), "{page}");
    let metrics = server.get("/metrics");
    assert!(metrics.text.contains("fermata_"), "{}", metrics.text);
}

#[test]
fn pause_drain_and_resume() {
    let (_dir, server) = payments();
    let cli = server.cli();
    let mut load = load(&cli);
    cli.ok(&["pause", "--reason", "first look"]);
    let paused = cli.json(&["status"]);
    assert_eq!(paused["paused"]["reason"], "first look", "{paused}");
    cli.ok(&["drain", "--wait", "--timeout", "60s"]);
    let drained = cli.json(&["status"]);
    assert_eq!(drained["state"], "Drained", "{drained}");
    assert_eq!(drained["in_flight"], 0, "{drained}");
    sums_agree(&drained);
    // The load goes on at the head, and nothing of it comes in.
    until("records wait at the head", PATIENCE, || {
        let lag = cli.json(&["status"])["lag"].as_u64();
        if lag > Some(500) { Ok(()) } else { Err(lag) }
    });
    assert_eq!(confirmed(&cli), count(&drained, "confirmed"), "intake is closed");
    cli.ok(&["resume"]);
    flows(&cli, 500, &mut load);
    assert_eq!(cli.json(&["status"])["state"], "Running");
}

/// What the receipts of a deployment must say; answers the digests that it moved between.
fn check_receipts(cli: &Cli, number: &str) -> (String, String) {
    let table = cli.ok(&["receipts", number]);
    assert_eq!(table.lines().count(), 5, "a head and a line for each shard: {table}");
    let found = cli.json(&["receipts", number]);
    let receipts = found["receipts"].as_array().expect("a list");
    assert_eq!(receipts.len(), 4, "{found}");
    let digest = |side: &str| receipts[0][side]["digest"].as_str().expect("a digest").to_owned();
    for receipt in receipts {
        assert_ne!(receipt["old"], receipt["new"], "{receipt}");
        assert_eq!(
            (receipt["old"]["digest"].as_str(), receipt["new"]["digest"].as_str()),
            (Some(&*digest("old")), Some(&*digest("new")))
        );
        assert!(receipt["positions"]["payment.inflight"].is_u64(), "{receipt}");
        assert!(receipt["pause_micros"].is_u64(), "{receipt}");
    }
    (digest("old"), digest("new"))
}

#[test]
fn deploy_and_roll_back_under_load() {
    let (dir, server) = payments();
    let cli = server.cli();
    let mut load = load(&cli);
    let movements = || cli.view(&["account", "acct-0"])["movements"].clone();
    assert_eq!(movements(), Value::Null);
    let deploy = [
        "deploy",
        "account",
        "builtin:account@1.1.0",
        "--probation",
        "500ms",
        "--wait",
    ];
    let done = cli.json(&deploy);
    assert_eq!(done["deployment"]["state"], "Promoted", "{done}");
    assert_eq!(done["deployment"]["id"], "dep/1", "{done}");
    assert!(movements().is_u64(), "1.1.0 answers with a new field: {}", movements());
    let (old, new) = check_receipts(&cli, "dep/1");
    let status = cli.json(&["status"]);
    let account = status["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|s| s["stage"] == "account");
    let account = account.unwrap_or_else(|| panic!("no account in {status}"));
    assert_eq!(
        (account["version"].as_str(), account["digest"].as_str()),
        (Some("1.1.0"), Some(&*new))
    );
    flows(&cli, 200, &mut load);

    cli.ok(&["rollback", "account", "--wait", "--reason", "a test"]);
    assert_eq!(movements(), Value::Null, "1.0.0 answers again");
    assert_eq!(check_receipts(&cli, "2"), (new, old), "the way back");
    let table = cli.ok(&["deployments"]);
    assert!(
        table.contains("dep/1") && table.contains("dep/2") && table.contains("a test"),
        "{table}"
    );
    let shown = cli.json(&["deployments", "show", "dep/2"]);
    assert_eq!(shown["rolls_back"], 1, "{shown}");
    assert!(cli.ok(&["deployments", "show", "1"]).contains("Probation"));
    flows(&cli, 200, &mut load);

    assert!(cli.ok(&["verify"]).contains("OK"));
    assert_eq!(cli.json(&["verify"])["ok"], true);
    let sent = load.interrupt();
    assert!(
        sent.status.success(),
        "Ctrl-C ends the load in order: {}",
        String::from_utf8_lossy(&sent.stderr)
    );
    cli.ok(&["drain", "--wait", "--timeout", "60s"]);
    sums_agree(&cli.json(&["status"]));
    server.stop();
    let folder = dir.path().to_str().expect("a path of text");
    assert!(Cli::nowhere().ok(&["verify", "--data-dir", folder]).contains("OK"));
    let report = Cli::nowhere().json(&["verify", "--data-dir", folder]);
    assert!(report["figures"]["receipts"].as_u64() >= Some(8), "{report}");
}

#[test]
fn a_restart_keeps_the_pause_and_the_versions() {
    let (dir, server) = payments();
    let cli = server.cli();
    assert!(
        cli.run(&["generate", "--rate", "0", "--count", "200", "--config", SMALL])
            .status
            .success()
    );
    until("all of it is confirmed", PATIENCE, || match confirmed(&cli) {
        240 => Ok(()),
        found => Err(found),
    });
    cli.ok(&[
        "deploy",
        "confirm",
        "builtin:confirm@1.1.0",
        "--probation",
        "100ms",
        "--wait",
    ]);
    cli.ok(&["pause", "--reason", "over night"]);
    server.kill();

    let server = Server::start(&ServerSpec::payments(dir.path()));
    let cli = server.cli();
    let status = cli.json(&["status"]);
    assert_eq!(status["paused"]["reason"], "over night", "{status}");
    assert!(
        cli.view(&["confirmed"])["mean_value_minor"].is_object(),
        "confirm is still 1.1.0"
    );
    assert!(
        cli.run(&[
            "generate",
            "--no-setup",
            "--rate",
            "0",
            "--seed",
            "2",
            "--count",
            "100",
            "--config",
            SMALL
        ])
        .status
        .success()
    );
    cli.ok(&["drain", "--wait", "--timeout", "60s"]);
    let status = cli.json(&["status"]);
    assert_eq!(status["lag"], 100, "what came while paused waits at the head: {status}");
    assert_eq!(count(&status, "taken_in"), 240, "{status}");
    cli.ok(&["resume"]);
    until("what waited is confirmed", PATIENCE, || match confirmed(&cli) {
        340 => Ok(()),
        found => Err(found),
    });
    server.stop();
}
