//! What a component says of itself (`describe`), as the host keeps it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub name: String,
    pub version: String,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub stores: Vec<StoreDecl>,
    pub views: Vec<ViewDecl>,
    pub metrics: Vec<MetricDecl>,
    pub timers: bool,
    /// JSON Schema text of the configuration.
    pub config_schema: String,
}

/// A port and the message versions it accepts (in) or may emit (out).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    pub versions: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreDecl {
    pub name: String,
    pub schema: u32,
    /// Older schemas that `migrate` reads.
    pub migrates: Vec<u32>,
    pub reverts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViewScope {
    /// The key in the path names the shard.
    OneShard,
    /// Partials of all shards are merged.
    AllShards,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewDecl {
    pub name: String,
    pub scope: ViewScope,
    /// JSON Schema texts.
    pub params: String,
    pub answer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricDecl {
    pub name: String,
    pub kind: MetricKind,
    pub unit: String,
    pub help: String,
    pub labels: Vec<String>,
}

impl Description {
    pub fn store(&self, name: &str) -> Option<&StoreDecl> {
        self.stores.iter().find(|s| s.name == name)
    }
    pub fn view(&self, name: &str) -> Option<&ViewDecl> {
        self.views.iter().find(|v| v.name == name)
    }
    pub fn metric(&self, name: &str) -> Option<&MetricDecl> {
        self.metrics.iter().find(|m| m.name == name)
    }
}
