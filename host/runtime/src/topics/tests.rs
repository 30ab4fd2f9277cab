use super::*;
use fermata_core::limits::{MAX_HEADERS, MAX_KEY, MAX_VALUE};
use fermata_core::manifest::{Manifest, parse};
use fermata_core::names::Purpose;
use fermata_core::topics::{
    CLEANUP, COMPACTION_LAG, DELETE_RETENTION, Found, Inventory, MAX_MESSAGE, MIN_IN_SYNC, RETENTION,
};
use std::collections::BTreeMap;
use std::time::Duration;

const TWO_STAGES: &str = r#"
manifest = 1
name = "bakery"
partitions = 6
topics."orders.new" = { head = true }
[stage.knead]
component = "builtin:knead@1.0.0"
in = ["orders.new"]
out = { dough = "bakery.dough" }
[stage.bake]
component = "builtin:bake@1.0.0"
in = ["bakery.dough"]
out = { bread = "bread" }
"#;

fn manifest() -> Manifest {
    parse::parse("pipeline.toml", TWO_STAGES).expect("it is right")
}

fn plan(policy: &TopicPolicy) -> TopicPlan {
    TopicPlan::new(&manifest(), policy).expect("it names topics that are there")
}

fn topic<'a>(plan: &'a TopicPlan, name: &str) -> &'a Planned {
    let found = plan.topics.iter().find(|t| t.name.as_str() == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", plan.names().collect::<Vec<_>>()))
}

fn setting(plan: &TopicPlan, name: &str, setting: &str) -> Option<String> {
    topic(plan, name).settings().get(setting).cloned()
}

/// A cluster that has every topic just as `plan` makes it.
fn as_made(plan: &TopicPlan) -> Inventory {
    let found = |t: &Planned| Found {
        partitions: t.partitions,
        replicas: u32::from(plan.replication_factor.unwrap_or(1)),
        settings: Some(t.settings()),
    };
    plan.topics.iter().map(|t| (t.name.clone(), found(t))).collect()
}

fn change(found: &mut Inventory, topic: &str, setting: &str, value: &str) {
    let found = found.get_mut(topic).expect("it is there");
    let settings = found.settings.as_mut().expect("they are seen");
    settings.insert(setting.to_owned(), value.to_owned());
}

fn differing(plan: &TopicPlan, found: &Inventory) -> Vec<(String, &'static str)> {
    let all = plan.compare(found).into_iter();
    let differing = all.flat_map(|(topic, standing)| match standing {
        Standing::Differs(all) => all.iter().map(|d| (topic.name.to_string(), d.what)).collect(),
        Standing::Missing => vec![(topic.name.to_string(), "missing")],
        Standing::Same => Vec::new(),
    });
    differing.collect()
}

#[test]
fn every_topic_of_a_pipeline_is_there_once_with_its_kind_and_partitions() {
    let plan = plan(&TopicPolicy::default());
    let all: BTreeMap<&str, (Kind, u32)> = plan
        .topics
        .iter()
        .map(|t| (t.name.as_str(), (t.kind, t.partitions)))
        .collect();
    assert_eq!(
        all.len(),
        plan.topics.len(),
        "twice: {:?}",
        plan.names().collect::<Vec<_>>()
    );
    let own = |purpose, partitions| (Kind::Own(purpose), partitions);
    let expected = [
        ("orders.new", (Kind::Source, 6)),
        ("bakery.dough", (Kind::Internal, 6)),
        ("bread", (Kind::End, 6)),
        ("bakery.control", own(Purpose::Control, 1)),
        ("bakery.status", own(Purpose::Status, 1)),
        ("bakery.journal", own(Purpose::Journal, 6)),
        ("bakery.ticks", own(Purpose::Ticks, 6)),
        ("bakery.dlq", own(Purpose::DeadLetters, 6)),
        ("bakery.nodes", own(Purpose::Nodes, 1)),
        ("bakery.artifacts", own(Purpose::Artifacts, 1)),
        ("bakery.changelog", (Kind::Changelog, 6)),
        ("bakery.doctor", (Kind::Probe, 1)),
    ];
    assert_eq!(all, BTreeMap::from(expected));
    let needed: Vec<_> = plan.specs().into_iter().map(|s| s.name.to_string()).collect();
    assert!(!needed.contains(&"bakery.doctor".to_owned()) && needed.len() == plan.topics.len() - 1);
    assert_eq!(needed.len(), plan.settings().len());
}

