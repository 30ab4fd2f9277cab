//! The proxy itself: what it cuts is cut, and a client that knows its protocol notices nothing but the time.

use fermata_tests::kafka::proxy::{Api, Fault, Reach, Rule};
use fermata_tests::kafka::{Cluster, ClusterOptions, Tool};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn producer(bootstrap: &str) -> BaseProducer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", "proxied");
    config
        .set("reconnect.backoff.max.ms", "200")
        .create()
        .expect("the settings are librdkafka's")
}

/// One transaction of one record.
fn write(producer: &BaseProducer, topic: &str, value: &str) {
    producer.begin_transaction().expect("a transaction begins");
    producer
        .send(BaseRecord::<(), str>::to(topic).payload(value))
        .expect("a record can be queued");
    producer
        .commit_transaction(PATIENCE)
        .expect("a commit is repeated until it is answered");
}

#[test]
fn a_transaction_survives_a_cut_before_and_after_each_of_its_requests() {
    let kafka = Cluster::start_with(&ClusterOptions::new(1).proxies(1));
    let proxy = kafka.proxy(0);
    kafka.console(Tool::Topics, &["--create", "--topic", "cut", "--partitions", "1"]);
    let producer = producer(proxy.bootstrap());
    producer.init_transactions(PATIENCE).expect("a producer's id is given");
    let mut written = Vec::new();
    for api in [Api::AddPartitionsToTxn, Api::Produce, Api::EndTxn] {
        for fault in [Fault::CutBefore, Fault::CutAfter] {
            let rule = proxy.add(Rule::next(api, fault));
            let value = format!("{api:?} {fault:?}");
            write(&producer, "cut", &value);
            assert_eq!(proxy.struck(rule), 1, "{value}");
            written.push(value);
        }
    }
    let late = Duration::from_millis(300);
    let rule = proxy.add(Rule::next(Api::EndTxn, Fault::DelayAnswer(late)));
    let began = Instant::now();
    write(&producer, "cut", "late");
    assert!(
        began.elapsed() >= late && proxy.struck(rule) == 1,
        "{:?}",
        began.elapsed()
    );
    written.push("late".to_owned());
    proxy.set(Reach::Refused);
    let refused = producer.client().fetch_metadata(None, Duration::from_secs(1));
    assert!(refused.is_err(), "behind a proxy that refuses there is nobody");
    proxy.set(Reach::Through);
    write(&producer, "cut", "again");
    written.push("again".to_owned());
    let count = written.len().to_string();
    let read = kafka.console(
        Tool::ConsoleConsumer,
        &[
            "--topic",
            "cut",
            "--from-beginning",
            "--isolation-level",
            "read_committed",
            "--max-messages",
            &count,
        ],
    );
    assert_eq!(read.lines().collect::<Vec<_>>(), written);
}
