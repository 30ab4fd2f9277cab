//! What a pipeline stands on: its log, and where its state is kept. The one place that knows which.

mod embedded;
mod kafka;

pub use embedded::open;
pub use kafka::{Kafka, keeps_state};

use crate::failure::Failure;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Log, LogError, StateStore, TopicSpec};
use fermata_core::{Shard, TopicName};
use fermata_store::Options;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Which log, and how it is set up.
pub enum Ground {
    /// One database in the data folder is log and state in one. Sizes, and the hook between a commit and the disk.
    Embedded(Options),
    /// Topics of a cluster, and state beside it, restored from a changelog.
    Kafka(Box<Kafka>),
}

impl Default for Ground {
    fn default() -> Self {
        Self::Embedded(Options::default())
    }
}

/// Who stands on it.
#[derive(Clone)]
pub struct Site<'a> {
    pub manifest: &'a Manifest,
    pub node: &'a str,
    pub workers: usize,
    pub data_dir: &'a Path,
    /// Told once when nothing can be promised any more.
    pub fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

/// An opened ground.
pub struct Standing {
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn StateStore>,
    /// Every topic that the pipeline needs on it.
    pub topics: Vec<TopicSpec>,
    pub sizes: Sizes,
    /// Other instances of the pipeline may stand on it as well.
    pub shared: bool,
    /// Shards whose state is followed here, and how many changes each is behind.
    pub standby: Arc<dyn Fn() -> BTreeMap<Shard, u64> + Send + Sync>,
    pub nature: Nature,
}

/// Bytes of key, value and headers that a record of a topic may have, where the log is narrower than every limit of
/// Fermata; as the log has it when it is asked.
pub type Sizes = Arc<dyn Fn(&TopicName) -> Result<Option<usize>, LogError> + Send + Sync>;

/// What the rest of the process may rely on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nature {
    /// As in "pipeline payments · log in fermata-data".
    pub place: String,
    /// The log has no topics but this pipeline's.
    pub alone: bool,
    /// Every offset holds a record, so that offsets count them.
    pub gapless: bool,
    /// The log may be away: it is looked at so often, so that readiness knows.
    pub probe: Option<Duration>,
    /// How long the controller waits for events before it looks at the log again.
    pub control_wait: Duration,
    /// What to do when the process has stopped by itself.
    pub remedy: &'static str,
}

/// Why a ground does not open.
#[derive(Debug)]
pub enum Unfit {
    /// It may, later.
    Away(String),
    Refused(Failure),
}

impl From<LogError> for Unfit {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Away(why) => Self::Away(why),
            other => Self::Refused(other.into()),
        }
    }
}

impl From<Failure> for Unfit {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl Ground {
    /// Opens log and state. The pipeline's topics may not be there yet.
    pub fn open(&self, site: &Site<'_>) -> Result<Standing, Unfit> {
        match self {
            Self::Embedded(options) => Ok(embedded::stand(options, site)?),
            Self::Kafka(kafka) => kafka.stand(site),
        }
    }
}
