//! Whether transactions work, and which of their rights we have: asked by transactions that leave nothing behind.

use super::ears::Heard;
use super::rights::begin;
use super::{InspectError, Inspector, SLICE, Verdict, config, error};
use fermata_core::TopicName;
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Ends by itself soon after a doctor that was killed: it could hide what is behind it from readers.
const TRANSACTION_MS: &str = "10000";
/// More than any record that is asked about.
const MOST_BYTES: &str = "1000000000";

/// A producer with a transactional id of its own.
pub struct Transactor<'a> {
    inspector: &'a Inspector,
    producer: BaseProducer<Delivery>,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTransactions {
    /// The transactional id is not ours to use.
    Denied,
    Failed(String),
}

/// A transaction that was committed and read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concluded {
    /// From its begin until a reader of committed records had it.
    pub took: Duration,
    /// Milliseconds by which the broker's clock is ahead of this machine's (below zero: behind), as far as the way there
    /// and back lets one tell; `None`: the topic does not carry the broker's time.
    pub clock_ahead: Option<i64>,
}

/// What became of the one record that was sent: its offset, or the broker's answer.
type Answer = Result<i64, Code>;

struct Delivery {
    heard: Arc<Heard>,
    answer: Mutex<Option<Answer>>,
}

impl ClientContext for Delivery {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!("librdkafka: {facility} {text}");
    }
    fn error(&self, error: KafkaError, reason: &str) {
        super::Ears(self.heard.clone()).error(error, reason);
    }
}

impl ProducerContext for Delivery {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        *self.answer.lock() = Some(match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(Code::Fail)),
        });
    }
}

impl Inspector {
    /// Initialises transactions under `id`: whoever uses it at this moment is fenced.
    pub fn transactor(&self, id: &str) -> Result<Transactor<'_>, NoTransactions> {
        let mut config = config(&self.settings);
        for (name, value) in [
            ("transactional.id", id),
            ("transaction.timeout.ms", TRANSACTION_MS),
            ("acks", "all"),
            ("linger.ms", "0"),
            ("retry.backoff.ms", "10"),
            ("retry.backoff.max.ms", "200"),
            ("compression.type", "none"),
            ("message.max.bytes", MOST_BYTES),
            ("delivery.report.only.error", "false"),
        ] {
            config.set(name, value);
        }
        let context = Delivery {
            heard: self.heard.clone(),
            answer: Mutex::default(),
        };
        let failed = |e: KafkaError| match e.rdkafka_error_code() {
            Some(Code::TransactionalIdAuthorizationFailed | Code::ClusterAuthorizationFailed) => NoTransactions::Denied,
            _ => NoTransactions::Failed(error::explain("initialising transactions", &e, &self.heard).to_string()),
        };
        let producer: BaseProducer<Delivery> = config
            .create_with_context(context)
            .map_err(|e| NoTransactions::Failed(error::client(&e).to_string()))?;
        // Without a connection librdkafka would look again only after half a second.
        producer.client().fetch_cluster_id(self.within);
        producer.init_transactions(self.within).map_err(failed)?;
        Ok(Transactor {
            inspector: self,
            producer,
        })
    }
}

