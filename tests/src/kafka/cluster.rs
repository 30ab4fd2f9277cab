//! One broker or several, in folders that go with them.

use super::broker::{Broker, NotReady};
use super::jars::kafka;
use super::proxy::Proxy;
use super::settings::{ClusterOptions, Format, Ports, identity, properties};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A Kafka cluster. Nodes are numbered from 1, as Kafka numbers them.
pub struct Cluster {
    bootstrap: String,
    own: Option<Own>,
}

/// What a cluster that was given does not have.
struct Own {
    brokers: Vec<Broker>,
    ports: Vec<Ports>,
    proxies: Vec<Proxy>,
    /// Last, so that the brokers are gone when it is removed.
    folder: Folder,
}

impl Cluster {
    /// A broker of somebody else.
    pub fn given(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            own: None,
        }
    }

    /// A new cluster of one or three brokers, ready.
    pub fn start(brokers: u32) -> Self {
        Self::start_with(&ClusterOptions::new(brokers))
    }

    pub fn start_with(options: &ClusterOptions) -> Self {
        assert!(
            matches!(options.brokers, 1 | 3),
            "a test cluster has one broker or three"
        );
        // Between picking a port and binding it somebody may take it.
        for _ in 0..5 {
            match Self::try_start(options) {
                Ok(cluster) => return cluster,
                Err(NotReady::PortTaken) => {}
                Err(NotReady::Other(log)) => panic!("a Kafka broker ended while it started:\n{log}"),
            }
        }
        panic!("no Kafka broker got the ports that were free a moment before, five times");
    }

    fn try_start(options: &ClusterOptions) -> Result<Self, NotReady> {
        let folder = Folder::new();
        let cluster = identity();
        let ports: Vec<Ports> = (0..options.brokers).map(|_| Ports::pick(options.proxies)).collect();
        let listen = |slot: usize| {
            let of_all: Vec<_> = ports.iter().map(|p| p.proxied[slot]).collect();
            Proxy::listen(&of_all).map_err(|_| NotReady::PortTaken)
        };
        let proxies = (0..options.proxies).map(listen).collect::<Result<_, _>>()?;
        let mut brokers = Vec::new();
        for node in 1..=options.brokers {
            let own = folder.path.join(format!("broker-{node}"));
            let data = own.join("data");
            Format {
                node,
                cluster: &cluster,
            }
            .write(kafka(), &data);
            let text = properties(options, node, &ports, &data);
            fs::write(own.join("server.properties"), text).expect("a temporary folder can be written to");
            brokers.push(Broker::new(&own, options.serving));
        }
        let bootstrap = addresses(&ports, |p| p.plain);
        let cluster = Self {
            bootstrap,
            own: Some(Own {
                brokers,
                ports,
                proxies,
                folder,
            }),
        };
        let own = cluster.own.as_ref().expect("made above");
        own.brokers.iter().for_each(Broker::spawn);
        own.brokers.iter().try_for_each(Broker::ready)?;
        Ok(cluster)
    }

    /// `host:port` of every broker, without authentication.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// `host:port` of every broker's SASL/PLAIN listener (`sasl_plaintext`), for the users of `settings`.
    pub fn sasl(&self) -> String {
        addresses(&self.own().ports, |p| p.sasl)
    }

    /// The proxy before the proxied listener `slot` of every broker.
    pub fn proxy(&self, slot: usize) -> &Proxy {
        &self.own().proxies[slot]
    }

    fn own(&self) -> &Own {
        self.own.as_ref().unwrap_or_else(|| {
            panic!(
                "{} was given by {}: only clusters of a test's own are taken apart",
                self.bootstrap,
                super::GIVEN
            )
        })
    }

    fn broker(&self, node: u32) -> &Broker {
        &self.own().brokers[node as usize - 1]
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&self, node: u32) {
        self.broker(node).kill();
    }

    /// SIGTERM, and waits until it is gone.
    pub fn stop(&self, node: u32) {
        self.broker(node).stop();
    }

    /// Starts a stopped or killed broker at its old ports with its old data, and waits until it is ready.
    pub fn restart(&self, node: u32) {
        let broker = self.broker(node);
        broker.kill();
        broker.spawn();
        broker
            .ready()
            .unwrap_or_else(|e| panic!("broker {node} does not come back: {e:?}"));
    }

    /// SIGSTOP: its connections stay open and nothing answers.
    pub fn pause(&self, node: u32) {
        self.broker(node).pause();
    }

    /// SIGCONT.
    pub fn resume(&self, node: u32) {
        self.broker(node).resume();
    }

    /// Its process id.
    pub fn pid(&self, node: u32) -> String {
        self.broker(node).pid()
    }

    /// Where its brokers keep their data, one folder each.
    pub fn folder(&self) -> &Path {
        &self.own().folder.path
    }

    /// What a broker has logged since its last start.
    pub fn log(&self, node: u32) -> String {
        self.broker(node).log()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            own.brokers.iter().for_each(Broker::kill);
        }
    }
}

fn addresses(ports: &[Ports], port: impl Fn(&Ports) -> u16) -> String {
    let all: Vec<String> = ports.iter().map(|p| format!("127.0.0.1:{}", port(p))).collect();
    all.join(",")
}

/// A temporary folder that is removed even when this process is killed.
struct Folder {
    path: PathBuf,
    sweeper: Child,
}

const SWEEPER: &str = include_str!("../../kafka/sweeper.sh");

impl Folder {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fermata-kafka-").tempdir();
        let path = folder.expect("a temporary folder can be made").keep();
        let mut command = Command::new("sh");
        command
            .args(["-c", SWEEPER, "sweeper"])
            .arg(&path)
            .current_dir(parent(&path));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let sweeper = command.spawn().expect("sh is on every machine");
        Self { path, sweeper }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().expect("a temporary folder lies in another")
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.sweeper.stdin.take());
        // It ends by itself; when it does not, the folder is all that stays.
        let _ = self.sweeper.wait();
    }
}
