//! Configuration of the clients. What exactly-once depends on is written down here and cannot be overridden.

use crate::KafkaOptions;
use crate::health::Health;
use fermata_core::{codes, ports::LogError};
use rdkafka::ClientConfig;

/// Settings that are the host's, with why: each would make a record lost or doubled.
const OWN: &[(&str, &str)] = &[
    ("group.id", "the group is the pipeline's"),
    ("group.instance.id", "a worker is known by its name"),
    ("group.protocol", "rebalances must wait for the end of a transaction"),
    ("group.remote.assignor", "shards are assigned whole"),
    ("partition.assignment.strategy", "shards are assigned whole"),
    ("enable.auto.commit", "positions are part of each transaction"),
    ("auto.commit.enable", "positions are part of each transaction"),
    ("auto.commit.interval.ms", "positions are part of each transaction"),
    ("enable.auto.offset.store", "positions are part of each transaction"),
    (
        "auto.offset.reset",
        "a position that is gone is an error, never skipped",
    ),
    ("isolation.level", "what was not committed must not be read"),
    ("enable.partition.eof", "readers depend on it"),
    ("allow.auto.create.topics", "topics are made with their configuration"),
    (
        "transactional.id",
        "it names the worker whose open transactions end with it",
    ),
    ("enable.idempotence", "transactions need it"),
    ("enable.gapless.guarantee", "a gap is an aborted transaction"),
    ("acks", "what is committed must be on every replica in sync"),
    (
        "request.required.acks",
        "what is committed must be on every replica in sync",
    ),
    ("max.in.flight", "order within a partition"),
    ("max.in.flight.requests.per.connection", "order within a partition"),
    ("retries", "a transaction decides when to give up"),
    ("message.send.max.retries", "a transaction decides when to give up"),
    ("message.timeout.ms", "a transaction decides when to give up"),
    ("delivery.timeout.ms", "a transaction decides when to give up"),
    ("delivery.report.only.error", "commits wait for the reports"),
    ("partitioner", "the host partitions, as Java's clients do"),
    ("log.queue", "the host reads it"),
];

/// Why a setting cannot be given, if so.
pub fn refused(name: &str) -> Option<&'static str> {
    OWN.iter().find(|(own, _)| *own == name).map(|(_, why)| *why)
}

/// The longest that a transaction may stay open on the broker: a vanished one hides what comes behind it for so long.
const LONGEST_TRANSACTION_MS: u64 = 15_000;

pub(crate) fn check(options: &KafkaOptions) -> Result<(), LogError> {
    let wrong = |what: String| Err(LogError::Fatal(format!("{}: {what}", codes::LOG_KAFKA_SETTINGS)));
    if options.settings.get("bootstrap.servers").is_none_or(|s| s.is_empty()) {
        return wrong("the setting bootstrap.servers is missing: say where the brokers are, as \"host:9092\"".into());
    }
    for (name, value) in &options.settings {
        if let Some(why) = refused(name) {
            return wrong(format!("{name} cannot be set ({why}): take {name} = {value:?} out"));
        }
        if name == "transaction.timeout.ms" && value.parse().is_ok_and(|ms: u64| ms > LONGEST_TRANSACTION_MS) {
            return wrong(format!(
                "{name} = {value} is more than {LONGEST_TRANSACTION_MS}: for so long a lost process would hide records"
            ));
        }
    }
    Ok(())
}

/// A client of some kind: what is usual, then what the user says, then what must be.
fn client(options: &KafkaOptions, usual: &[(&str, &str)], must: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", format!("fermata-{}-{}", options.pipeline, options.node));
    config.set("socket.keepalive.enable", "true");
    for (name, value) in usual {
        config.set(*name, *value);
    }
    for (name, value) in &options.settings {
        config.set(name, value);
    }
    for (name, value) in must {
        config.set(*name, *value);
    }
    config.set("allow.auto.create.topics", "false");
    config
}

/// Consumers say what they do not keep themselves.
const NEVER_BY_ITSELF: [(&str, &str); 3] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
];

/// A member of the group: one for each worker.
pub(crate) fn member(options: &KafkaOptions, group: &str, member: &str) -> ClientConfig {
    let usual = [
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "1000"),
        // A full queue is looked at again after so long; a second is the default.
        ("fetch.queue.backoff.ms", "5"),
        ("fetch.wait.max.ms", "100"),
        ("queued.max.messages.kbytes", "4096"),
        // Behind so many of one topic another's would wait.
        ("queued.min.messages", "2000"),
    ];
    let must = [
        ("group.id", group),
        ("group.instance.id", member),
        ("group.protocol", "classic"),
        ("partition.assignment.strategy", "range"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "false"),
    ];
    client(options, &usual, &[&must[..], &NEVER_BY_ITSELF].concat())
}

