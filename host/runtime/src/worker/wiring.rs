//! A stage of the manifest as its tasks need it.

use super::{memos, quarantine, timers};
use fermata_core::limits::Limits;
use fermata_core::manifest::{Manifest, OnMisplaced, Quarantine, Stage};
use fermata_core::names::Purpose;
use fermata_core::ports::{Namespace, TopicSpec};
use fermata_core::{PipelineName, StageName, TopicName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How an input topic reaches the stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inlet {
    pub port: String,
    /// No stage writes the topic: its records come from outside.
    pub head: bool,
    /// Of a head: what becomes of a record that lies on another partition than its key's.
    pub on_misplaced: OnMisplaced,
    /// The stage is the first of those that read the topic.
    pub first: bool,
}

pub struct Wiring {
    pub pipeline: PipelineName,
    pub stage: StageName,
    pub partitions: u32,
    pub inputs: BTreeMap<TopicName, Inlet>,
    pub outputs: BTreeMap<String, TopicName>,
    pub limits: Limits,
    pub dead_letters: TopicName,
    pub timers: Arc<Namespace>,
    /// What becomes of records that the stage cannot treat, and where they are kept.
    pub quarantine: Quarantine,
    pub parked: Arc<Namespace>,
    pub memos: Arc<Namespace>,
    /// Grows when the stage is reset: a reader of another generation reads everything again.
    pub generation: u64,
    /// `stage@generation`, as in the header `fermata-done`.
    pub mark: String,
}

impl Wiring {
    pub fn new(manifest: &Manifest, stage: &Stage) -> Self {
        let generation = 1;
        Self {
            pipeline: manifest.name.clone(),
            stage: stage.name.clone(),
            partitions: manifest.partitions,
            inputs: stage
                .inputs
                .iter()
                .map(|(port, topic)| (topic.clone(), inlet(manifest, stage, port, topic)))
                .collect(),
            outputs: stage.outputs.clone(),
            limits: stage.limits.clone(),
            dead_letters: Purpose::DeadLetters.topic(&manifest.name),
            timers: timers::namespace(&stage.name),
            quarantine: stage.quarantine,
            parked: quarantine::namespace(&stage.name),
            memos: memos::namespace(&stage.name),
            generation,
            mark: format!("{}@{generation}", stage.name),
        }
    }
}

fn inlet(manifest: &Manifest, stage: &Stage, port: &str, topic: &TopicName) -> Inlet {
    let first = manifest.readers(topic).next().is_some_and(|s| s.name == stage.name);
    Inlet {
        port: port.to_owned(),
        head: manifest.writers(topic).next().is_none(),
        on_misplaced: manifest.topics.get(topic).map(|t| t.on_misplaced).unwrap_or_default(),
        first,
    }
}

/// Every topic that the pipeline needs.
pub fn topics(manifest: &Manifest) -> Vec<TopicSpec> {
    let keyed = manifest.topics.keys().map(|name| TopicSpec {
        name: name.clone(),
        partitions: manifest.partitions,
    });
    let own = Purpose::ALL.into_iter().map(|purpose| TopicSpec {
        name: purpose.topic(&manifest.name),
        partitions: if purpose.keyed() { manifest.partitions } else { 1 },
    });
    keyed.chain(own).collect()
}

/// Topics that workers poll, the most downstream first, heads last: what is in flight stays bounded.
pub fn poll_order(manifest: &Manifest) -> Vec<TopicName> {
    let mut depth: BTreeMap<&TopicName, usize> = manifest.heads().map(|t| (t, 0)).collect();
    // Breadth first from the heads; a topic met again (a loop) keeps its first depth.
    let mut wave: Vec<&TopicName> = manifest.heads().collect();
    let mut level = 0;
    while !wave.is_empty() {
        level += 1;
        let mut next = BTreeSet::new();
        for topic in wave {
            for reader in manifest.readers(topic) {
                next.extend(reader.outputs.values().filter(|t| !depth.contains_key(t)));
            }
        }
        for topic in &next {
            depth.insert(topic, level);
        }
        wave = next.into_iter().collect();
    }
    let mut read: Vec<_> = manifest
        .topics
        .keys()
        .filter(|t| manifest.readers(t).next().is_some())
        .collect();
    read.sort_by_key(|t| std::cmp::Reverse(depth.get(t).copied().unwrap_or(0)));
    std::iter::once(Purpose::Ticks.topic(&manifest.name))
        .chain(read.into_iter().cloned())
        .collect()
}
