//! A plain client, for what a test asks of a broker without any Java.

use crate::harness::{PATIENCE, until};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;

const ANSWER: Duration = Duration::from_secs(10);

/// A committed record.
#[derive(Clone, Debug)]
pub struct Plain {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: BTreeMap<String, String>,
}

pub struct Client {
    consumer: BaseConsumer<Quiet>,
    bootstrap: String,
}

impl Client {
    pub fn new(bootstrap: &str) -> Self {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            // It joins no group and commits nothing; librdkafka wants a name all the same.
            .set("group.id", super::unique("client"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("reconnect.backoff.max.ms", "500")
            .create_with_context(Quiet)
            .expect("the settings are librdkafka's");
        Self {
            consumer,
            bootstrap: bootstrap.to_owned(),
        }
    }

    /// Names of topics that begin so.
    pub fn topics(&self, prefix: &str) -> Vec<String> {
        let metadata = self.consumer.fetch_metadata(None, ANSWER).expect("a broker answers");
        let names = metadata.topics().iter().map(|t| t.name().to_owned());
        names.filter(|name| name.starts_with(prefix)).collect()
    }

    /// Node id of a partition's leader.
    pub fn leader(&self, topic: &str, partition: i32) -> u32 {
        until("a partition has a leader", PATIENCE, || {
            let metadata = self
                .consumer
                .fetch_metadata(Some(topic), ANSWER)
                .map_err(|e| e.to_string())?;
            let found = metadata
                .topics()
                .iter()
                .flat_map(|t| t.partitions())
                .find(|p| p.id() == partition);
            let leader = found.map_or(-1, |p| p.leader());
            u32::try_from(leader).map_err(|_| format!("{topic}/{partition} has none"))
        })
    }

    /// Every partition of a topic has so many replicas in sync.
    pub fn in_sync(&self, topic: &str, count: usize) {
        until(&format!("{count} replicas of {topic} are in sync"), PATIENCE, || {
            let metadata = self
                .consumer
                .fetch_metadata(Some(topic), ANSWER)
                .map_err(|e| e.to_string())?;
            let partitions = metadata.topics().iter().flat_map(|t| t.partitions());
            let counts: Vec<usize> = partitions.map(|p| p.isr().len()).collect();
            if !counts.is_empty() && counts.iter().all(|c| *c == count) {
                Ok(())
            } else {
                Err(format!("{counts:?}"))
            }
        });
    }

    /// State (`Stable`, `Empty`) and number of members of a group; `None`: there is no such group.
    pub fn group(&self, group: &str) -> Option<(String, usize)> {
        let list = self.consumer.fetch_group_list(Some(group), ANSWER).ok()?;
        let found = list
            .groups()
            .iter()
            .find(|g| g.name() == group && g.state() != "Dead")?;
        Some((found.state().to_owned(), found.members().len()))
    }

    /// Partitions of a topic in which a group stands below what a committed reader may read, and by how much.
    pub fn behind(&self, group: &str, topic: &str) -> Vec<(i32, i64)> {
        let consumer: BaseConsumer<Quiet> = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", group)
            .set("isolation.level", "read_committed")
            .create_with_context(Quiet)
            .expect("the settings are librdkafka's");
        let metadata = consumer.fetch_metadata(Some(topic), ANSWER).expect("a broker answers");
        let partitions = metadata.topics().iter().flat_map(|t| t.partitions());
        let mut all = TopicPartitionList::new();
        for partition in partitions {
            all.add_partition(topic, partition.id());
        }
        let stands = consumer
            .committed_offsets(all, ANSWER)
            .expect("the coordinator answers");
        let behind = stands.elements().into_iter().map(|place| {
            let ends = consumer.fetch_watermarks(topic, place.partition(), ANSWER);
            let (_, end) = ends.expect("a broker answers");
            let at = match place.offset() {
                Offset::Offset(at) => at,
                _ => 0,
            };
            (place.partition(), end - at)
        });
        behind.filter(|(_, left)| *left > 0).collect()
    }

    /// Every committed record of a topic, up to what is its end now.
    pub fn read(&self, topic: &str) -> Vec<Plain> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), ANSWER)
            .expect("a broker answers");
        let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
        let mut all = TopicPartitionList::new();
        for partition in &partitions {
            all.add_partition_offset(topic, *partition, Offset::Beginning)
                .expect("an offset of a new list");
        }
        self.consumer.assign(&all).expect("partitions can be assigned");
        let (mut open, mut found) = (partitions.len(), Vec::new());
        until(&format!("{topic} is read to its end"), PATIENCE, || {
            while open > 0 {
                match self.consumer.poll(ANSWER) {
                    Some(Ok(record)) => found.push(plain(&record)),
                    Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err(format!("{open} partitions are not read")),
                }
            }
            Ok(())
        });
        self.consumer.unassign().expect("partitions can be given back");
        found
    }

    /// Produces one record and waits for its acknowledgement; the error's text when the broker refuses it.
    pub fn produce(&self, topic: &str, key: &str, value: &[u8]) -> Result<(), String> {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let producer: ThreadedProducer<Answer> = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            // The broker is to judge what is too large.
            .set("message.max.bytes", "100000000")
            .create_with_context(Answer(sender))
            .expect("the settings are librdkafka's");
        let record = BaseRecord::to(topic).key(key).payload(value);
        producer.send(record).map_err(|(error, _)| error.to_string())?;
        producer.flush(PATIENCE).map_err(|error| error.to_string())?;
        receiver.recv_timeout(PATIENCE).expect("a flushed record was answered")
    }
}

fn plain(record: &impl Message) -> Plain {
    let headers = record.headers().into_iter().flat_map(|all| all.iter());
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Plain {
        partition: record.partition(),
        offset: record.offset(),
        key: record.key().map(<[u8]>::to_vec),
        value: record.payload().map(<[u8]>::to_vec),
        headers: headers.map(|h| (h.key.to_owned(), text(h.value))).collect(),
    }
}

/// Brokers go and come in these tests: what librdkafka says of it is no news.
pub(super) struct Quiet;
impl ClientContext for Quiet {
    fn error(&self, _: KafkaError, _: &str) {}
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}
impl ConsumerContext for Quiet {}

struct Answer(crossbeam_channel::Sender<Result<(), String>>);
impl ClientContext for Answer {
    fn error(&self, _: KafkaError, _: &str) {}
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}
impl ProducerContext for Answer {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let answer = result.as_ref().map(|_| ()).map_err(|(error, _)| error.to_string());
        // Whoever asked may have given up.
        let _ = self.0.try_send(answer);
    }
}
