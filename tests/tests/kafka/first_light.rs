//! `fermata run --config` on a fresh broker: everything that it does on the embedded log, and what a user of Kafka sees.

use fermata_tests::harness::{Cli, PATIENCE, free_port, get, until};
use fermata_tests::kafka::{Scene, Tool, shared};
use serde_json::Value;

const PAYMENTS: &str = "2000";
const RATE: u32 = 100;
const SHARDS: u64 = 4;

#[test]
fn a_fresh_broker_carries_the_payments_through_a_swap_and_a_kill() {
    let scene = Scene::new("light", shared().bootstrap());
    let node = scene.node("a");
    let server = node.start();
    topics_are_made(&scene);

    let witness = scene.witness();
    let load = scene.load("pay", RATE);
    witness.more(100);
    swapped(&server.cli(), "1.1.0");
    witness.more(100);
    server.kill();
    let server = node.start();
    let cli = server.cli();
    witness.more(100);
    println!("swap and SIGKILL: {}", scene.settle(load, &witness, &cli));
    verified(&cli, "receipts");

    cli.ok(&["resume", "--wait"]);
    let before = figure(&cli, "taken_in");
    cli.ok(&["generate", "--backlog", PAYMENTS]);
    cli.read_all_and_drain();
    assert!(figure(&cli, "taken_in") - before >= 2_000);
    assert_eq!(
        figure(&cli, "accepted"),
        figure(&cli, "confirmed") + figure(&cli, "failed"),
        "what was accepted has ended"
    );
    verified(&cli, "records");
    what_a_user_of_kafka_sees(&scene, figure(&cli, "confirmed"));

    // A pause outlives the process.
    server.stop();
    let server = node.start();
    let status = server.cli().json(&["status"]);
    assert_eq!(status["state"], "Drained", "{status}");
    assert_eq!(server.cli().view(&["inflight"])["count"], 0);
    server.stop();
    verified_from_the_topics_alone(&scene);
}

/// Nobody runs, and the folder of nobody is looked at.
fn verified_from_the_topics_alone(scene: &Scene) {
    let [config, manifest] = [scene.manifest().with_file_name("a.toml"), scene.manifest()];
    let [config, manifest] = [config, manifest].map(|path| path.display().to_string());
    let report = Cli::nowhere().json(&["verify", "--config", &config, "--file", &manifest, "--replay"]);
    assert_eq!(report["ok"], true, "{report:#}");
    let figures = &report["figures"];
    assert!(figures["replayed"].as_u64().is_some_and(|n| n > 2_000), "{report:#}");
    let limited = report["limited"].to_string();
    assert!(
        limited.contains("ledger"),
        "invariants that need a view are named: {limited}"
    );
}

fn swapped(cli: &Cli, version: &str) {
    let component = format!("builtin:account@{version}");
    let args = [
        "deploy",
        "account",
        &component,
        "--probation",
        "200ms",
        "--wait",
        "--timeout",
        "120s",
    ];
    let done = cli.json(&args);
    assert_eq!(done["deployment"]["state"], "Promoted", "{done}");
    let receipts = done["receipts"].as_array().expect("a list").len();
    assert_eq!(receipts as u64, SHARDS, "one a shard: {done}");
}

fn figure(cli: &Cli, name: &str) -> u64 {
    until(&format!("{name} is counted"), PATIENCE, || {
        let status = cli.json(&["status"]);
        status["summary"][name].as_u64().ok_or(status)
    })
}

/// The books agree, and there was something in them.
fn verified(cli: &Cli, figure: &str) {
    let report = cli.json(&["verify"]);
    assert_eq!(report["ok"], true, "{report:#}");
    assert!(report["figures"][figure].as_u64().is_some_and(|n| n > 0), "{report:#}");
}

fn topics_are_made(scene: &Scene) {
    for (topic, kept) in [
        (scene.topic("payment.incoming"), "cleanup.policy=delete"),
        (scene.topic("changelog"), "cleanup.policy=compact"),
        (scene.topic("journal"), "cleanup.policy=compact"),
        (scene.topic("dlq"), "retention.ms=-1"),
    ] {
        let told = shared().console(Tool::Topics, &["--describe", "--topic", &topic]);
        assert!(told.contains("PartitionCount: 4") && told.contains(kept), "{told}");
    }
}

fn what_a_user_of_kafka_sees(scene: &Scene, confirmed: u64) {
    let topic = scene.topic("payment.confirmed");
    let most = confirmed.to_string();
    let read = shared().console(
        Tool::ConsoleConsumer,
        &[
            "--topic",
            &topic,
            "--from-beginning",
            "--isolation-level",
            "read_committed",
            "--max-messages",
            &most,
        ],
    );
    let payments = read.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok());
    assert_eq!(payments.count() as u64, confirmed, "each a JSON text");

    let group = shared().console(Tool::ConsumerGroups, &["--describe", "--group", &scene.group()]);
    let head = scene.topic("payment.incoming");
    let rows: Vec<Vec<&str>> = group
        .lines()
        .filter(|line| line.contains(&head))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len() as u64, SHARDS, "{group}");
    for row in rows {
        // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ...
        let number = |at: usize| row[at].parse::<u64>().unwrap_or_else(|_| panic!("{row:?}"));
        // Nothing is left but the marker of the last transaction.
        assert!(number(3) > 0 && number(5) <= 1, "{group}");
    }
}

#[test]
fn without_a_broker_it_waits_and_says_so_and_gives_up_when_told() {
    let scene = Scene::new("nobody", &format!("127.0.0.1:{}", free_port()));
    let server = scene.node("a").spawn();
    until("readiness says why", PATIENCE, || match get(&server.url("/readyz")) {
        Ok(answer) if answer.status == 503 && answer.body["code"] == "F0504" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(get(&server.url("/livez")).map(|a| a.status).ok(), Some(200));
    assert!(server.said("F0504 the log cannot be reached"), "{}", server.stderr());
    // Whoever ends it is not told that it failed.
    server.stop();

    let path = |path: &std::path::Path| path.display().to_string();
    let (config, data) = (path(&scene.manifest().with_file_name("a.toml")), path(&scene.data("b")));
    let manifest = path(&scene.manifest());
    let args = [
        "run",
        "--config",
        &config,
        "--data-dir",
        &data,
        "--listen",
        "127.0.0.1:0",
        "--timeout",
        "1s",
        &manifest,
    ];
    let told = Cli::nowhere().fails(&args, 5);
    assert!(told.contains("F0504") && told.contains("bootstrap.servers"), "{told}");
    let told = Cli::nowhere().fails(&["verify", "--config", &config, "--file", &manifest], 5);
    assert!(told.contains("F0504") && told.contains("bootstrap.servers"), "{told}");
}

#[test]
fn a_wrong_installation_is_refused_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = folder.path().join("fermata.toml");
    std::fs::write(
        &config,
        "log.kind = \"kafka\"\nkafca = { \"bootstrap.servers\" = \"x:1\" }\n",
    )
    .expect("it can be written");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/payments/pipeline.toml");
    let told = Cli::nowhere().fails(&["run", "--config", &config.display().to_string(), manifest], 4);
    assert!(
        told.contains("fermata.toml:2:1") && told.contains("did you mean \"kafka\""),
        "{told}"
    );
}
