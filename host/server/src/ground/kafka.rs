//! Topics of a Kafka cluster, and state beside them.

use super::{Nature, Site, Standing, Unfit};
use crate::failure::{Exit, Failure};
use crate::installation::{Create, Installation};
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Log, LogError};
use fermata_core::topics::TOMBSTONES;
use fermata_core::{PipelineName, Shard, codes, names};
use fermata_kafka::inspect::{InspectError, Inspector};
use fermata_kafka::{CreateTopics, KafkaLog, KafkaOptions};
use fermata_runtime::topics::TopicPlan;
use fermata_store::{Local, LocalOptions, PersistHook};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Readiness is at most so much older than the broker's absence, besides what a request may wait for.
const PROBE: Duration = Duration::from_secs(2);
/// Each look at the control topic is a request.
const CONTROL_WAIT: Duration = Duration::from_millis(50);
/// Even who gives up at once has asked once.
const SOON: Duration = Duration::from_millis(200);
/// Name of a node that joins no group.
const READER: &str = "reader";
/// Folder of the state, in the pipeline's own.
const STATE: &str = "state";

/// A cluster, as an installation describes it.
pub struct Kafka {
    installation: Installation,
    /// Between local state and the disk, for tests.
    persist_hook: Option<Arc<dyn PersistHook>>,
    /// Nobody waits longer for an answer than that, at the start.
    until: Option<Instant>,
}

impl Kafka {
    pub fn new(installation: Installation, persist_hook: Option<Arc<dyn PersistHook>>) -> Self {
        Self {
            installation,
            persist_hook,
            until: None,
        }
    }

    /// A start that met no broker by then is given up.
    pub fn give_up_at(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// The pipeline's log alone, for whoever only reads: no state is opened, and no topic is made.
    pub fn log(&self, manifest: &Manifest) -> Result<Arc<dyn Log>, Unfit> {
        let plan = self.plan(manifest)?;
        let mut options = self.options(manifest, READER, &plan);
        options.create = CreateTopics::Never;
        let log = KafkaLog::open(options).map_err(|e| self.unfit(e))?;
        Ok(log)
    }

    pub fn stand(&self, site: &Site<'_>) -> Result<Standing, Unfit> {
        let plan = self.plan(site.manifest)?;
        let mut settings = self.options(site.manifest, site.node, &plan);
        settings.members = (0..site.workers).map(|n| names::member(site.node, n)).collect();
        let log = KafkaLog::open(settings).map_err(|e| self.unfit(e))?;
        let mut options = LocalOptions::new(
            site.manifest.name.clone(),
            site.manifest.partitions,
            identity(log.cluster_id(), &site.manifest.name),
        );
        options.keep = TOMBSTONES / 2;
        options.on_fatal = Some(site.fatal.clone());
        options.persist_hook.clone_from(&self.persist_hook);
        let store = Local::open(&site.data_dir.join(STATE), options, log.clone()).map_err(|e| self.unfit(e))?;
        // Where another instance falls, its shards need only their last changes here.
        store.follow((0..site.manifest.partitions).map(Shard));
        let (sizes, followed) = (log.clone(), store.clone());
        Ok(Standing {
            topics: plan.specs(),
            sizes: Arc::new(move |topic| sizes.max_record_bytes(topic).map(Some)),
            shared: true,
            standby: Arc::new(move || followed.warmth()),
            nature: Nature {
                place: format!("log on Kafka at {}", self.servers()),
                alone: false,
                gapless: false,
                probe: Some(PROBE),
                control_wait: CONTROL_WAIT,
                remedy: "what was committed is on Kafka; mend what is said above and start again",
            },
            log,
            store,
        })
    }

    /// How the topics should be, beside those that are there.
    fn plan(&self, manifest: &Manifest) -> Result<TopicPlan, Unfit> {
        let policy = self.installation.topics.policy();
        let plan = TopicPlan::new(manifest, &policy)
            .map_err(|unknown| Failure::new(codes::MANIFEST_REFERENCE, Exit::Refused, unknown.to_string()))?;
        let answer_within = KafkaOptions::new(manifest.name.clone(), "", BTreeMap::new()).answer_within;
        let left = |until: Instant| until.saturating_duration_since(Instant::now()).max(SOON);
        let within = self.until.map_or(answer_within, |until| left(until).min(answer_within));
        let look = || Inspector::open(&self.settings(), within)?.topics(plan.names());
        let seen = look().map_err(|error| {
            let said = self.installation.mask(&error.to_string());
            match error {
                InspectError::Away { .. } => Unfit::Away(format!("{said}; bootstrap.servers is {}", self.servers())),
                InspectError::Setting { .. } => refused(codes::LOG_KAFKA_SETTINGS, &error, said),
                InspectError::Refused { .. } => refused(codes::LOG_KAFKA_RIGHTS, &error, said),
                InspectError::Failed { .. } => refused(codes::LOG_FAILED, &error, said),
            }
        })?;
        Ok(plan.fitted(&seen.found))
    }

    fn unfit(&self, error: LogError) -> Unfit {
        match error {
            LogError::Away(why) => Unfit::Away(self.installation.mask(&why)),
            LogError::Fatal(why) => LogError::Fatal(self.installation.mask(&why)).into(),
            other => other.into(),
        }
    }

    fn servers(&self) -> String {
        self.installation.kafka["bootstrap.servers"].to_string()
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let all = self.installation.kafka.iter();
        all.map(|(name, value)| (name.clone(), value.reveal().to_owned()))
            .collect()
    }

    fn options(&self, manifest: &Manifest, node: &str, plan: &TopicPlan) -> KafkaOptions {
        let mut options = KafkaOptions::new(manifest.name.clone(), node, self.settings());
        options.topics = plan.settings();
        options.replication = plan.replication_factor.map_or(-1, i32::from);
        options.create = match self.installation.topics.create {
            Create::Auto => CreateTopics::Auto,
            Create::Verify => CreateTopics::Verify,
            Create::Never => CreateTopics::Never,
        };
        options
    }
}

/// Does a folder belong to a pipeline whose log is a cluster's?
pub fn keeps_state(data_dir: &Path) -> bool {
    data_dir.join(STATE).is_dir()
}

fn refused(code: &str, error: &InspectError, said: String) -> Unfit {
    Failure::failed(code, said).help(error.remedy()).into()
}

/// State of another cluster or pipeline is of no use here.
fn identity(cluster: &str, pipeline: &PipelineName) -> String {
    format!("cluster {cluster}, pipeline {pipeline}")
}
