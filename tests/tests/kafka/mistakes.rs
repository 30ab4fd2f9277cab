//! What the log on Kafka says when brokers, topics or positions are not as they must be: one error, with what to do.

use fermata_core::ports::{Log, LogError, Polled, Session, SessionSpec, TopicSpec};
use fermata_core::{NewRecord, Offset, PipelineName, Shard, Timestamp, TopicName};
use fermata_kafka::{CreateTopics, KafkaLog, KafkaOptions};
use fermata_tests::conformance::kit::wait_for;
use fermata_tests::harness::{PATIENCE, until};
use fermata_tests::kafka::{self, Tool};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

struct Pipeline {
    options: KafkaOptions,
}

impl Pipeline {
    fn new(name: &str) -> Self {
        let name = PipelineName::new(kafka::unique(name)).expect("a valid name");
        let bootstrap = kafka::shared().bootstrap().to_owned();
        let settings = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap)]);
        Self {
            options: KafkaOptions::new(name, "node", settings),
        }
    }
    fn topic(&self, name: &str) -> TopicName {
        TopicName::new(format!("{}.{name}", self.options.pipeline)).expect("a valid name")
    }
    fn configure(&mut self, topic: &TopicName, name: &str, value: &str) {
        let configs = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        self.options.topics.insert(topic.clone(), configs);
    }
    fn open(&self, create: CreateTopics) -> Arc<KafkaLog> {
        let mut options = self.options.clone();
        options.create = create;
        KafkaLog::open(options).expect("the log opens")
    }
    fn join(&self, log: &KafkaLog, topic: &TopicName) -> Box<dyn Session> {
        let spec = SessionSpec {
            group: format!("fermata.{}", self.options.pipeline),
            member: "node.0".into(),
            topics: vec![topic.clone()],
            partitions: 1,
        };
        log.join(spec).expect("a member joins")
    }
}

fn spec(name: &TopicName) -> TopicSpec {
    TopicSpec {
        name: name.clone(),
        partitions: 1,
    }
}

fn record(topic: &TopicName, bytes: usize) -> NewRecord {
    NewRecord {
        topic: topic.clone(),
        shard: Shard(0),
        timestamp: Timestamp(1_767_225_600_000),
        key: None,
        value: Some(vec![7; bytes].into()),
        headers: Vec::new(),
    }
}

/// A fatal error that says all of this.
fn says(result: Result<(), LogError>, parts: &[&str]) {
    match result {
        Err(LogError::Fatal(text)) => {
            let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
            assert!(missing.is_empty(), "{missing:?} is missing in: {text}");
        }
        other => panic!("expected an error that says {parts:?}, got {other:?}"),
    }
}

#[test]
fn nothing_is_made_where_that_is_not_allowed() {
    let pipeline = Pipeline::new("never");
    let topic = pipeline.topic("journal");
    for create in [CreateTopics::Never, CreateTopics::Verify] {
        let log = pipeline.open(create);
        says(
            log.ensure(&[spec(&topic)]),
            &["F0512", topic.as_str(), "fermata topics create"],
        );
        assert!(!log.topics().expect("topics").contains(&spec(&topic)));
    }
    pipeline
        .open(CreateTopics::Auto)
        .ensure(&[spec(&topic)])
        .expect("it is made");
    pipeline
        .open(CreateTopics::Never)
        .ensure(&[spec(&topic)])
        .expect("it is there");
}

#[test]
fn a_topic_that_differs_is_named_with_what_is_expected() {
    let mut pipeline = Pipeline::new("verify");
    let topic = pipeline.topic("journal");
    pipeline.configure(&topic, "cleanup.policy", "delete");
    let made = pipeline.open(CreateTopics::Auto);
    made.ensure(&[spec(&topic)]).expect("it is made");
    pipeline
        .open(CreateTopics::Verify)
        .ensure(&[spec(&topic)])
        .expect("as it was made");
    // For ever, which is longer than a broker keeps what it is not told to.
    pipeline.configure(&topic, "retention.ms", "-1");
    let found = pipeline.open(CreateTopics::Auto);
    found.ensure(&[spec(&topic)]).expect("it is left as it is");
    assert_eq!(found.differences(&[spec(&topic)]).expect("differences").len(), 1);
    pipeline.configure(&topic, "cleanup.policy", "compact");
    // What would lose records is nobody's to decide.
    says(
        pipeline.open(CreateTopics::Auto).ensure(&[spec(&topic)]),
        &["F0512", "cleanup.policy"],
    );
    let log = pipeline.open(CreateTopics::Verify);
    let said = [
        "F0512",
        topic.as_str(),
        "cleanup.policy is delete, expected compact",
        "kafka-configs",
    ];
    says(log.ensure(&[spec(&topic)]), &said);
}

