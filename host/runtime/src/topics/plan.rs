//! Which topics a pipeline has, and how each should be.

use super::keeping;
use super::kind::Kind;
use fermata_core::manifest::Manifest;
use fermata_core::manifest::parse::nearest;
use fermata_core::names::{self, Purpose};
use fermata_core::ports::TopicSpec;
use fermata_core::topics::{Inventory, MAX_MESSAGE, MIN_IN_SYNC};
use fermata_core::{PipelineName, TopicName};
use std::collections::BTreeMap;
use std::time::Duration;

/// What an installation says of its topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPolicy {
    /// Copies of each partition; `None`: the broker's default.
    pub replication_factor: Option<u16>,
    /// Copies that must have a record before it is acknowledged; `None`: the broker's default.
    pub min_insync_replicas: Option<u16>,
    /// By `dlq`, `journal`, `ticks` or a topic of the manifest. Of the journal: how far back it is kept whole.
    pub retention: BTreeMap<String, Duration>,
}

/// Purposes whose retention may be set.
const SETTABLE: [Purpose; 3] = [Purpose::DeadLetters, Purpose::Journal, Purpose::Ticks];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("topics.retention names {name:?}, which is neither dlq, journal, ticks nor a topic of the manifest{}", hint(.near.as_deref()))]
pub struct UnknownRetention {
    pub name: String,
    pub near: Option<String>,
}

fn hint(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
}

/// When a setting is held against a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A topic that differs is not good enough.
    Always,
    /// What a topic is made with; one that is there may be otherwise.
    AtCreation,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    pub value: String,
    pub binding: Binding,
}

impl Setting {
    pub fn new(name: &'static str, value: String, binding: Binding) -> Self {
        Self { name, value, binding }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub name: TopicName,
    pub kind: Kind,
    pub partitions: u32,
    pub settings: Vec<Setting>,
}

/// Every topic of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    pub pipeline: PipelineName,
    /// Copies of each partition; `None`: the broker's default.
    pub replication_factor: Option<u16>,
    /// Those of the manifest, then the host's own.
    pub topics: Vec<Planned>,
}

impl TopicPlan {
    pub fn new(manifest: &Manifest, policy: &TopicPolicy) -> Result<Self, UnknownRetention> {
        known(manifest, policy)?;
        let input = keeping::emission();
        let planned = |name: TopicName, kind: Kind, partitions: u32| {
            let kept = match kind {
                Kind::Own(purpose) => policy.retention.get(purpose.suffix()),
                _ => policy.retention.get(name.as_str()),
            };
            let mut settings = keeping::settings(kind, kept.copied(), input);
            if let Some(least) = policy.min_insync_replicas {
                let binding = if kind.ours() {
                    Binding::Always
                } else {
                    Binding::AtCreation
                };
                settings.push(Setting::new(MIN_IN_SYNC, least.to_string(), binding));
            }
            Planned {
                name,
                kind,
                partitions,
                settings,
            }
        };
        let data = manifest
            .topics
            .keys()
            .map(|name| (name.clone(), data_kind(manifest, name)));
        let own = Purpose::ALL.into_iter().chain(Purpose::SHARED);
        let own = own.map(|purpose| (purpose.topic(&manifest.name), Kind::Own(purpose)));
        let changelog = [(names::changelog(&manifest.name), Kind::Changelog)];
        let probe = [(names::probe(&manifest.name), Kind::Probe)];
        let all = data.chain(own).chain(changelog).chain(probe);
        let topics = all.map(|(name, kind)| {
            let keyed = match kind {
                Kind::Own(purpose) => purpose.keyed(),
                Kind::Probe => false,
                _ => true,
            };
            planned(name, kind, if keyed { manifest.partitions } else { 1 })
        });
        Ok(Self {
            pipeline: manifest.name.clone(),
            replication_factor: policy.replication_factor,
            topics: topics.collect(),
        })
    }

    /// The plan beside what is there: what only counts at creation is not asked of topics that exist, and whatever
    /// holds whole inputs takes the largest that any input topic takes.
    pub fn fitted(mut self, found: &Inventory) -> Self {
        let inputs = self
            .topics
            .iter()
            .filter(|t| matches!(t.kind, Kind::Source | Kind::Internal));
        let sizes = inputs.filter_map(|t| found.get(&t.name)?.number(MAX_MESSAGE));
        let largest = sizes.max().unwrap_or(0);
        for topic in &mut self.topics {
            if found.contains_key(&topic.name) {
                topic.settings.retain(|s| s.binding == Binding::Always);
            }
            if matches!(topic.kind, Kind::Own(Purpose::DeadLetters) | Kind::Changelog) {
                let sizes = topic.settings.iter_mut().filter(|s| s.name == MAX_MESSAGE);
                for size in sizes {
                    let asked: i64 = size.value.parse().expect("written above as a number");
                    size.value = asked.max(largest + keeping::AROUND_INPUT).to_string();
                }
            }
        }
        self
    }

    /// What a log must have before the pipeline runs: all but what only the doctor uses.
    pub fn specs(&self) -> Vec<TopicSpec> {
        let needed = self.topics.iter().filter(|t| t.kind != Kind::Probe);
        let specs = needed.map(|t| TopicSpec {
            name: t.name.clone(),
            partitions: t.partitions,
        });
        specs.collect()
    }

    /// Settings of the topics of [`TopicPlan::specs`].
    pub fn settings(&self) -> BTreeMap<TopicName, BTreeMap<String, String>> {
        let needed = self.topics.iter().filter(|t| t.kind != Kind::Probe);
        needed.map(|t| (t.name.clone(), t.settings())).collect()
    }

    pub fn names(&self) -> impl Iterator<Item = &TopicName> {
        self.topics.iter().map(|t| &t.name)
    }
}

impl Planned {
    /// As a log takes them.
    pub fn settings(&self) -> BTreeMap<String, String> {
        self.settings
            .iter()
            .map(|s| (s.name.to_owned(), s.value.clone()))
            .collect()
    }
}

fn data_kind(manifest: &Manifest, name: &TopicName) -> Kind {
    let written = manifest.writers(name).next().is_some();
    let read = manifest.readers(name).next().is_some();
    match (written, read) {
        (false, _) => Kind::Source,
        (true, true) => Kind::Internal,
        (true, false) => Kind::End,
    }
}

fn known(manifest: &Manifest, policy: &TopicPolicy) -> Result<(), UnknownRetention> {
    let own = SETTABLE.map(Purpose::suffix);
    let all = || own.into_iter().chain(manifest.topics.keys().map(TopicName::as_str));
    match policy.retention.keys().find(|name| !all().any(|known| known == *name)) {
        None => Ok(()),
        Some(name) => Err(UnknownRetention {
            name: name.clone(),
            near: nearest(name, all()).map(str::to_owned),
        }),
    }
}
