//! Topics as the cluster has them.

use super::{InspectError, Inspector, error};
use crate::admin::wait;
use fermata_core::TopicName;
use fermata_core::topics::{Found, Inventory};
use rdkafka::admin::{AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::MetadataTopic;
use std::collections::{BTreeMap, BTreeSet};

/// What was found of the topics that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Those that exist.
    pub found: Inventory,
    /// Those of which we may not even know whether they exist.
    pub hidden: BTreeSet<TopicName>,
}

impl Inspector {
    /// Topics by name, with all their settings. One that is neither found nor hidden does not exist.
    pub fn topics<'a>(&self, names: impl IntoIterator<Item = &'a TopicName>) -> Result<Seen, InspectError> {
        let doing = "asking which topics there are";
        let all = self.metadata(doing, None)?;
        let all: BTreeMap<&str, &MetadataTopic> = all.topics().iter().map(|t| (t.name(), t)).collect();
        let mut seen = Seen::default();
        for name in names {
            match all.get(name.as_str()) {
                Some(topic) => {
                    seen.found.insert(name.clone(), shape(topic));
                }
                None if self.hidden(name)? => {
                    seen.hidden.insert(name.clone());
                }
                None => {}
            }
        }
        self.settings(&mut seen.found)?;
        Ok(seen)
    }

    /// How often a partition of a topic of the cluster's own is copied, if we may know.
    pub fn copies(&self, name: &str) -> Result<Option<u32>, InspectError> {
        let all = self.metadata("asking which topics there are", None)?;
        let topic = all
            .topics()
            .iter()
            .find(|t| t.name() == name && !t.partitions().is_empty());
        Ok(topic.map(|t| shape(t).replicas))
    }

    fn hidden(&self, name: &TopicName) -> Result<bool, InspectError> {
        let one = self.metadata(&format!("asking about the topic {name}"), Some(name.as_str()))?;
        let codes = one.topics().iter().filter_map(|t| t.error().map(Code::from));
        Ok(codes.into_iter().any(|code| code == Code::TopicAuthorizationFailed))
    }

    /// Adds what holds for each topic. Of one that we may not look at, the broker answers nothing.
    fn settings(&self, found: &mut Inventory) -> Result<(), InspectError> {
        let names: Vec<TopicName> = found.keys().cloned().collect();
        let asked: Vec<_> = names.iter().map(|n| ResourceSpecifier::Topic(n.as_str())).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let options = AdminOptions::new().request_timeout(Some(self.within));
        let answer = wait(self.admin.describe_configs(&asked, &options));
        let doing = "reading the settings of topics";
        let answer = answer.map_err(|e| error::explain(doing, &e, &self.heard))?;
        for resource in answer.into_iter().flatten() {
            let OwnedResourceSpecifier::Topic(name) = &resource.specifier else {
                continue;
            };
            let entries = resource.entries.into_iter();
            let settings: BTreeMap<String, String> = entries.filter_map(|e| Some((e.name, e.value?))).collect();
            if let Some(topic) = found.get_mut(name.as_str()).filter(|_| !settings.is_empty()) {
                topic.settings = Some(settings);
            }
        }
        Ok(())
    }
}

fn shape(topic: &MetadataTopic) -> Found {
    let partitions = topic.partitions();
    let copies = partitions.iter().map(|p| p.replicas().len()).min().unwrap_or(0);
    Found {
        partitions: u32::try_from(partitions.len()).unwrap_or(u32::MAX),
        replicas: u32::try_from(copies).unwrap_or(u32::MAX),
        settings: None,
    }
}
