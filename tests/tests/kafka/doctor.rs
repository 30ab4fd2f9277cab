//! `fermata doctor` on a real cluster: every line ok, or what was found and what to do.

use super::site::{Check, Site, at, bad};
use super::topics::follow;
use fermata_tests::harness::{PATIENCE, until};
use fermata_tests::kafka::{Cluster, ClusterOptions, GUEST, Tool, local, shared};

fn line<'a>(checks: &'a [Check], what: &str) -> &'a Check {
    let found = checks.iter().find(|c| c.what == what);
    found.unwrap_or_else(|| panic!("nothing is said of {what}: {checks:#?}"))
}

#[test]
fn a_sound_site_is_told_so_before_and_after_its_topics_are_made() {
    let site = Site::on(shared().bootstrap());
    let before = site.doctor(0);
    assert_eq!(line(&before, "missing topics").standing, "ok", "{before:#?}");
    site.exits(&["topics", "create"], 0);
    let after = site.doctor(0);
    assert!(bad(&after).is_empty(), "{after:#?}");
    for what in [
        "installation",
        "data folder",
        "disk",
        "brokers",
        "addresses",
        "group",
        "right to see settings",
        "right to read",
        "right to write",
        "right to the group",
        "transactional ids",
        "transactions",
        "clock",
        "sizes",
    ] {
        assert!(
            ["ok", "warning"].contains(&&*line(&after, what).standing),
            "{what}: {after:#?}"
        );
    }
    let said = &line(&after, "brokers").found;
    assert!(said.contains("Apache Kafka"), "{said}");
    for topic in ["-orders.new", "-dough", "-bread", ".journal", ".dlq", ".changelog"] {
        assert_eq!(line(&after, &format!("topic {}", site.topic(topic))).standing, "ok");
    }
}

