//! Asking another instance for its part of a view.

use super::failure::ViewFailure;
use fermata_core::{Sequence, Shard};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Reaches other instances.
pub trait Peers: Send + Sync {
    /// What the instance at `address` (a URL, as it told) says within `within`.
    fn ask(&self, address: &str, question: &Question, within: Duration) -> Result<Reply, PeerError>;
}

/// The only instance of its log has nobody to ask.
#[derive(Debug, Default)]
pub struct NoPeers;
impl Peers for NoPeers {
    fn ask(&self, address: &str, _: &Question, _: Duration) -> Result<Reply, PeerError> {
        Err(PeerError(format!("this instance asks nobody, so not {address} either")))
    }
}

/// It cannot be reached, does not answer in time, or says something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PeerError(pub String);

/// For the parts of some shards, before they are merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub view: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default)]
    pub params: Value,
    pub shards: Vec<Shard>,
}

/// Parts of those shards that are held there; what they show is durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    Parts(Vec<(Shard, Part)>),
    Refused(Said),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The shard's journal sequence as of the snapshot.
    pub sequence: Sequence,
    /// JSON, as the component gave it.
    pub text: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    NoSuchView(String),
    NoSuchEntry,
    BadParams(String),
    Failed(String),
}

impl From<&ViewFailure> for Said {
    fn from(failure: &ViewFailure) -> Self {
        match failure {
            ViewFailure::NoSuchView { hint, .. } => Self::NoSuchView(hint.clone()),
            ViewFailure::NoSuchEntry { .. } => Self::NoSuchEntry,
            ViewFailure::BadParams { found, .. } => Self::BadParams(found.clone()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Said {
    /// As if it had been found here.
    pub(super) fn failure(self, view: &str, node: &str) -> ViewFailure {
        let (view, node) = (view.to_owned(), node.to_owned());
        match self {
            Self::NoSuchView(hint) => ViewFailure::NoSuchView { view, hint },
            Self::NoSuchEntry => ViewFailure::NoSuchEntry { view },
            Self::BadParams(found) => ViewFailure::BadParams { view, found },
            Self::Failed(found) => ViewFailure::There { view, node, found },
        }
    }
}
