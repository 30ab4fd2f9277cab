//! Why the control plane cannot start or go on, and why a command or a candidate is refused.

use super::asked::Unanswered;
use fermata_core::codes;
use fermata_core::ports::{ArtifactError, LogError, PrepareError};
use fermata_core::{StageName, TopicName};

/// The control plane cannot start, or the process should stop.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("control plane: {0}")]
    Log(#[from] LogError),
    /// A stage cannot run what it should: fix the manifest or give back the component.
    #[error("stage {stage} cannot start: {refusal}")]
    Stage { stage: StageName, refusal: Refusal },
    /// The manifest asks for views that no stage answers.
    #[error("the manifest cannot be run: {}", told(.0))]
    Views(Vec<Unanswered>),
    /// Facts of this process are void from now on: it must stop.
    #[error("another process decides for this pipeline (term {theirs}, this one had term {own}): this one stops")]
    Deposed { own: u64, theirs: u64 },
    /// What is kept of it belongs to a topic that is gone.
    #[error(
        "topic {topic} was deleted and made anew: it is {found}, and the pipeline's positions belong to {known}. Restore \
         the old one from a copy, or begin under a new pipeline name"
    )]
    Anew {
        topic: TopicName,
        known: String,
        found: String,
    },
    /// Journals say that tasks have run, and no fact says what they ran.
    #[error(
        "topic {topic} has no facts, though tasks have run: it was deleted and made anew. Restore it from a copy, or \
         begin under a new pipeline name"
    )]
    NoFacts { topic: TopicName },
    /// A worker met something that it cannot get over: the process should stop.
    #[error("worker {worker} stopped: {because}")]
    Worker { worker: usize, because: String },
}

impl ControlError {
    /// One of [`fermata_core::codes`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Log(LogError::PartitionCount { .. }) => codes::LOG_PARTITIONS,
            Self::Anew { .. } | Self::NoFacts { .. } => codes::LOG_KAFKA_POSITION,
            Self::Deposed { .. } => codes::CONTROL_DEPOSED,
            Self::Log(_) | Self::Worker { .. } => codes::LOG_FAILED,
            Self::Stage { refusal, .. } => refusal.code,
            Self::Views(_) => codes::MANIFEST_REFERENCE,
        }
    }
}

fn told(missing: &[Unanswered]) -> String {
    let all: Vec<String> = missing.iter().map(ToString::to_string).collect();
    all.join("; ")
}

/// A refusal that a person can act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {because}")]
pub struct Refusal {
    /// One of [`fermata_core::codes`].
    pub code: &'static str,
    pub because: String,
}

impl Refusal {
    pub fn new(code: &'static str, because: impl Into<String>) -> Self {
        Self {
            code,
            because: because.into(),
        }
    }
}

impl From<PrepareError> for Refusal {
    fn from(error: PrepareError) -> Self {
        let code = match &error {
            PrepareError::NotAComponent(_) => codes::COMPONENT_FORMAT,
            PrepareError::Contract(_) => codes::COMPONENT_CONTRACT,
            PrepareError::Init(_) => codes::COMPONENT_INIT,
            PrepareError::Config(_) => codes::COMPONENT_CONFIG,
            PrepareError::Secret(_) => codes::MANIFEST_SECRET,
            PrepareError::Compile(_) => codes::COMPONENT_COMPILE,
            PrepareError::Host(_) => codes::CONTROL_REFUSED,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ArtifactError> for Refusal {
    fn from(error: ArtifactError) -> Self {
        Self::new(codes::COMPONENT_MISSING, error.to_string())
    }
}