#[test]
fn what_the_runtime_asks_for_is_in_the_plan() {
    let plan = plan(&TopicPolicy::default());
    for spec in crate::worker::topics(&manifest()) {
        assert!(plan.specs().contains(&spec), "{spec:?}");
    }
}

#[test]
fn each_kind_is_kept_as_it_must_be() {
    let plan = plan(&TopicPolicy::default());
    let week = Duration::from_secs(7 * 86_400).as_millis().to_string();
    for (name, key, value) in [
        ("orders.new", CLEANUP, "delete"),
        ("bakery.dough", CLEANUP, "delete"),
        ("bakery.ticks", CLEANUP, "delete"),
        ("bakery.control", CLEANUP, "delete"),
        ("bakery.control", RETENTION, "-1"),
        // Facts have no keys: compaction would lose them.
        ("bakery.status", CLEANUP, "delete"),
        ("bakery.status", RETENTION, "-1"),
        ("bakery.dlq", CLEANUP, "delete"),
        ("bakery.dlq", RETENTION, "-1"),
        ("bakery.journal", CLEANUP, "compact"),
        ("bakery.journal", COMPACTION_LAG, &week),
        ("bakery.nodes", CLEANUP, "compact"),
        ("bakery.artifacts", CLEANUP, "compact"),
        ("bakery.changelog", CLEANUP, "compact"),
        ("bakery.changelog", DELETE_RETENTION, &week),
    ] {
        assert_eq!(setting(&plan, name, key).as_deref(), Some(value), "{name} {key}");
    }
    assert_eq!(
        setting(&plan, "bakery.dough", MIN_IN_SYNC),
        None,
        "the broker's default holds"
    );
}

#[test]
fn the_largest_record_that_a_stage_may_emit_fits() {
    let plan = plan(&TopicPolicy::default());
    for name in ["orders.new", "bakery.dough", "bread", "bakery.dlq", "bakery.changelog"] {
        let takes: usize = setting(&plan, name, MAX_MESSAGE)
            .expect("it is set")
            .parse()
            .expect("a number");
        assert!(takes > MAX_KEY + MAX_VALUE + MAX_HEADERS, "{name}: {takes}");
    }
}

#[test]
fn dead_letters_and_the_changelog_take_the_largest_input_and_what_is_put_around_it() {
    let plan = plan(&TopicPolicy::default());
    let mut found = as_made(&plan);
    change(&mut found, "orders.new", MAX_MESSAGE, "20000000");
    // What only others read makes nothing larger.
    change(&mut found, "bread", MAX_MESSAGE, "90000000");
    let fitted = plan.fitted(&found);
    for name in ["bakery.dlq", "bakery.changelog"] {
        assert_eq!(
            setting(&fitted, name, MAX_MESSAGE).as_deref(),
            Some("20065536"),
            "{name}"
        );
        assert!(
            differing(&fitted, &found).contains(&(name.to_owned(), MAX_MESSAGE)),
            "{name}"
        );
    }
}

#[test]
fn an_installation_has_its_way() {
    let policy = TopicPolicy {
        replication_factor: Some(3),
        min_insync_replicas: Some(2),
        retention: [("dlq", 30), ("journal", 2), ("orders.new", 1), ("ticks", 3)]
            .map(|(name, days)| (name.to_owned(), Duration::from_secs(days * 86_400)))
            .into(),
    };
    let plan = plan(&policy);
    for (name, key, value) in [
        ("bakery.dlq", RETENTION, "2592000000"),
        ("bakery.journal", COMPACTION_LAG, "172800000"),
        ("orders.new", RETENTION, "86400000"),
        ("bakery.ticks", RETENTION, "259200000"),
        ("bakery.journal", MIN_IN_SYNC, "2"),
    ] {
        assert_eq!(setting(&plan, name, key).as_deref(), Some(value), "{name} {key}");
    }
    assert_eq!(plan.replication_factor, Some(3));
}

#[test]
fn a_retention_of_nothing_is_refused_and_the_nearest_name_told() {
    for (name, near) in [
        ("dql", Some("dlq")),
        ("orders.knew", Some("orders.new")),
        ("control", None),
    ] {
        let policy = TopicPolicy {
            retention: [(name.to_owned(), Duration::from_secs(1))].into(),
            ..TopicPolicy::default()
        };
        let refused = TopicPlan::new(&manifest(), &policy).expect_err(name);
        assert_eq!(refused.name, name);
        if near.is_some() {
            assert_eq!(refused.near.as_deref(), near);
        }
    }
}