/// Reads one partition at a time, committed records only.
pub(crate) fn reader(options: &KafkaOptions, group: &str) -> ClientConfig {
    let usual = [
        ("fetch.queue.backoff.ms", "5"),
        // The end is told with the first request that finds nothing: it need not wait. Nobody reads on from there.
        ("fetch.wait.max.ms", "5"),
        ("queued.max.messages.kbytes", "8192"),
    ];
    let must = [
        ("group.id", group),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
    ];
    client(options, &usual, &[&must[..], &NEVER_BY_ITSELF].concat())
}

/// Asks for metadata and the ends of partitions; `committed`: the last stable offsets.
pub(crate) fn asker(options: &KafkaOptions, committed: bool) -> ClientConfig {
    let level = if committed {
        "read_committed"
    } else {
        "read_uncommitted"
    };
    client(options, &[], &[("isolation.level", level)])
}

pub(crate) fn admin(options: &KafkaOptions) -> ClientConfig {
    client(options, &[], &[])
}

/// `batch`: the largest batch that every topic takes, bytes. `reports`: of each record, or of failures only.
pub(crate) fn producer(options: &KafkaOptions, transactional_id: &str, batch: usize, reports: bool) -> ClientConfig {
    let batch = batch.to_string();
    let usual = [
        // A request carries one batch of one partition: better few of them. A commit does not wait for it to pass.
        ("linger.ms", "5"),
        // Of a transaction that begins while the one before is still being concluded.
        ("retry.backoff.ms", "5"),
        ("retry.backoff.max.ms", "200"),
        ("transaction.timeout.ms", "10000"),
        ("batch.size", batch.as_str()),
        ("queue.buffering.max.kbytes", "131072"),
    ];
    let must = [
        ("transactional.id", transactional_id),
        ("enable.idempotence", "true"),
        ("acks", "all"),
        // What a record may weigh is its topic's to say, and checked before.
        ("message.max.bytes", "134217728"),
        ("delivery.report.only.error", if reports { "false" } else { "true" }),
    ];
    client(options, &usual, &must)
}

/// Says which setting is wrong, or that the client could not be made.
pub(crate) fn making(what: &str, error: &rdkafka::error::KafkaError, health: &Health) -> LogError {
    use rdkafka::error::KafkaError;
    let code = codes::LOG_KAFKA_SETTINGS;
    match error {
        KafkaError::ClientConfig(_, found, name, value) => {
            let secret = name.contains("password") || name.contains("secret") || name.contains("key");
            let value = if secret { "..." } else { value };
            let tls = found.contains("OpenSSL") || found.contains("SSL") || found.contains("ssl");
            let built = " (this binary was built without the feature `tls`: build it with --features tls)";
            let built = if tls && !cfg!(feature = "tls") { built } else { "" };
            LogError::Fatal(format!(
                "{code}: the Kafka setting {name} = {value:?} is not right: {found}{built}"
            ))
        }
        KafkaError::ClientCreation(found) => LogError::Fatal(format!("{code}: {what} cannot be made: {found}")),
        other => crate::fault::explain(what, other, health),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::PipelineName;

    fn options(settings: &[(&str, &str)]) -> KafkaOptions {
        let pipeline = PipelineName::new("payments").expect("valid");
        let settings = settings.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        KafkaOptions::new(pipeline, "node", settings.collect())
    }

    #[test]
    fn what_exactly_once_depends_on_cannot_be_set() {
        for (name, _) in OWN {
            let given = options(&[("bootstrap.servers", "b:9092"), (name, "x")]);
            let said = check(&given).expect_err(name).to_string();
            assert!(
                said.contains(name) && said.contains(codes::LOG_KAFKA_SETTINGS),
                "{said}"
            );
        }
        check(&options(&[("bootstrap.servers", "b:9092"), ("linger.ms", "5")])).expect("that one is free");
        check(&options(&[])).expect_err("no brokers");
        let long = options(&[("bootstrap.servers", "b:9092"), ("transaction.timeout.ms", "60000")]);
        check(&long).expect_err("too long");
    }

    #[test]
    fn what_must_be_stands_whatever_is_said() {
        let given = options(&[("bootstrap.servers", "b:9092"), ("session.timeout.ms", "7000")]);
        let member = member(&given, "fermata.payments", "node.0");
        assert_eq!(member.get("session.timeout.ms"), Some("7000"));
        assert_eq!(member.get("isolation.level"), Some("read_committed"));
        assert_eq!(member.get("auto.offset.reset"), Some("error"));
        assert_eq!(member.get("group.instance.id"), Some("node.0"));
        let producer = producer(&given, "fermata.payments.node.0.1", 1_000_000, false);
        assert_eq!(producer.get("acks"), Some("all"));
        assert_eq!(producer.get("delivery.report.only.error"), Some("true"));
    }
}