/// Whoever reads uncommitted records of a topic sees nothing of a doctor either.
#[test]
fn nothing_is_written_that_others_read() {
    let kafka = local();
    let site = Site::on(kafka.bootstrap());
    site.exits(&["topics", "create"], 0);
    site.exits(&["doctor"], 0);
    site.exits(&["doctor"], 0);
    for topic in [
        "-orders.new",
        "-dough",
        "-bread",
        ".control",
        ".status",
        ".journal",
        ".dlq",
    ] {
        let name = site.topic(topic);
        let args = [
            "--topic",
            &name,
            "--from-beginning",
            "--isolation-level",
            "read_uncommitted",
            "--timeout-ms",
            "3000",
        ];
        let output = kafka.console_output(Tool::ConsoleConsumer, &args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("Processed a total of 0 messages"), "{name}: {said}");
    }
    // What it did write, it wrote where nobody else looks.
    let probe = site.topic(".doctor");
    let args = [
        "--topic",
        &probe,
        "--from-beginning",
        "--max-messages",
        "2",
        "--timeout-ms",
        "60000",
    ];
    let output = kafka.console_output(Tool::ConsoleConsumer, &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Processed a total of 2 messages"), "{said}");
}

/// As somebody who may do nothing until it is granted.
fn as_guest(kafka: &Cluster) -> Site {
    let site = Site::on(kafka.bootstrap());
    site.exits(&["topics", "create"], 0);
    site.install(&guest(kafka, GUEST.password), "");
    site
}

fn guest(kafka: &Cluster, password: &str) -> String {
    format!(
        "{}\n\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"{}\"\n\
         \"sasl.password\" = \"{password}\"",
        at(&kafka.sasl()),
        GUEST.name
    )
}

/// A broker takes a moment to know what was granted.
fn eventually(site: &Site, what: &str, sound: impl Fn(&[Check]) -> bool) -> Vec<Check> {
    until(what, PATIENCE, || {
        let checks = site.found();
        if sound(&checks) { Ok(checks) } else { Err(checks) }
    })
}

#[test]
fn exactly_the_rights_that_are_printed_are_needed() {
    let kafka = Cluster::start(1);
    let site = as_guest(&kafka);
    let none = site.doctor(1);
    let hidden = line(&none, "right to describe");
    assert!(hidden.remedy.contains("fermata topics acls"), "{hidden:?}");
    assert_eq!(line(&none, "transactions").standing, "bad", "{none:#?}");
    let acls = site.exits(&["topics", "acls"], 0);
    follow(&kafka, &acls);
    eventually(&site, "what was printed is enough", |checks| bad(checks).is_empty());
    // And nothing of it is too much: each right that is taken away is missed, and named.
    let dlq = site.topic(".dlq");
    let ticks = site.topic(".ticks");
    let group = format!("fermata.{}", site.name);
    let ids = format!("{group}.");
    let user = format!("User:{}", GUEST.name);
    for (resource, name, operation, what, names) in [
        ("--topic", &dlq, "Read", "right to read", &dlq),
        ("--topic", &ticks, "Write", "right to write", &ticks),
        ("--topic", &dlq, "DescribeConfigs", "right to see settings", &dlq),
        ("--group", &group, "Read", "right to the group", &group),
        ("--transactional-id", &ids, "Write", "transactions", &group),
    ] {
        let pattern = if resource == "--transactional-id" {
            "prefixed"
        } else {
            "literal"
        };
        let right = [
            resource,
            name,
            "--operation",
            operation,
            "--resource-pattern-type",
            pattern,
        ];
        let removing = ["--remove", "--force", "--allow-principal", &user];
        kafka.console(Tool::Acls, &[&removing[..], &right].concat());
        let named = |checks: &[Check]| {
            let bad = bad(checks);
            bad.iter()
                .any(|c| c.what == what && c.found.contains(names.as_str()) && c.remedy.contains("topics acls"))
        };
        eventually(&site, &format!("{operation} on {name} is missed"), named);
        let adding = ["--add", "--allow-principal", &user];
        kafka.console(Tool::Acls, &[&adding[..], &right].concat());
        eventually(&site, "it is enough again", |checks| bad(checks).is_empty());
    }
}

#[test]
fn a_wrong_password_is_told_at_once() {
    let kafka = local();
    let site = Site::on(kafka.bootstrap());
    site.install(&guest(kafka, "wrong"), "");
    let checks = site.doctor(1);
    let brokers = line(&checks, "brokers");
    assert_eq!(brokers.standing, "bad");
    assert!(
        brokers.found.contains("refuses") && brokers.remedy.contains("sasl.password"),
        "{brokers:?}"
    );
    assert!(
        !format!("{checks:?}").contains("wrong"),
        "the password is shown: {checks:#?}"
    );
}

#[test]
fn without_a_broker_the_rest_is_said_all_the_same() {
    let site = Site::on("127.0.0.1:1");
    std::fs::write(site.data(), "").expect("the folder can be written to");
    let out = site.exits(&["doctor", "--timeout", "2s"], 1);
    assert!(out.contains("✗ data folder") && out.contains("✗ brokers"), "{out}");
    assert!(
        out.contains("✓ disk") || out.contains("! disk") || out.contains("✗ disk"),
        "{out}"
    );
    assert!(
        out.contains("- topics, rights, transactions, clock: no broker answered"),
        "{out}"
    );
}

#[test]
fn a_broker_that_is_away_is_named() {
    let kafka = Cluster::start_with(&ClusterOptions::new(3));
    let site = Site::new(&at(kafka.bootstrap()), "");
    site.exits(&["topics", "create"], 0);
    let sound = site.doctor(0);
    assert_eq!(line(&sound, "copies").standing, "ok", "{sound:#?}");
    // Metadata names it for a while: SIGSTOP leaves its port open, SIGKILL does not.
    kafka.kill(3);
    let lost = eventually(&site, "it is named or forgotten", |checks| {
        let addresses = checks.iter().find(|c| c.what == "addresses");
        addresses.is_some_and(|c| c.standing == "bad" || c.found.split(", ").count() == 2)
    });
    assert!(
        !bad(&lost).iter().any(|c| c.what == "transactions"),
        "two of three are enough: {lost:#?}"
    );
}

#[test]
fn topics_that_may_not_be_made_are_said_to_be_missing() {
    let site = Site::new(&at(local().bootstrap()), "topics = { create = \"verify\" }");
    let checks = site.doctor(1);
    let missing = line(&checks, "missing topics");
    assert_eq!(missing.standing, "bad");
    assert!(missing.found.contains(&site.topic(".journal")), "{missing:?}");
    assert!(missing.remedy.contains("fermata topics create"), "{missing:?}");
}

#[test]
fn one_that_differs_makes_the_doctor_unhappy() {
    let kafka = local();
    let site = Site::on(kafka.bootstrap());
    site.exits(&["topics", "create"], 0);
    let name = site.topic(".journal");
    let entity = ["--alter", "--entity-type", "topics", "--entity-name", &name];
    kafka.console(
        Tool::Configs,
        &[&entity[..], &["--add-config", "cleanup.policy=delete"]].concat(),
    );
    let checks = site.doctor(1);
    let journal = line(&checks, &format!("topic {name}"));
    assert!(
        journal.found.contains("cleanup.policy is delete, wanted compact"),
        "{journal:?}"
    );
    assert!(
        journal.remedy.contains("--add-config cleanup.policy=compact"),
        "{journal:?}"
    );
}
