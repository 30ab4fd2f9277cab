//! Making topics and reading their configuration.

use crate::health::Health;
use crate::health::Reporting;
use crate::{KafkaOptions, fault, settings};
use fermata_core::{
    TopicName, codes,
    ports::{LogError, TopicSpec},
};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// Configuration of a topic by Kafka's names; an entry without a value is secret.
pub(crate) type Configs = BTreeMap<String, String>;

pub(crate) struct Admin {
    client: AdminClient<Reporting>,
    health: Arc<Health>,
    within: Duration,
}

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The answers come on a thread of rust-rdkafka's, so that this one may sleep.
pub(crate) fn wait<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match answer.as_mut().poll(&mut context) {
            Poll::Ready(found) => return found,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl Admin {
    pub fn open(options: &KafkaOptions, health: &Arc<Health>) -> Result<Self, LogError> {
        let client = settings::admin(options)
            .create_with_context(Reporting(health.clone()))
            .map_err(|e| settings::making("the administrative client", &e, health))?;
        Ok(Self {
            client,
            health: health.clone(),
            within: options.answer_within,
        })
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new()
            .request_timeout(Some(self.within))
            .operation_timeout(Some(self.within))
    }

    /// Makes topics that do not exist; one that somebody else made meanwhile is fine.
    pub fn create(
        &self,
        topics: &[&TopicSpec],
        configs: &BTreeMap<TopicName, Configs>,
        replication: i32,
    ) -> Result<(), LogError> {
        let new = topics.iter().map(|spec| {
            let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
            let mut new = NewTopic::new(spec.name.as_str(), partitions, TopicReplication::Fixed(replication));
            for (name, value) in configs.get(&spec.name).into_iter().flatten() {
                new = new.set(name, value);
            }
            new
        });
        let new: Vec<_> = new.collect();
        let answer = wait(self.client.create_topics(&new, &self.options()));
        let answer = answer.map_err(|e| fault::explain("making topics", &e, &self.health))?;
        for result in answer {
            match result {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(self.not_made(&topic, code)),
            }
        }
        Ok(())
    }

    fn not_made(&self, topic: &str, code: Code) -> LogError {
        let topics = codes::LOG_KAFKA_TOPICS;
        let remedy = match code {
            Code::InvalidReplicationFactor => "there are fewer brokers than copies asked for: lower log.replication",
            Code::InvalidConfig => "the brokers refuse its configuration",
            Code::PolicyViolation => {
                "a policy of the cluster refuses it: have it made by those who may, and set create = \"verify\""
            }
            _ => {
                return fault::explain(
                    &format!("making the topic {topic}"),
                    &KafkaError::AdminOp(code),
                    &self.health,
                );
            }
        };
        LogError::Fatal(format!("{topics}: the topic {topic} cannot be made ({code}): {remedy}"))
    }

    /// What the cluster calls topics, whatever their names. One that does not exist has none.
    pub fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, String>, LogError> {
        let found = crate::identities::ask(self.client.inner(), topics, self.within);
        found.map_err(|e| fault::explain("asking which topics these are", &e, &self.health))
    }

    /// The configuration of topics that exist, defaults included.
    pub fn configs<'a>(
        &self,
        topics: impl IntoIterator<Item = &'a TopicName>,
    ) -> Result<BTreeMap<TopicName, Configs>, LogError> {
        let asked: Vec<_> = topics.into_iter().collect();
        let specifiers: Vec<_> = asked.iter().map(|t| ResourceSpecifier::Topic(t.as_str())).collect();
        if specifiers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let doing = "reading the configuration of topics";
        let answer = wait(self.client.describe_configs(&specifiers, &self.options()));
        let answer = answer.map_err(|e| fault::explain(doing, &e, &self.health))?;
        let mut found = BTreeMap::new();
        for (topic, result) in asked.into_iter().zip(answer) {
            let resource = result.map_err(|code| fault::explain(doing, &KafkaError::AdminOp(code), &self.health))?;
            let entries = resource.entries.into_iter();
            found.insert(
                topic.clone(),
                entries.filter_map(|e| Some((e.name, e.value?))).collect(),
            );
        }
        Ok(found)
    }
}
