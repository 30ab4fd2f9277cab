//! The programs that take part, and the broker.

use super::Outcome;
use crate::kafka::{Cluster, ClusterOptions};
use std::path::{Path, PathBuf};

/// Where `cargo xtask bench` builds everything: beside this program's own folder.
pub struct Tools {
    pub fermata: PathBuf,
    pub payload: PathBuf,
    /// With the peer's jar, and those that it needs in `lib`.
    pub peer: PathBuf,
}

pub const PEER_JAR: &str = "peer-kstreams-0.1.0.jar";

impl Tools {
    /// `peer`: it takes part.
    pub fn find(peer: bool) -> Outcome<Self> {
        let own = std::env::current_exe()?;
        let release = own.parent().ok_or("this program lies in no folder")?;
        let target = release.parent().ok_or("this program lies in no folder")?;
        let tools = Self {
            fermata: release.join("fermata"),
            payload: release.join("payload"),
            peer: target.join("bench/peer"),
        };
        there(&tools.fermata)?;
        there(&tools.payload)?;
        if peer {
            there(&tools.peer.join(PEER_JAR))?;
        }
        Ok(tools)
    }
}

fn there(path: &Path) -> Outcome<()> {
    if path.exists() {
        return Ok(());
    }
    Err(format!("{} is not there: `cargo xtask bench --kafka` builds it", path.display()).into())
}

/// One broker as it serves others, not as it starts quickly for a test; or the one that was given.
pub struct Broker {
    cluster: Given,
}

enum Given {
    Own(Cluster),
    Theirs(&'static Cluster),
}

impl Broker {
    pub fn start() -> Self {
        let cluster = if crate::kafka::given() {
            Given::Theirs(crate::kafka::shared())
        } else {
            Given::Own(Cluster::start_with(&ClusterOptions::new(1).serving()))
        };
        Self { cluster }
    }

    pub fn bootstrap(&self) -> &str {
        match &self.cluster {
            Given::Own(cluster) => cluster.bootstrap(),
            Given::Theirs(cluster) => cluster.bootstrap(),
        }
    }

    /// Its process, to know what it uses; 0: it runs elsewhere.
    pub fn pid(&self) -> String {
        match &self.cluster {
            Given::Own(cluster) => cluster.pid(1),
            Given::Theirs(_) => "0".to_owned(),
        }
    }
}
