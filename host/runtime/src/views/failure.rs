//! Why a view has no answer.

use fermata_core::codes;
use fermata_core::ports::{LogError, StateError};
use fermata_core::{Fault, Shard, StageName};

#[derive(Clone, Debug, thiserror::Error)]
pub enum ViewFailure {
    #[error("no stage has a view {view:?}{hint}")]
    NoSuchView { view: String, hint: String },
    #[error("view {view:?} has no such entry")]
    NoSuchEntry { view: String },
    #[error("view {view:?}: {found}")]
    BadParams { view: String, found: String },
    /// The component's own doing; no record is concerned.
    #[error("view {view:?} of stage {stage} failed: {fault}; deploy a version that answers it")]
    Fault {
        view: String,
        stage: StageName,
        fault: Fault,
    },
    #[error("view {view:?} of stage {stage} took too long; ask for less, or again")]
    Slow { view: String, stage: StageName },
    #[error("view {view:?} of stage {stage} cannot be served: {found}")]
    Host {
        view: String,
        stage: StageName,
        found: String,
    },
    /// One key's shard is held by nobody, or its owner does not answer.
    #[error("view {view:?}: shard {shard} does not answer: {found}; ask again in a moment")]
    NoOwner { view: String, shard: Shard, found: String },
    /// The owner of a shard could not answer; it says why.
    #[error("view {view:?} on node {node}: {found}")]
    There { view: String, node: String, found: String },
    #[error("view: {0}")]
    State(#[from] StateError),
    #[error("view: {0}")]
    Log(#[from] LogError),
    #[error("what the view shows was not on disk within {waited_ms} ms; ask again")]
    NotDurable { waited_ms: u64 },
}

impl ViewFailure {
    /// One of [`fermata_core::codes`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchView { .. } | Self::NoSuchEntry { .. } => codes::HTTP_NOT_FOUND,
            Self::BadParams { .. } => codes::HTTP_BAD_REQUEST,
            Self::Fault { .. } | Self::Slow { .. } => codes::COMPONENT_CONTRACT,
            Self::Host { .. } | Self::State(_) => codes::STATE_FAILED,
            Self::Log(_) => codes::LOG_FAILED,
            Self::NotDurable { .. } | Self::NoOwner { .. } => codes::HTTP_UNAVAILABLE,
            Self::There { .. } => codes::STATE_FAILED,
        }
    }
}