impl Transactor<'_> {
    /// Whether records may be written: one byte more than the topic takes is sent. The broker looks at rights first and
    /// at the size then, so that nothing is ever written. `takes`: the topic's `max.message.bytes`.
    pub fn may_write(&self, topic: &TopicName, takes: usize) -> Verdict {
        match self.attempt(topic, takes) {
            Ok(verdict) => verdict,
            Err(error) => Verdict::Unknown(error.to_string()),
        }
    }

    fn attempt(&self, topic: &TopicName, takes: usize) -> Result<Verdict, KafkaError> {
        self.producer.begin_transaction()?;
        let sent = self.send(topic, &vec![0; takes + 1]);
        let answer = sent.map(|()| self.answer());
        // Of a record that the broker refused, the transaction knows why. It holds nothing, so that even a commit would
        // leave nothing behind.
        let because = match &answer {
            Ok(Some(Err(code))) => {
                let said = self.producer.commit_transaction(self.inspector.within).err();
                said.and_then(|e| e.rdkafka_error_code())
                    .into_iter()
                    .chain([*code])
                    .collect()
            }
            _ => Vec::new(),
        };
        self.producer.abort_transaction(self.inspector.within)?;
        if because.contains(&Code::TopicAuthorizationFailed) {
            return Ok(Verdict::Denied);
        }
        Ok(match answer? {
            Some(Ok(_)) => Verdict::Granted,
            Some(Err(_)) if because.contains(&Code::MessageSizeTooLarge) => Verdict::Granted,
            Some(Err(code)) => Verdict::Unknown(because.first().unwrap_or(&code).to_string()),
            None => Verdict::Unknown("no answer".to_owned()),
        })
    }

    /// Whether positions of `group` may be part of a transaction. `topic` exists; its position is not kept.
    pub fn may_position(&self, group: &str, topic: &TopicName) -> Verdict {
        match self.position(group, topic) {
            Ok(verdict) => verdict,
            Err(found) => Verdict::Unknown(found),
        }
    }

    fn position(&self, group: &str, topic: &TopicName) -> Result<Verdict, String> {
        let reader = self.inspector.reader(group).map_err(|e| e.to_string())?;
        let member = reader.group_metadata().ok_or("the client has no group")?;
        let text = |e: KafkaError| e.to_string();
        let mut positions = TopicPartitionList::new();
        positions
            .add_partition_offset(topic.as_str(), 0, Offset::Offset(0))
            .map_err(text)?;
        self.producer.begin_transaction().map_err(text)?;
        let within = self.inspector.within;
        let said = self.producer.send_offsets_to_transaction(&positions, &member, within);
        self.producer.abort_transaction(within).map_err(text)?;
        Ok(match said.err().map(|e| (e.rdkafka_error_code(), e.to_string())) {
            None => Verdict::Granted,
            Some((Some(Code::GroupAuthorizationFailed | Code::TopicAuthorizationFailed), _)) => Verdict::Denied,
            // A group with members takes positions from these alone: it looked at rights first.
            Some((Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::FencedInstanceId), _)) => {
                Verdict::Granted
            }
            Some((_, found)) => Verdict::Unknown(found),
        })
    }

    /// Commits a record to partition 0 of a topic that is there for this, and reads it back.
    pub fn conclude(&self, topic: &TopicName, group: &str) -> Result<Concluded, InspectError> {
        let doing = format!("a transaction on {topic}");
        let wrong = |e: KafkaError| error::explain(&doing, &e, &self.inspector.heard);
        let late = |what: &str| InspectError::Away {
            doing: doing.clone(),
            found: what.to_owned(),
        };
        let (began, sent_at) = (Instant::now(), now());
        self.producer.begin_transaction().map_err(wrong)?;
        let sent = self.send(topic, &sent_at.to_be_bytes());
        let answer = sent.map(|()| self.answer());
        let acknowledged_at = now();
        let offset = match answer {
            Ok(Some(Ok(offset))) => offset,
            other => {
                let found = self.producer.commit_transaction(self.inspector.within).err();
                // What is still open is in nobody's way for longer than its time-out.
                let _ = self.producer.abort_transaction(self.inspector.within);
                return Err(match (found, other) {
                    (Some(e), _) | (None, Err(e)) => wrong(e),
                    (None, Ok(_)) => late("the record was not acknowledged"),
                });
            }
        };
        self.producer.commit_transaction(self.inspector.within).map_err(wrong)?;
        let stamped = self.read_back(topic, group, offset, sent_at)?;
        Ok(Concluded {
            took: began.elapsed(),
            clock_ahead: stamped.map(|at| ahead(at, sent_at, acknowledged_at)),
        })
    }

    /// The broker's time of the record at `offset`.
    fn read_back(&self, topic: &TopicName, group: &str, offset: i64, sent: i64) -> Result<Option<i64>, InspectError> {
        let doing = format!("reading back what was committed to {topic}");
        let reader = self.inspector.reader(group)?;
        begin(&reader, topic, Offset::Offset(offset)).map_err(|e| error::explain(&doing, &e, &self.inspector.heard))?;
        let deadline = Instant::now() + self.inspector.within;
        let mut last = "it did not become visible".to_owned();
        while Instant::now() < deadline {
            match reader.poll(SLICE) {
                Some(Ok(message)) if message.payload() == Some(&sent.to_be_bytes()) => {
                    return Ok(match message.timestamp() {
                        rdkafka::Timestamp::LogAppendTime(at) => Some(at),
                        _ => None,
                    });
                }
                Some(Ok(message)) => last = format!("another record stands at {}", message.offset()),
                // Until the commit has reached the partition, the record is behind its end.
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) => last = error.to_string(),
            }
        }
        Err(InspectError::Failed { doing, found: last })
    }

    fn send(&self, topic: &TopicName, value: &[u8]) -> Result<(), KafkaError> {
        *self.producer.context().answer.lock() = None;
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic.as_str()).partition(0).payload(value);
        self.producer.send(record).map_err(|(error, _)| error)
    }

    fn answer(&self) -> Option<Answer> {
        let deadline = Instant::now() + self.inspector.within;
        loop {
            self.producer.poll(Duration::from_millis(5));
            let answer = self.producer.context().answer.lock().take();
            if answer.is_some() || Instant::now() > deadline {
                return answer;
            }
        }
    }
}

/// How far `stamped` lies outside of the time in which it was stamped.
fn ahead(stamped: i64, sent: i64, acknowledged: i64) -> i64 {
    stamped - stamped.clamp(sent.min(acknowledged), acknowledged.max(sent))
}

/// Milliseconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::ahead;

    #[test]
    fn a_clock_is_off_only_by_what_the_way_does_not_explain() {
        assert_eq!(ahead(105, 100, 110), 0);
        assert_eq!(ahead(100, 100, 100), 0);
        assert_eq!(ahead(5_110, 100, 110), 5_000);
        assert_eq!(ahead(40, 100, 110), -60);
    }
}
