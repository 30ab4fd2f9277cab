//! What a stage declares about itself. The host refuses a deployment whose declaration does not fit the manifest.

/// A port and the message versions that it accepts (in) or may emit (out).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    pub versions: Vec<u32>,
}

/// A store: the schema of its entries, the older schemas that `migrate` reads, whether `revert` is supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreDecl {
    pub name: String,
    pub schema: u32,
    pub migrates: Vec<u32>,
    pub reverts: bool,
}

impl StoreDecl {
    pub fn new(name: impl Into<String>, schema: u32) -> Self {
        Self {
            name: name.into(),
            schema,
            migrates: Vec::new(),
            reverts: false,
        }
    }

    pub fn migrates(mut self, schemas: &[u32]) -> Self {
        self.migrates = schemas.to_vec();
        self
    }

    pub fn reverts(mut self) -> Self {
        self.reverts = true;
        self
    }
}

/// Who answers a view: the shard that the key in the path names, or all of them with their parts merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewScope {
    OneShard,
    AllShards,
}

/// A view. Params and answer: JSON Schema texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewDecl {
    pub name: String,
    pub scope: ViewScope,
    pub params: String,
    pub answer: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric; `labels` are names, in the order in which values are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricDecl {
    pub name: String,
    pub kind: MetricKind,
    pub unit: String,
    pub help: String,
    pub labels: Vec<String>,
}

/// What a stage is: its ports, stores, views, metrics, whether it has timers, and the JSON Schema of its config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub name: String,
    pub version: String,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub stores: Vec<StoreDecl>,
    pub views: Vec<ViewDecl>,
    pub metrics: Vec<MetricDecl>,
    pub timers: bool,
    pub config_schema: String,
}

/// The schema of a stage that takes no config.
const NO_CONFIG: &str = r#"{"type":"object","additionalProperties":false}"#;

impl Description {
    /// Nothing declared yet; builder methods add to it.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            stores: Vec::new(),
            views: Vec::new(),
            metrics: Vec::new(),
            timers: false,
            config_schema: NO_CONFIG.to_owned(),
        }
    }

    pub fn input(mut self, name: &str, versions: &[u32]) -> Self {
        self.inputs.push(Port {
            name: name.to_owned(),
            versions: versions.to_vec(),
        });
        self
    }

    pub fn output(mut self, name: &str, versions: &[u32]) -> Self {
        self.outputs.push(Port {
            name: name.to_owned(),
            versions: versions.to_vec(),
        });
        self
    }

    pub fn store(mut self, store: StoreDecl) -> Self {
        self.stores.push(store);
        self
    }

    /// `params` and `answer`: JSON Schema texts.
    pub fn view(mut self, name: &str, scope: ViewScope, params: impl Into<String>, answer: impl Into<String>) -> Self {
        self.views.push(ViewDecl {
            name: name.to_owned(),
            scope,
            params: params.into(),
            answer: answer.into(),
        });
        self
    }

    pub fn counter(self, name: &str, unit: &str, help: &str, labels: &[&str]) -> Self {
        self.metric(MetricKind::Counter, name, unit, help, labels)
    }

    pub fn gauge(self, name: &str, unit: &str, help: &str, labels: &[&str]) -> Self {
        self.metric(MetricKind::Gauge, name, unit, help, labels)
    }

    pub fn histogram(self, name: &str, unit: &str, help: &str, labels: &[&str]) -> Self {
        self.metric(MetricKind::Histogram, name, unit, help, labels)
    }

    fn metric(mut self, kind: MetricKind, name: &str, unit: &str, help: &str, labels: &[&str]) -> Self {
        self.metrics.push(MetricDecl {
            name: name.to_owned(),
            kind,
            unit: unit.to_owned(),
            help: help.to_owned(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
        });
        self
    }

    /// The stage sets timers and implements `fired`.
    pub fn timers(mut self) -> Self {
        self.timers = true;
        self
    }

    /// The JSON Schema of the config.
    pub fn config(mut self, schema: impl Into<String>) -> Self {
        self.config_schema = schema.into();
        self
    }
}
