//! The payment pipeline on a cluster: its own topics, its own folders, as many instances as a test wants.

use super::books::{Figures, settle};
use super::load::Load;
use super::unique;
use super::witness::Witness;
use crate::harness::{Cli, Server, ServerSpec};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MANIFEST: &str = include_str!("../../../examples/payments/pipeline.toml");
const PARTITIONS: i32 = 4;

/// One pipeline of one test.
pub struct Scene {
    /// Also the beginning of its topics' names.
    pub name: String,
    /// Of the cluster itself: load and witness never pass a proxy.
    bootstrap: String,
    folder: TempDir,
}

impl Scene {
    pub fn new(name: &str, bootstrap: &str) -> Self {
        let scene = Self {
            name: unique(name),
            bootstrap: bootstrap.to_owned(),
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        };
        fs::write(scene.manifest(), scene.manifest_text()).expect("a temporary folder can be written to");
        scene
    }

    /// The example's manifest with topics of its own.
    fn manifest_text(&self) -> String {
        let name = format!("name = \"{}\"", self.name);
        let text = MANIFEST.replacen("name = \"payments\"", &name, 1);
        text.lines().map(|line| self.renamed(line) + "\n").collect()
    }

    /// A line whose topics are this scene's. Ports keep their names.
    fn renamed(&self, line: &str) -> String {
        let Some(listed) = line.strip_prefix("in = [") else {
            let prefixed = |topic: &str| format!("\"{}{topic}", self.prefix());
            return line
                .replace("\"payment.", &prefixed("payment."))
                .replace("\"account.", &prefixed("account."));
        };
        let ports = listed
            .trim_end_matches(']')
            .split(", ")
            .map(|port| port.trim_matches('"'));
        let wired: Vec<String> = ports.map(|port| format!("{port:?} = {:?}", self.topic(port))).collect();
        format!("in = {{ {} }}", wired.join(", "))
    }

    pub fn manifest(&self) -> PathBuf {
        self.folder.path().join("pipeline.toml")
    }

    /// What its topics' names begin with.
    pub fn prefix(&self) -> String {
        format!("{}.", self.name)
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    /// Where a node keeps its state.
    pub fn data(&self, node: &str) -> PathBuf {
        self.folder.path().join(node)
    }

    /// A node of this pipeline at the cluster itself.
    pub fn node(&self, node: &str) -> Node {
        Node {
            name: node.to_owned(),
            config: self.folder.path().join(format!("{node}.toml")),
            manifest: self.manifest(),
            data: self.data(node),
            bootstrap: self.bootstrap.clone(),
            settings: SHORT
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            create: "auto",
            workers: 2,
            env: Vec::new(),
            file_limit: None,
        }
    }

    /// The cluster's own addresses.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The consumer group of its instances, as the documentation has it.
    pub fn group(&self) -> String {
        format!("fermata.{}", self.name)
    }

    pub fn load(&self, prefix: &str, rate: u32) -> Load {
        Load::start(&self.bootstrap, &self.topic("payment.incoming"), prefix, rate)
    }

    /// Of a pipeline whose topics exist: an instance was ready.
    pub fn witness(&self) -> Witness {
        Witness::start(&self.bootstrap, &self.prefix(), PARTITIONS)
    }

    /// Ends the load, and holds what was sent against what was seen.
    pub fn settle(&self, load: Load, witness: &Witness, cli: &Cli) -> Figures {
        settle(&load.stop(), witness, cli)
    }
}

/// A member that is gone is noticed soon, and a broker that is back as well.
const SHORT: &[(&str, &str)] = &[
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "1000"),
    ("reconnect.backoff.max.ms", "500"),
];

/// One `fermata run --config` to be.
#[derive(Clone, Debug)]
pub struct Node {
    name: String,
    config: PathBuf,
    manifest: PathBuf,
    data: PathBuf,
    bootstrap: String,
    settings: Vec<(String, String)>,
    create: &'static str,
    workers: u8,
    env: Vec<(String, String)>,
    file_limit: Option<u64>,
}

impl Node {
    /// Through these addresses in place of the cluster's own.
    pub fn at(self, bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            ..self
        }
    }
    /// A setting of librdkafka.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(set, _)| set != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
    /// `auto`, `verify` or `never`.
    pub fn create(self, create: &'static str) -> Self {
        Self { create, ..self }
    }
    pub fn workers(self, workers: u8) -> Self {
        Self { workers, ..self }
    }
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
    /// No file may grow beyond so many KiB.
    pub fn file_limit(self, kib: u64) -> Self {
        Self {
            file_limit: Some(kib),
            ..self
        }
    }
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Starts, and waits until every shard is held by some node.
    pub fn start(&self) -> Server {
        Server::start(&self.spec())
    }
    /// Starts, and waits until its API listens.
    pub fn spawn(&self) -> Server {
        Server::spawn(&self.spec())
    }
    /// Starts, and waits for nothing: it may well end at once.
    pub fn launch(&self) -> Server {
        Server::launch(&self.spec())
    }

    fn spec(&self) -> ServerSpec {
        fs::write(&self.config, self.text()).expect("a temporary folder can be written to");
        ServerSpec {
            manifest: self.manifest.clone(),
            config: Some(self.config.clone()),
            data_dir: self.data.clone(),
            workers: self.workers,
            env: self.env.clone(),
            file_limit: self.file_limit,
        }
    }

    /// Its fermata.toml.
    fn text(&self) -> String {
        let settings: String = self
            .settings
            .iter()
            .map(|(name, value)| format!("\"{name}\" = {value:?}\n"))
            .collect();
        format!(
            "node = {{ id = {:?} }}\nlog = {{ kind = \"kafka\" }}\ntopics = {{ create = {:?} }}\n\
             auth = {{ peer-secret = \"of one scene\" }}\n[kafka]\n\"bootstrap.servers\" = {:?}\n{settings}",
            self.name, self.create, self.bootstrap
        )
    }
}
