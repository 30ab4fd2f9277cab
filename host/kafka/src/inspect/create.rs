//! Making topics, or asking whether they could be made.

use super::{InspectError, Inspector, error};
use crate::admin::wait;
use fermata_core::TopicName;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;
use std::collections::BTreeMap;

/// What became of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It is there now, or could be made where that was the question.
    Yes,
    /// Somebody else made it first.
    Existed,
    /// We may not.
    Denied,
    Refused(String),
}

/// A topic to be made: name, partitions, settings.
pub type Wanted = (TopicName, u32, BTreeMap<String, String>);

impl Inspector {
    /// Each topic by itself: one that cannot be made keeps no other from it. `copies`: `None`, the broker's default.
    /// `dry`: the broker checks everything and makes nothing.
    pub fn create(
        &self,
        wanted: &[Wanted],
        copies: Option<u16>,
        dry: bool,
    ) -> Result<BTreeMap<TopicName, Made>, InspectError> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let copies = copies.map_or(-1, i32::from);
        let new = wanted.iter().map(|(name, partitions, settings)| {
            let partitions = i32::try_from(*partitions).unwrap_or(i32::MAX);
            let new = NewTopic::new(name.as_str(), partitions, TopicReplication::Fixed(copies));
            settings.iter().fold(new, |new, (name, value)| new.set(name, value))
        });
        let new: Vec<_> = new.collect();
        let options = AdminOptions::new()
            .request_timeout(Some(self.within))
            .operation_timeout(Some(self.within))
            .validate_only(dry);
        let answer = wait(self.admin.create_topics(&new, &options));
        let doing = "making topics";
        let answer = answer.map_err(|e| error::explain(doing, &e, &self.heard))?;
        let made = answer.into_iter().filter_map(|result| {
            let (name, made) = match result {
                Ok(name) => (name, Made::Yes),
                Err((name, code)) => (name, refused(code)),
            };
            Some((TopicName::new(name).ok()?, made))
        });
        Ok(made.collect())
    }
}

fn refused(code: Code) -> Made {
    match code {
        Code::TopicAlreadyExists => Made::Existed,
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Made::Denied,
        Code::InvalidReplicationFactor => Made::Refused("there are fewer brokers than copies asked for".into()),
        Code::PolicyViolation => Made::Refused("a policy of the cluster forbids it".into()),
        other => Made::Refused(other.to_string()),
    }
}
