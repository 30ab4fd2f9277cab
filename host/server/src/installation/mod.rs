//! `fermata.toml`: one installation. Which node this is, which log its pipelines stand on, and what topics are made of.
//!
//! Read once, at the border: unknown keys are refused, every mistake is told with its place, and what came out of
//! `${env:X}` or `${file:/path}` is never printed. `FERMATA__NODE__ID=a` in the environment overrides `node.id`.

mod document;
mod read;
mod setting;
#[cfg(test)]
mod tests;

pub use document::PREFIX;
pub use read::valid_node;
pub use setting::Setting;

use crate::configs::Machine;
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use fermata_core::manifest::ManifestErrors;
use fermata_core::manifest::secrets::Secrets;
use fermata_runtime::topics::TopicPolicy;
use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where state and components are kept when nobody says otherwise.
pub const DATA_DIR: &str = "fermata-data";
/// No `fermata.toml` that a person wrote is longer.
const MAX_BYTES: u64 = 1 << 20;

/// What a `fermata.toml` says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Installation {
    pub node: Node,
    pub listen: SocketAddr,
    /// What instances show each other, so that nobody else is answered on their behalf.
    pub peer_secret: Option<Setting>,
    pub log: LogKind,
    /// By librdkafka's names, passed through.
    pub kafka: BTreeMap<String, Setting>,
    pub topics: Topics,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Stable across restarts, and no other instance's: members and transactional ids are made of it.
    pub id: Option<String>,
    pub data_dir: PathBuf,
    /// Threads; 0: as many as the machine has cores.
    pub workers: usize,
    /// URL under which other instances reach this one.
    pub advertise: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    Embedded,
    Kafka,
}

/// How topics are made, where the log is Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    pub create: Create,
    /// `None`: the broker's default.
    pub replication_factor: Option<u16>,
    pub min_insync_replicas: Option<u16>,
    /// By `dlq`, `journal`, `ticks` or the name of a topic of the manifest.
    pub retention: BTreeMap<String, Duration>,
}

impl Topics {
    /// What a plan of topics goes by.
    pub fn policy(&self) -> TopicPolicy {
        TopicPolicy {
            replication_factor: self.replication_factor,
            min_insync_replicas: self.min_insync_replicas,
            retention: self.retention.clone(),
        }
    }
}

/// What happens at the start to topics that are missing or differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Create {
    /// Missing ones are made; what differs is an error.
    #[default]
    Auto,
    /// Nothing is made; what is missing or differs is an error.
    Verify,
    /// Nothing is made or compared; what is missing is an error.
    Never,
}

impl Installation {
    /// Reads a file, with the environment laid over it.
    pub fn open(file: &Path) -> Result<Self, Failure> {
        let name = file.display().to_string();
        let wrong = |exit, found: String| Failure::new(codes::MANIFEST_SYNTAX, exit, format!("{name} {found}"));
        let mut bytes = Vec::new();
        let read = std::fs::File::open(file).and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        if let Err(e) = read {
            return Err(match e.kind() {
                std::io::ErrorKind::NotFound => wrong(Exit::NotFound, "does not exist".to_owned()),
                _ => wrong(Exit::Failed, format!("cannot be read: {e}")),
            });
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(wrong(Exit::Refused, format!("has more than {MAX_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong(Exit::Refused, "is not UTF-8 text".to_owned()))?;
        let variables = document::variables(std::env::vars_os())?;
        Ok(Self::parse(&name, &text, &variables, &Machine)?)
    }

    /// As [`Installation::open`], from what was read. `variables`: those that begin with [`PREFIX`].
    pub fn parse(
        file: &str,
        text: &str,
        variables: &[(String, String)],
        secrets: &dyn Secrets,
    ) -> Result<Self, ManifestErrors> {
        document::read(file, text, variables, |table, problems| {
            read::installation(table, problems, secrets)
        })
    }

    /// `text` without any secret of this installation.
    pub fn mask(&self, text: &str) -> String {
        let all = self.kafka.values().chain(&self.peer_secret);
        let mut secrets: Vec<&str> = all.filter(|s| s.is_secret()).map(Setting::reveal).collect();
        // One within another is masked with it.
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        let found = secrets.into_iter().filter(|s| !s.is_empty());
        found.fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}
