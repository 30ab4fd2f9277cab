//! The pipeline's manifest, checked: what is in these types needs no further question.

pub use quarantine::{AtLimit, OnFailure, Quarantine};

use crate::limits::Limits;
use crate::{PipelineName, StageName, TopicName};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

mod check;
mod effective;
mod entries;
mod layers;
pub mod parse;
pub mod problem;
mod promises;
mod quarantine;
pub mod raw;
mod schema;
pub mod secrets;
mod source;
mod stages;
#[cfg(test)]
mod tests;
mod validators;

pub use validators::Validator;

pub use effective::{Origin, Shown, Step, key_text};
pub use layers::merge;
pub use problem::{ManifestError, ManifestErrors};
pub use schema::schema;
pub use source::Source;

/// A validated `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    pub name: PipelineName,
    /// One partition count for every keyed topic.
    pub partitions: u32,
    /// Declared topics and those that stages name; a head is one that no stage writes.
    pub topics: BTreeMap<TopicName, Topic>,
    /// In order of declaration.
    pub stages: Vec<Stage>,
    pub drain: Drain,
    pub probation: Duration,
    pub goals: Vec<Goal>,
    pub invariants: Vec<Invariant>,
    /// What one unit of work is called, for people: `payments`.
    pub noun: String,
    pub summary: Vec<Count>,
    /// The view that finds one unit by its id.
    pub search: Option<String>,
    pub generators: Vec<Generator>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// No stage writes it: intake goes here.
    pub head: bool,
    /// JSON field from which intake derives a missing key.
    pub key: Option<String>,
    /// Of a head: what becomes of a keyed record on another partition than its key's.
    pub on_misplaced: OnMisplaced,
}

/// A producer of its own partitioner, or of its own choice, put the key of a record where its state does not live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnMisplaced {
    /// A dead letter.
    #[default]
    Reject,
    /// Appended once more, to the shard of its key, in the transaction that passes it.
    Reroute,
    /// Taken where it is: the producers are known to put each key on one partition.
    Trust,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    pub name: StageName,
    /// `path | builtin:name@version | sha256:...`
    pub component: String,
    /// Input port and its topic; where the manifest lists topics, a port is named as its topic.
    pub inputs: Vec<(String, TopicName)>,
    pub outputs: BTreeMap<String, TopicName>,
    /// JSON object given to `init`.
    pub config: serde_json::Value,
    pub limits: Limits,
    /// What becomes of records that it cannot treat.
    pub quarantine: Quarantine,
    /// In front of the whole input, in this order.
    pub validators: Vec<Validator>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drain {
    pub complete_when: Option<Condition>,
    /// View and JSON Pointer to the list of what still blocks.
    pub blocking: Option<Field>,
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    pub view: String,
    /// RFC 6901 JSON Pointer.
    pub field: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    pub at: Field,
    pub equals: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Goal {
    pub name: String,
    pub metric: String,
    /// For histograms: 0.99. None: the value or rate itself.
    pub quantile: Option<f64>,
    pub bound: Bound,
    pub over: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Seconds where the metric is a time, else a plain number.
    Below(f64),
    Above(f64),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Invariant {
    pub name: String,
    pub rule: InvariantRule,
    /// Holds only when the pipeline is drained.
    pub when_drained: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvariantRule {
    /// The number at the pointer into the view's answer, or each number directly under it, equals `each`.
    Each { at: Field, each: i64 },
    /// Each key of topic `of` is the key of at most one record in all of `ends_in`; when drained of exactly one.
    EndsOnce { of: TopicName, ends_in: Vec<TopicName> },
}

/// A figure that `demo` and `status` show: the number of records of a topic, or a field of a view.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Count {
    pub name: String,
    pub source: CountSource,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountSource {
    Topic(TopicName),
    View(Field),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Generator {
    pub name: String,
    pub component: String,
    pub outputs: BTreeMap<String, TopicName>,
    pub config: serde_json::Value,
}

impl Manifest {
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|s| s.name.as_str() == name)
    }
    /// Stages that read `topic`, in order of declaration.
    pub fn readers<'a>(&'a self, topic: &'a TopicName) -> impl Iterator<Item = &'a Stage> {
        self.stages
            .iter()
            .filter(move |s| s.inputs.iter().any(|(_, t)| t == topic))
    }
    /// Stages that write `topic`.
    pub fn writers<'a>(&'a self, topic: &'a TopicName) -> impl Iterator<Item = &'a Stage> {
        self.stages
            .iter()
            .filter(move |s| s.outputs.values().any(|t| t == topic))
    }
    /// Topics where intake happens.
    pub fn heads(&self) -> impl Iterator<Item = &TopicName> {
        self.topics.iter().filter(|(_, t)| t.head).map(|(n, _)| n)
    }
    /// Topics that a stage writes and a stage reads.
    pub fn internal(&self) -> impl Iterator<Item = &TopicName> {
        self.topics
            .keys()
            .filter(|t| self.readers(t).next().is_some() && self.writers(t).next().is_some())
    }
}
