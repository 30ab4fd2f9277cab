//! An installation on Kafka with a pipeline on it, before anything runs there.

use super::args::SiteArgs;
use crate::failure::{Exit, Failure};
use crate::installation::{Create, Installation, LogKind};
use crate::source;
use fermata_core::codes;
use fermata_core::manifest::Manifest;
use fermata_kafka::inspect::{InspectError, Inspector};
use fermata_runtime::topics::TopicPlan;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long any one answer of a cluster may take.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub struct Site {
    pub installation: Installation,
    pub manifest: Manifest,
    pub plan: TopicPlan,
    pub within: Duration,
}

impl Site {
    pub fn open(args: &SiteArgs, within: Option<Duration>) -> Result<Self, Failure> {
        let installation = Installation::open(&args.config)?;
        if installation.log != LogKind::Kafka {
            let name = args.config.display();
            let refused = Failure::new(
                codes::CONTROL_REFUSED,
                Exit::Refused,
                format!("{name}: log.kind is \"embedded\", whose topics are made by themselves"),
            );
            return Err(refused.help("name an installation with log.kind = \"kafka\" by --config"));
        }
        let manifest = source::open(&args.file, args.env.name())?.manifest()?;
        Self::of(installation, manifest, within)
    }

    pub fn of(installation: Installation, manifest: Manifest, within: Option<Duration>) -> Result<Self, Failure> {
        let plan = plan(&installation, &manifest)?;
        Ok(Self {
            installation,
            manifest,
            plan,
            within: within.unwrap_or(ANSWER_WITHIN),
        })
    }

    pub fn inspector(&self) -> Result<Inspector, Failure> {
        inspector(&self.installation, self.within)
    }

    pub fn bootstrap(&self) -> &str {
        bootstrap(&self.installation)
    }

    /// Does the host make what is missing?
    pub fn makes_topics(&self) -> bool {
        self.installation.topics.create == Create::Auto
    }

    /// What went wrong with the cluster, without any secret.
    pub fn failure(&self, error: &InspectError) -> Failure {
        failure(&self.installation, error)
    }
}

/// How the pipeline's topics should be on this installation.
pub fn plan(installation: &Installation, manifest: &Manifest) -> Result<TopicPlan, Failure> {
    TopicPlan::new(manifest, &installation.topics.policy()).map_err(|unknown| {
        let refused = Failure::new(codes::MANIFEST_REFERENCE, Exit::Refused, unknown.to_string());
        refused.help("topics.retention is a table: dlq, journal, ticks or a topic of the manifest, and how long")
    })
}

pub fn settings(installation: &Installation) -> BTreeMap<String, String> {
    let settings = installation.kafka.iter();
    settings
        .map(|(name, value)| (name.clone(), value.reveal().to_owned()))
        .collect()
}

pub fn bootstrap(installation: &Installation) -> &str {
    installation
        .kafka
        .get("bootstrap.servers")
        .map_or("", |servers| servers.reveal())
}

pub fn inspector(installation: &Installation, within: Duration) -> Result<Inspector, Failure> {
    Inspector::open(&settings(installation), within).map_err(|e| failure(installation, &e))
}

pub fn failure(installation: &Installation, error: &InspectError) -> Failure {
    let (code, exit) = match error {
        InspectError::Setting { .. } => (codes::LOG_KAFKA_SETTINGS, Exit::Refused),
        InspectError::Refused { .. } => (codes::LOG_KAFKA_RIGHTS, Exit::Refused),
        InspectError::Away { .. } => (codes::LOG_AWAY, Exit::Unreachable),
        InspectError::Failed { .. } => (codes::LOG_FAILED, Exit::Failed),
    };
    Failure::new(code, exit, installation.mask(&error.to_string())).help(error.remedy())
}
