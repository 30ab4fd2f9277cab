//! May we read? Asked by reading; whether we may write is asked in [`super::transactions`].

use super::ears::Ears;
use super::{InspectError, Inspector, SLICE, config, error};
use fermata_core::TopicName;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// What the broker says to a thing done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Granted,
    Denied,
    /// Neither: what came instead.
    Unknown(String),
}

impl Inspector {
    /// A reader that joins nothing and whose place is nobody's business.
    pub(super) fn reader(&self, group: &str) -> Result<BaseConsumer<Ears>, InspectError> {
        let mut config = config(&self.settings);
        for (name, value) in [
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("isolation.level", "read_committed"),
            ("enable.partition.eof", "true"),
            ("fetch.wait.max.ms", "10"),
        ] {
            config.set(name, value);
        }
        let made = config.create_with_context(Ears(self.heard.clone()));
        made.map_err(|e| error::client(&e))
    }

    /// Whether the newest records of a topic may be read.
    pub fn may_read(&self, topics: &[TopicName], group: &str) -> Result<Vec<Verdict>, InspectError> {
        let reader = self.reader(group)?;
        Ok(topics.iter().map(|t| verdict(&reader, t, self.within)).collect())
    }
}

fn verdict(reader: &BaseConsumer<Ears>, topic: &TopicName, within: Duration) -> Verdict {
    let deadline = Instant::now() + within;
    if let Err(error) = begin(reader, topic, Offset::End) {
        return Verdict::Unknown(error.to_string());
    }
    let mut last = "no answer".to_owned();
    while Instant::now() < deadline {
        match reader.poll(SLICE) {
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Verdict::Granted,
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(Code::TopicAuthorizationFailed) => return Verdict::Denied,
                // Of the group we hear elsewhere; reading by ourselves needs none.
                Some(Code::GroupAuthorizationFailed) => {}
                _ => last = error.to_string(),
            },
            None => {}
        }
    }
    Verdict::Unknown(last)
}

/// Reads partition 0 from there on, and nothing else.
pub(super) fn begin(reader: &BaseConsumer<Ears>, topic: &TopicName, from: Offset) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic.as_str(), 0, from)?;
    reader.assign(&list)
}
