//! What `run` was asked for: the installation's file, and the flags that say otherwise.

use crate::cli::args::{DEFAULT_LISTEN, RunArgs};
use crate::failure::Failure;
use crate::ground::{Ground, Kafka};
use crate::host::persist;
use crate::installation::{DATA_DIR, Installation, LogKind};
use fermata_core::PipelineName;
use fermata_core::codes;
use fermata_runtime::nodes::NodeSpec;
use fermata_store::Options;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Threads of a run without an installation's file.
const WORKERS: usize = 2;
/// Name of a process that shares its log with no other.
const ALONE: &str = "local";
/// Where a node that nobody named keeps the name that it gave itself.
const NODE_FILE: &str = "node-id";

pub struct Setup {
    /// For this pipeline alone.
    pub data_dir: PathBuf,
    pub node: NodeSpec,
    pub peer_secret: Option<String>,
    pub workers: usize,
    pub listen: SocketAddr,
    pub ground: Ground,
}

impl Setup {
    pub fn of(args: &RunArgs, pipeline: &PipelineName) -> Result<Self, Failure> {
        let installation = args.config.as_deref().map(Installation::open).transpose()?;
        let node = installation.as_ref().map(|i| &i.node);
        let data_dir = args.data_dir.clone().or(node.map(|n| n.data_dir.clone()));
        let data_dir = data_dir.unwrap_or_else(|| DATA_DIR.into());
        let workers = args.workers.map(usize::from).or(node.map(|n| n.workers));
        let listen = args.listen.or(installation.as_ref().map(|i| i.listen));
        let id = node.and_then(|n| n.id.clone());
        let address = node.and_then(|n| n.advertise.clone());
        let secret = installation.as_ref().and_then(|i| i.peer_secret.as_ref());
        let peer_secret = secret.map(|secret| secret.reveal().to_owned());
        let (data_dir, node, ground) = match installation.filter(|i| i.log == LogKind::Kafka) {
            Some(installation) => {
                let id = id.map_or_else(|| own_name(&data_dir), Ok)?;
                let ground = Ground::Kafka(Box::new(Kafka::new(installation)));
                (data_dir.join(pipeline.as_str()), id, ground)
            }
            None => {
                let options = Options {
                    persist_hook: persist::from_environment()?,
                    ..Options::default()
                };
                (
                    data_dir,
                    id.unwrap_or_else(|| ALONE.to_owned()),
                    Ground::Embedded(options),
                )
            }
        };
        Ok(Self {
            data_dir,
            node: NodeSpec {
                name: node,
                address,
                version: crate::VERSION.to_owned(),
                ..NodeSpec::alone()
            },
            peer_secret,
            workers: threads(workers.unwrap_or(WORKERS)),
            listen: listen.unwrap_or_else(|| DEFAULT_LISTEN.parse().expect("a constant address")),
            ground,
        })
    }
}

fn threads(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}

/// The name that a node gave itself when it first used this folder: no other node's, and the same after a restart.
fn own_name(data_dir: &Path) -> Result<String, Failure> {
    let path = data_dir.join(NODE_FILE);
    let failed = |e: std::io::Error| Failure::failed(codes::LOG_FAILED, format!("cannot use {}: {e}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(kept) if crate::installation::valid_node(kept.trim()) => return Ok(kept.trim().to_owned()),
        Ok(kept) => {
            let found = format!("{} holds {kept:?}, which is no name of a node", path.display());
            return Err(Failure::failed(codes::LOG_FAILED, found).help("set node.id, or delete the file"));
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    let name = format!("node-{:08x}", RandomState::new().hash_one(std::process::id()) as u32);
    std::fs::create_dir_all(data_dir).map_err(failed)?;
    std::fs::write(&path, &name).map_err(failed)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_a_name_keeps_the_one_that_it_gave_itself() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let name = own_name(one.path()).ok().unwrap();
        assert_eq!(own_name(one.path()).ok().unwrap(), name);
        assert_ne!(own_name(two.path()).ok().unwrap(), name);
        std::fs::write(one.path().join(NODE_FILE), "a b").unwrap();
        assert!(own_name(one.path()).is_err());
    }
}
