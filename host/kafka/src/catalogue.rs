//! Which topics there are, with how many partitions and for how large records; making and verifying them.

use crate::admin::{Admin, Configs};
use crate::ends::{Ends, hear};
use crate::fault;
use crate::health::Health;
use crate::{CreateTopics, KafkaOptions};
use fermata_core::topics::{CLEANUP, fits};
use fermata_core::{
    NewRecord, TopicName, codes,
    ports::{LogError, TopicSpec},
};
use parking_lot::Mutex;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Catalogue {
    known: Mutex<BTreeMap<TopicName, Known>>,
    ends: Arc<Ends>,
    admin: Admin,
    health: Arc<Health>,
    within: Duration,
}

#[derive(Clone, Copy)]
struct Known {
    partitions: u32,
    /// `max.message.bytes`, where it was asked for.
    max_bytes: Option<usize>,
}

/// `max.message.bytes` of a topic that nobody configured.
pub(crate) const USUAL_MAX_BYTES: usize = 1_048_588;
/// What a batch of one record adds: its own header and lengths, and lengths for each header.
const FRAME: usize = 128;
const HEADER_FRAME: usize = 10;
/// The same for a record with as many headers as any may have.
const LARGEST_FRAME: usize = FRAME + 1_100 * HEADER_FRAME;

/// Bytes that a record may take on the wire.
pub(crate) fn weight(record: &NewRecord) -> usize {
    record.size() + FRAME + HEADER_FRAME * record.headers.len()
}

/// A topic's configuration is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub topic: TopicName,
    pub name: String,
    /// `None`: the brokers do not know such a setting.
    pub found: Option<String>,
    pub expected: String,
}

impl Difference {
    /// Compaction takes records away that nobody has read yet, and age what must stay for ever: no pipeline can run on
    /// that, whoever made the topic.
    fn loses(&self) -> bool {
        self.name == CLEANUP
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            name,
            found,
            expected,
        } = self;
        let found = found.as_deref().unwrap_or("nothing");
        write!(f, "{topic}: {name} is {found}, expected {expected}")
    }
}

impl Catalogue {
    pub fn open(options: &KafkaOptions, health: &Arc<Health>, ends: Arc<Ends>) -> Result<Self, LogError> {
        Ok(Self {
            known: Mutex::default(),
            ends,
            admin: Admin::open(options, health)?,
            health: health.clone(),
            within: options.answer_within,
        })
    }

    /// Asks the brokers; internal topics are left out. `name`: of that one alone.
    pub fn ask(&self, name: Option<&TopicName>) -> Result<BTreeMap<TopicName, Found>, LogError> {
        let asker = self.ends.asker();
        hear(asker);
        let doing = name.map_or("asking which topics there are".to_owned(), |n| {
            format!("asking about the topic {n}")
        });
        let metadata = asker.fetch_metadata(name.map(TopicName::as_str), self.within);
        let metadata = metadata.map_err(|e| {
            hear(asker);
            fault::explain(&doing, &e, &self.health)
        })?;
        let mut found = BTreeMap::new();
        for topic in metadata.topics() {
            let Ok(topic_name) = TopicName::new(topic.name()) else {
                continue;
            };
            if name.is_none() && topic.name().starts_with("__") {
                continue;
            }
            if let Some(error) = topic.error() {
                let code = Code::from(error);
                if fault::unknown_topic(code) || code == Code::InvalidTopic {
                    continue;
                }
                if code != Code::LeaderNotAvailable {
                    return Err(fault::explain(&doing, &KafkaError::MetadataFetch(code), &self.health));
                }
            }
            let partitions = topic.partitions();
            found.insert(
                topic_name,
                Found {
                    partitions: u32::try_from(partitions.len()).unwrap_or(u32::MAX),
                    led: !partitions.is_empty() && partitions.iter().all(|p| p.leader() >= 0),
                },
            );
        }
        Ok(found)
    }

