//! The log as the ports want it.

use crate::ahead::Ahead;
use crate::appender::{self, Appender};
use crate::catalogue::{Catalogue, Difference, weight};
use crate::commits::Commits;
use crate::ends::{Ends, hear};
use crate::health::Health;
use crate::readers::Readers;
use crate::session::KafkaSession;
use crate::shared::Shared;
use crate::{KafkaOptions, settings};
use fermata_core::ports::{Appended, Bounds, Log, LogError, Session, SessionSpec, TopicSpec};
use fermata_core::{CommitId, NewRecord, Offset, Record, Shard, TopicName, codes};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A log on Apache Kafka. What is committed is durable: every replica in sync has it.
pub struct KafkaLog {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    appender: Appender,
    cluster: String,
}

impl KafkaLog {
    /// Connects: [`LogError::Away`] when no broker answers within `answer_within`.
    pub fn open(options: KafkaOptions) -> Result<Arc<Self>, LogError> {
        settings::check(&options)?;
        let health = Arc::new(Health::default());
        let ends = Arc::new(Ends::open(&options, &health)?);
        let cluster = ends.asker().client().fetch_cluster_id(options.answer_within);
        hear(ends.asker());
        let servers = options.settings.get("bootstrap.servers").cloned().unwrap_or_default();
        let late = KafkaError::MetadataFetch(Code::OperationTimedOut);
        let cluster = cluster.ok_or_else(|| crate::fault::explain(&format!("reaching {servers}"), &late, &health))?;
        health.welcome.store(true, Ordering::Relaxed);
        let catalogue = Catalogue::open(&options, &health, ends.clone())?;
        let shared = Arc::new(Shared {
            options,
            health,
            catalogue,
            ends,
            commits: Commits::new(),
            ahead: Ahead::default(),
        });
        let readers = Arc::new(Readers::default());
        let appender = Appender::start(shared.clone(), readers.clone())?;
        Ok(Arc::new(Self {
            shared,
            readers,
            appender,
            cluster,
        }))
    }

    /// The cluster's own identifier: another one holds other records.
    pub fn cluster_id(&self) -> &str {
        &self.cluster
    }

    /// The most bytes of key, value and headers ([`Record::size`]) that a record of this topic may have.
    pub fn max_record_bytes(&self, topic: &TopicName) -> Result<usize, LogError> {
        self.shared.catalogue.max_record_bytes(topic)
    }

    /// Where topics that exist are configured otherwise than the options ask.
    pub fn differences(&self, topics: &[TopicSpec]) -> Result<Vec<Difference>, LogError> {
        self.shared.catalogue.differences(topics, &self.shared.options)
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.shared.ahead.end();
    }
}

impl Shared {
    /// Refuses a record for what does not exist, or larger than its topic takes.
    pub fn fits(&self, record: &NewRecord) -> Result<(), LogError> {
        let (partitions, most) = self.catalogue.limits(&record.topic)?;
        if record.shard.0 >= partitions {
            return self.catalogue.check(&record.topic, record.shard);
        }
        let size = weight(record);
        if size > most {
            return Err(LogError::Fatal(format!(
                "{}: a record of {size} bytes is larger than {} takes ({most}): raise its max.message.bytes",
                codes::LOG_KAFKA_TOPICS,
                record.topic
            )));
        }
        Ok(())
    }
}

impl Log for KafkaLog {
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.shared.catalogue.ensure(topics, &self.shared.options)?;
        for member in &self.shared.options.members {
            self.shared.ahead.begin(&self.shared, member, false);
        }
        if !self.shared.options.members.is_empty() {
            let member = appender::member(&self.shared.options.node);
            self.shared.ahead.begin(&self.shared, &member, true);
        }
        Ok(())
    }

    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        self.shared.catalogue.topics()
    }

    fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, String>, LogError> {
        self.shared.catalogue.identities(topics)
    }

    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        self.shared.catalogue.check(topic, shard)?;
        self.shared.ends.bounds(topic, shard)
    }

    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        self.shared.catalogue.check(topic, shard)?;
        self.readers.read(&self.shared, &(topic.clone(), shard), from, limit)
    }

    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        self.shared.catalogue.check(topic, shard)?;
        self.readers.last(&self.shared, &(topic.clone(), shard))
    }

    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        if records.is_empty() {
            return Ok(Appended {
                offsets: Vec::new(),
                commit: self.shared.commits.last(),
            });
        }
        records.iter().try_for_each(|record| self.shared.fits(record))?;
        self.appender.append(records)
    }

    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        Ok(Box::new(KafkaSession::join(
            self.shared.clone(),
            self.readers.clone(),
            spec,
        )?))
    }

    fn durable(&self) -> CommitId {
        self.shared.commits.last()
    }

    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError> {
        Ok(self.shared.commits.wait(commit, max_wait))
    }
}