#[test]
fn a_record_as_large_as_its_topic_takes_passes_and_a_larger_one_is_refused_before_it_is_sent() {
    let mut pipeline = Pipeline::new("large");
    let (small, large) = (pipeline.topic("small"), pipeline.topic("large"));
    pipeline.configure(&small, "max.message.bytes", "50000");
    pipeline.configure(&large, "max.message.bytes", "3000000");
    let log = pipeline.open(CreateTopics::Auto);
    log.ensure(&[spec(&small), spec(&large)]).expect("they are made");
    let mut session = pipeline.join(&log, &small);
    for topic in [&small, &large] {
        let most = log.max_record_bytes(topic).expect("the brokers tell");
        // Many that together are more than one batch may be.
        let records = vec![
            record(topic, most),
            record(topic, most),
            record(topic, most / 3),
            record(topic, most / 3),
        ];
        log.append(records).expect("as large as it takes");
        let larger = || record(topic, most + 20_000);
        says(
            log.append(vec![larger()]).map(drop),
            &["F0512", topic.as_str(), "max.message.bytes"],
        );
        says(session.append(larger()).map(drop), &["F0512", topic.as_str()]);
        assert_eq!(log.read(topic, Shard(0), Offset(0), 9).expect("a read").len(), 4);
    }
}

#[test]
fn a_position_behind_the_end_stops_with_what_to_do() {
    let pipeline = Pipeline::new("anew");
    let topic = pipeline.topic("in");
    let log = pipeline.open(CreateTopics::Auto);
    log.ensure(&[spec(&topic)]).expect("it is made");
    log.append(vec![record(&topic, 1)]).expect("a record");
    let mut session = pipeline.join(&log, &topic);
    until("an assignment", PATIENCE, || {
        match session.poll(Duration::from_millis(50), 1) {
            Ok(Polled::Assigned(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    session.seek(&topic, Shard(0), Offset(500)).expect("a seek");
    let found = wait_for("an error", || session.poll(Duration::from_millis(50), 1).err());
    says(Err(found), &["F0513", topic.as_str(), "500", "made anew"]);
}

#[test]
fn what_was_removed_is_said_to_be_gone() {
    let pipeline = Pipeline::new("gone");
    let topic = pipeline.topic("in");
    let log = pipeline.open(CreateTopics::Auto);
    log.ensure(&[spec(&topic)]).expect("it is made");
    log.append((0..9).map(|_| record(&topic, 1)).collect())
        .expect("records");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("remove.json");
    let text = format!(r#"{{"version":1,"partitions":[{{"topic":"{topic}","partition":0,"offset":5}}]}}"#);
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a path of text").to_owned();
    kafka::shared().console(Tool::DeleteRecords, &["--offset-json-file", &file]);
    let gone = log.read(&topic, Shard(0), Offset(0), 9);
    assert!(
        matches!(
            &gone,
            Err(LogError::Trimmed {
                start: Offset(5),
                asked: Offset(0),
                ..
            })
        ),
        "{gone:?}"
    );
    assert_eq!(log.read(&topic, Shard(0), Offset(5), 9).expect("a read").len(), 4);
    assert_eq!(log.bounds(&topic, Shard(0)).expect("bounds").start, Offset(5));
}

#[test]
fn brokers_that_are_not_there_are_named() {
    let mut pipeline = Pipeline::new("away");
    let nobody = "127.0.0.1:1".to_owned();
    pipeline
        .options
        .settings
        .insert("bootstrap.servers".into(), nobody.clone());
    pipeline.options.answer_within = Duration::from_secs(2);
    let away = KafkaLog::open(pipeline.options).map(drop);
    assert!(
        matches!(&away, Err(LogError::Away(text)) if text.contains(&nobody)),
        "{away:?}"
    );
}