#[test]
fn nothing_differs_from_what_was_made() {
    let policy = TopicPolicy {
        replication_factor: Some(3),
        min_insync_replicas: Some(2),
        ..TopicPolicy::default()
    };
    let plan = plan(&policy);
    let found = as_made(&plan);
    assert_eq!(differing(&plan.fitted(&found), &found), []);
}

#[test]
fn what_would_lose_something_differs() {
    let plan = plan(&TopicPolicy::default());
    for (name, key, value) in [
        ("orders.new", CLEANUP, "compact"),
        ("orders.new", CLEANUP, "compact,delete"),
        ("bakery.dough", RETENTION, "3600000"),
        ("bakery.dough", "retention.bytes", "1073741824"),
        ("bakery.status", CLEANUP, "compact"),
        ("bakery.control", RETENTION, "604800000"),
        ("bakery.dlq", RETENTION, "604800000"),
        ("bakery.journal", CLEANUP, "delete"),
        ("bakery.journal", CLEANUP, "compact,delete"),
        ("bakery.changelog", CLEANUP, "delete"),
        ("bakery.changelog", DELETE_RETENTION, "86400000"),
    ] {
        let mut found = as_made(&plan);
        change(&mut found, name, key, value);
        let fitted = plan.clone().fitted(&found);
        assert_eq!(differing(&fitted, &found), [(name.to_owned(), key)], "{value}");
    }
}

#[test]
fn topics_of_others_are_theirs_but_for_what_would_lose_something() {
    let plan = plan(&TopicPolicy {
        replication_factor: Some(3),
        ..TopicPolicy::default()
    });
    let mut found = as_made(&plan);
    change(&mut found, "orders.new", RETENTION, "3600000");
    change(&mut found, "bread", CLEANUP, "compact");
    change(&mut found, "bread", RETENTION, "1000");
    for name in ["orders.new", "bread"] {
        found.get_mut(name).expect("it is there").replicas = 1;
    }
    assert_eq!(differing(&plan.clone().fitted(&found), &found), []);
    // Where an installation says so, it is meant.
    let policy = TopicPolicy {
        retention: [("orders.new".to_owned(), Duration::from_secs(86_400))].into(),
        ..TopicPolicy::default()
    };
    let asked = TopicPlan::new(&manifest(), &policy)
        .expect("it is a topic")
        .fitted(&found);
    assert_eq!(differing(&asked, &found), [("orders.new".to_owned(), RETENTION)]);
}

#[test]
fn partitions_copies_and_absence_are_told() {
    let plan = plan(&TopicPolicy {
        replication_factor: Some(3),
        ..TopicPolicy::default()
    });
    let mut found = as_made(&plan);
    found.get_mut("orders.new").expect("it is there").partitions = 7;
    found.get_mut("bakery.dlq").expect("it is there").replicas = 2;
    found.remove("bread");
    let told = differing(&plan.clone().fitted(&found), &found);
    let expected = [
        ("orders.new", "partitions"),
        ("bread", "missing"),
        ("bakery.dlq", "replicas"),
    ];
    for one in expected {
        assert!(told.contains(&(one.0.to_owned(), one.1)), "{one:?} of {told:?}");
    }
    assert_eq!(told.len(), expected.len());
}

#[test]
fn settings_that_may_not_be_seen_are_not_said_to_differ() {
    let plan = plan(&TopicPolicy::default());
    let mut found = as_made(&plan);
    for topic in found.values_mut() {
        topic.settings = None;
    }
    let fitted = plan.fitted(&found);
    assert_eq!(differing(&fitted, &found), []);
    assert_eq!(fitted.topics.len(), found.len());
}

#[test]
fn a_remedy_names_the_topic_and_the_value() {
    let plan = plan(&TopicPolicy::default());
    let dlq = topic(&plan, "bakery.dlq");
    let difference = Difference {
        what: RETENTION,
        wanted: "-1".into(),
        found: "1".into(),
    };
    let remedy = difference.remedy(dlq, "b:9092");
    assert!(remedy.contains("--bootstrap-server b:9092"), "{remedy}");
    assert!(
        remedy.contains("--entity-name bakery.dlq --add-config retention.ms=-1"),
        "{remedy}"
    );
}