    pub fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        if let Some(known) = self.known.lock().get(topic) {
            return Ok(known.partitions);
        }
        let found = self.ask(Some(topic))?;
        let found = found.get(topic).ok_or_else(|| LogError::UnknownTopic(topic.clone()))?;
        self.learn(topic, found.partitions);
        Ok(found.partitions)
    }

    fn learn(&self, topic: &TopicName, partitions: u32) {
        let mut known = self.known.lock();
        let max_bytes = known.get(topic).and_then(|k| k.max_bytes);
        known.insert(topic.clone(), Known { partitions, max_bytes });
    }

    /// It may be gone: ask again when it is next used.
    pub fn forget(&self, topic: &TopicName) {
        self.known.lock().remove(topic);
    }

    /// Partitions, and the most bytes that a record of this topic may take ([`weight`]).
    pub fn limits(&self, topic: &TopicName) -> Result<(u32, usize), LogError> {
        let known = self.known.lock().get(topic).copied();
        if let Some(Known {
            partitions,
            max_bytes: Some(max),
        }) = known
        {
            return Ok((partitions, max));
        }
        let partitions = self.partitions(topic)?;
        let max = match self.admin.configs([topic]) {
            Ok(configs) => max_bytes(configs.get(topic)),
            // Reading configurations is a right of its own; without it the brokers' default is assumed.
            Err(LogError::Fatal(_)) => USUAL_MAX_BYTES,
            Err(failed) => return Err(failed),
        };
        let known = Known {
            partitions,
            max_bytes: Some(max),
        };
        self.known.lock().insert(topic.clone(), known);
        Ok((partitions, max))
    }

    /// The most bytes of key, value and headers that a record of this topic may have, however many headers it has.
    pub fn max_record_bytes(&self, topic: &TopicName) -> Result<usize, LogError> {
        let (_, max) = self.limits(topic)?;
        Ok(max.saturating_sub(LARGEST_FRAME))
    }

    /// The largest batch that every known topic takes.
    pub fn batch_bytes(&self) -> usize {
        let known = self.known.lock();
        let limits = known.values().filter_map(|k| k.max_bytes);
        limits.chain([1_000_000]).min().unwrap_or(USUAL_MAX_BYTES)
    }

    pub fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        let found = self.ask(None)?.into_iter();
        Ok(found
            .map(|(name, f)| TopicSpec {
                name,
                partitions: f.partitions,
            })
            .collect())
    }

    /// Makes or verifies, as the options say.
    pub fn ensure(&self, topics: &[TopicSpec], options: &KafkaOptions) -> Result<(), LogError> {
        let found = self.ask(None)?;
        for spec in topics {
            match found.get(&spec.name) {
                Some(f) if f.partitions != spec.partitions => {
                    return Err(LogError::PartitionCount {
                        topic: spec.name.clone(),
                        expected: spec.partitions,
                        found: f.partitions,
                    });
                }
                _ => {}
            }
        }
        let missing: Vec<_> = topics.iter().filter(|s| !found.contains_key(&s.name)).collect();
        if !missing.is_empty() {
            if options.create != CreateTopics::Auto {
                return Err(self.missing(&missing));
            }
            self.admin.create(&missing, &options.topics, options.replication)?;
            self.await_leaders(&missing)?;
        }
        if options.create == CreateTopics::Never {
            // How large records may be is worth knowing all the same, where it may be asked.
            drop(self.differences(topics, options));
        } else {
            let mut differences = self.differences(topics, options)?;
            if options.create == CreateTopics::Auto {
                let (fatal, theirs) = differences.into_iter().partition(Difference::loses);
                for difference in theirs {
                    tracing::warn!("the topic {difference}; it is left as it is");
                }
                differences = fatal;
            }
            if let [first, rest @ ..] = &differences[..] {
                let more = if rest.is_empty() {
                    String::new()
                } else {
                    format!(" (and {} more)", rest.len())
                };
                return Err(LogError::Fatal(format!(
                    "{}: the topic {first}{more}: change it with kafka-configs --alter --entity-type topics \
                     --entity-name {} --add-config {}={}",
                    codes::LOG_KAFKA_TOPICS,
                    first.topic,
                    first.name,
                    first.expected
                )));
            }
        }
        for spec in topics {
            self.learn(&spec.name, spec.partitions);
        }
        Ok(())
    }

    fn missing(&self, missing: &[&TopicSpec]) -> LogError {
        let names: Vec<_> = missing
            .iter()
            .map(|s| format!("{} ({} partitions)", s.name, s.partitions))
            .collect();
        LogError::Fatal(format!(
            "{}: missing, and create does not allow to make: {}; `fermata topics create` makes them, or set create = \"auto\"",
            codes::LOG_KAFKA_TOPICS,
            names.join(", ")
        ))
    }

    /// A topic that was just made has no leaders for a moment.
    fn await_leaders(&self, made: &[&TopicSpec]) -> Result<(), LogError> {
        let deadline = Instant::now() + self.within.max(Duration::from_secs(30));
        loop {
            let found = self.ask(None)?;
            let waiting = made.iter().find(|s| {
                let found = found.get(&s.name);
                !found.is_some_and(|f| f.led && f.partitions == s.partitions)
            });
            let Some(waiting) = waiting else {
                return Ok(());
            };
            if let Some(f) = found.get(&waiting.name).filter(|f| f.led) {
                return Err(LogError::PartitionCount {
                    topic: waiting.name.clone(),
                    expected: waiting.partitions,
                    found: f.partitions,
                });
            }
            if Instant::now() > deadline {
                let found = format!(
                    "the topic {} was made but has no leaders{}",
                    waiting.name,
                    self.health.last()
                );
                return Err(LogError::Away(found));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, String>, LogError> {
        self.admin.identities(topics)
    }

    /// Where topics that exist are configured otherwise than the options ask.
    pub fn differences(&self, topics: &[TopicSpec], options: &KafkaOptions) -> Result<Vec<Difference>, LogError> {
        let names = topics.iter().map(|s| &s.name);
        let configs = self.admin.configs(names)?;
        let mut differences = Vec::new();
        for spec in topics {
            let found = configs.get(&spec.name);
            self.known.lock().insert(
                spec.name.clone(),
                Known {
                    partitions: spec.partitions,
                    max_bytes: Some(max_bytes(found)),
                },
            );
            for (name, expected) in options.topics.get(&spec.name).into_iter().flatten() {
                let found = found.and_then(|f| f.get(name));
                if found.is_none_or(|f| !fits(name, expected, f)) {
                    differences.push(Difference {
                        topic: spec.name.clone(),
                        name: name.clone(),
                        found: found.cloned(),
                        expected: expected.clone(),
                    });
                }
            }
        }
        Ok(differences)
    }
}

/// What the brokers say of one topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub partitions: u32,
    /// Every partition has a leader.
    pub led: bool,
}

fn max_bytes(configs: Option<&Configs>) -> usize {
    let found = configs.and_then(|c| c.get("max.message.bytes"));
    found.and_then(|v| v.parse().ok()).unwrap_or(USUAL_MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_topic_found_and_expected() {
        let said = Difference {
            topic: TopicName::new("payments.journal").expect("valid"),
            name: "cleanup.policy".into(),
            found: Some("delete".into()),
            expected: "compact".into(),
        };
        assert_eq!(
            said.to_string(),
            "payments.journal: cleanup.policy is delete, expected compact"
        );
    }
}
