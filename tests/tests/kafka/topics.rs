//! `fermata topics plan`, `create` and `acls` on a real cluster.

use super::site::{Site, at};
use fermata_tests::harness::Cli;
use fermata_tests::kafka::{Cluster, Tool, local, shared};

/// Runs what `topics plan -o kafka-topics` or `topics acls` printed.
pub fn follow(kafka: &Cluster, script: &str) {
    for line in script.lines().filter(|l| !l.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().map(|w| w.trim_matches('\'')).collect();
        let (program, args) = words.split_first().expect("a line of a script has words");
        let tool = match *program {
            "kafka-topics.sh" => Tool::Topics,
            "kafka-configs.sh" => Tool::Configs,
            "kafka-acls.sh" => Tool::Acls,
            other => panic!("{other} is no tool of Kafka's: {line}"),
        };
        // Where the brokers are, the tests know themselves.
        let [_, _, args @ ..] = args else { panic!("{line}") };
        kafka.console(tool, args);
    }
}

#[test]
fn what_is_planned_is_made_and_then_nothing_differs() {
    let site = Site::on(shared().bootstrap());
    let before = site.states(0);
    assert!(before.iter().all(|(_, state)| state == "missing"), "{before:?}");
    let dry = site.json(&["topics", "create", "--dry-run"], 0);
    assert!(
        dry["topics"].as_array().is_some_and(|t| t.len() == before.len()),
        "{dry}"
    );
    assert!(
        site.states(0).iter().all(|(_, state)| state == "missing"),
        "a dry run makes nothing"
    );
    site.exits(&["topics", "create"], 0);
    let after = site.states(0);
    assert!(after.iter().all(|(_, state)| state == "same"), "{after:?}");
    // Again: there is nothing left to do.
    let again = site.json(&["topics", "create"], 0);
    assert_eq!(again["topics"], serde_json::json!([]));
}

#[test]
fn those_who_may_make_topics_can_follow_the_plan_with_kafkas_own_tools() {
    let kafka = local();
    let site = Site::new(
        &at(kafka.bootstrap()),
        "topics = { replication-factor = 1, retention = { dlq = \"30d\" } }",
    );
    follow(kafka, &site.exits(&["topics", "plan", "-o", "kafka-topics"], 0));
    let states = site.states(0);
    assert!(states.iter().all(|(_, state)| state == "same"), "{states:?}");
    let seen = kafka.console(Tool::Topics, &["--describe", "--topic", &site.topic(".dlq")]);
    assert!(
        seen.contains("PartitionCount: 3") && seen.contains("retention.ms=2592000000"),
        "{seen}"
    );
    // Without a broker in reach the same lines come.
    site.install(
        &at("127.0.0.1:1"),
        "topics = { replication-factor = 1, retention = { dlq = \"30d\" } }",
    );
    let offline = site.exits(&["topics", "plan", "--offline", "-o", "kafka-topics"], 0);
    assert_eq!(
        offline.lines().filter(|l| l.contains("--create")).count(),
        states.len(),
        "{offline}"
    );
}

#[test]
fn what_would_lose_records_is_told_and_its_remedy_mends_it() {
    let kafka = local();
    let site = Site::on(kafka.bootstrap());
    site.exits(&["topics", "create"], 0);
    let alter = |topic: &str, config: &str| {
        let name = site.topic(topic);
        let entity = ["--alter", "--entity-type", "topics", "--entity-name", &name];
        kafka.console(Tool::Configs, &[&entity[..], &["--add-config", config]].concat());
    };
    for (topic, config) in [
        ("-orders.new", "cleanup.policy=compact"),
        (".status", "cleanup.policy=compact"),
        (".journal", "cleanup.policy=delete"),
        (".control", "retention.ms=3600000"),
        (".changelog", "delete.retention.ms=1000"),
        // The largest input is larger than a dead letter may be.
        ("-dough", "max.message.bytes=4000000"),
    ] {
        alter(topic, config);
    }
    // Theirs to decide.
    alter("-orders.new", "retention.ms=3600000");
    let mut differ: Vec<String> = site
        .states(8)
        .into_iter()
        .filter(|(_, s)| s == "differs")
        .map(|(t, _)| t)
        .collect();
    differ.sort();
    let expected = ["-orders.new", ".changelog", ".control", ".dlq", ".journal", ".status"];
    assert_eq!(differ, expected);
    // Making what is missing changes nothing that is there.
    site.exits(&["topics", "create"], 8);
    follow(kafka, &site.exits(&["topics", "plan", "-o", "kafka-topics"], 8));
    let mended = site.states(0);
    assert!(mended.iter().all(|(_, state)| state == "same"), "{mended:?}");
}

#[test]
fn another_partition_count_is_told_and_not_mended() {
    let kafka = local();
    let site = Site::on(kafka.bootstrap());
    let orders = site.topic("-orders.new");
    kafka.console(Tool::Topics, &["--create", "--topic", &orders, "--partitions", "7"]);
    let plan = site.exits(&["topics", "plan"], 8);
    assert!(
        plan.contains(&format!("✗ {orders}: partitions is 7, wanted 3")),
        "{plan}"
    );
    let script = site.exits(&["topics", "plan", "-o", "kafka-topics"], 8);
    let about = script.lines().filter(|l| l.contains(&orders) && !l.starts_with('#'));
    assert_eq!(about.count(), 0, "{script}");
}

#[test]
fn more_copies_than_brokers_are_refused_with_the_reason() {
    let site = Site::new(&at(local().bootstrap()), "topics = { replication-factor = 3 }");
    let told = site.fails(&["topics", "create"], 4);
    assert!(
        told.contains("fewer brokers than copies") && told.contains("replication-factor"),
        "{told}"
    );
}

#[test]
fn mistakes_are_told_before_any_broker_is_asked() {
    // Nothing answers there.
    let site = Site::new(&at("127.0.0.1:1"), "topics = { retention = { dql = \"1d\" } }");
    let told = site.fails(&["topics", "plan"], 4);
    assert!(told.contains("dql") && told.contains("did you mean \"dlq\"?"), "{told}");
    let wrong = Site::new("\"bootstrap.servers\" = \"b:1\"\n\"bootstrap.server\" = \"b:1\"", "");
    let told = wrong.fails(&["topics", "plan"], 4);
    assert!(told.contains("bootstrap.server"), "{told}");
    let embedded = Site::on("127.0.0.1:1");
    std::fs::write(embedded.folder().join("fermata.toml"), "log.kind = \"embedded\"").expect("it can be written");
    let told = embedded.fails(&["topics", "create"], 4);
    assert!(told.contains("embedded"), "{told}");
    let told = Cli::nowhere().fails(&["status", "-o", "kafka-topics"], 2);
    assert!(told.contains("topics plan"), "{told}");
}

#[test]
fn brokers_that_do_not_answer_are_an_error_of_their_own() {
    let site = Site::on("127.0.0.1:1");
    let told = site.fails(&["topics", "plan", "--timeout", "3s"], 5);
    assert!(told.contains("bootstrap.servers"), "{told}");
}
