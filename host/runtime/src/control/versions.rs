//! Versions that are ready to run, and the configurations by whose digest they are known.

use super::error::Refusal;
use super::fold::Fold;
use super::prepare::{Job, Workshop};
use super::receipts;
use crate::guarded;
use fermata_core::codes;
use fermata_core::description::Description;
use fermata_core::journal::{JournalRecord, VersionEntry};
use fermata_core::manifest::{Manifest, Stage};
use fermata_core::names::Purpose;
use fermata_core::ports::{Artifacts, Log, LogError, Version};
use fermata_core::{Digest, Shard, StageName, VersionId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The JSON text that a stage's component is initialised with. With the validators in front of the stage it is the
/// setup ([`guarded`]), whose digest is half of the version.
pub fn config_json(stage: &Stage) -> String {
    stage.config.to_string()
}

/// A version and the setup it was prepared from.
#[derive(Clone)]
pub struct Loaded {
    pub version: Arc<dyn Version>,
    pub config_json: String,
}

/// By stage, since limits differ between stages.
pub struct Versions {
    ready: BTreeMap<(StageName, VersionId), Loaded>,
    /// Setups that are known, by digest.
    configs: BTreeMap<Digest, String>,
    /// What the manifest asks for.
    asked: BTreeMap<StageName, Result<Digest, Refusal>>,
}

impl Versions {
    /// Knows every configuration that the stages run or may go back to: the manifest's, those of the shards' newest
    /// journal records, and for what is still unknown those of the receipts.
    pub fn new(manifest: &Manifest, log: &dyn Log, fold: &Fold, artifacts: &dyn Artifacts) -> Result<Self, LogError> {
        let mut configs = BTreeMap::new();
        let mut asked = BTreeMap::new();
        for stage in &manifest.stages {
            let found = guarded::setup(stage, artifacts).map(|text| {
                let digest = Digest::of(text.as_bytes());
                configs.insert(digest, text);
                digest
            });
            asked.insert(stage.name.clone(), found);
        }
        let mut versions = Self {
            ready: BTreeMap::new(),
            configs,
            asked,
        };
        versions.learn(manifest, log, fold)?;
        Ok(versions)
    }

    /// What the journals and receipts tell of by now.
    pub fn learn(&mut self, manifest: &Manifest, log: &dyn Log, fold: &Fold) -> Result<(), LogError> {
        let configs = &mut self.configs;
        let journal = Purpose::Journal.topic(&manifest.name);
        for shard in (0..manifest.partitions).map(Shard) {
            let Some(last) = log.last(&journal, shard)? else {
                continue;
            };
            // A record that cannot be read is for its worker to complain of.
            let record = JournalRecord::decode_bytes(last.value.as_deref().unwrap_or_default());
            learn(configs, record.map(|r| r.versions).unwrap_or_default());
        }
        for deployment in fold.deployments.values() {
            if ![deployment.old, deployment.new]
                .iter()
                .all(|v| configs.contains_key(&v.config))
            {
                learn(configs, receipts::versions(log, manifest, deployment)?);
            }
        }
        Ok(())
    }

    /// Digest of the setup that the manifest asks for; refused when a validator of it was not found at the start.
    pub fn asked(&self, stage: &StageName) -> Result<Digest, Refusal> {
        self.asked.get(stage).cloned().unwrap_or_else(|| {
            let because = format!("the manifest has no stage {stage}");
            Err(Refusal::new(codes::MANIFEST_REFERENCE, because))
        })
    }

    pub fn get(&self, stage: &StageName, version: &VersionId) -> Option<&Loaded> {
        self.ready.get(&(stage.clone(), *version))
    }

    /// What every version that is ready says of itself.
    pub fn descriptions(&self) -> impl Iterator<Item = &Description> {
        self.ready.values().map(|loaded| loaded.version.description())
    }

    /// What the versions of other stages say of themselves.
    pub fn of_others<'a>(&'a self, stage: &'a StageName) -> impl Iterator<Item = (&'a StageName, &'a Description)> {
        let others = self.ready.iter().filter(move |((other, _), _)| other != stage);
        others.map(|((other, _), loaded)| (other, loaded.version.description()))
    }

    pub fn keep(&mut self, stage: &StageName, loaded: Loaded) {
        self.configs
            .insert(loaded.version.id().config, loaded.config_json.clone());
        self.ready.insert((stage.clone(), loaded.version.id()), loaded);
    }

    /// Drops compiled code that nothing can want soon.
    pub fn keep_only(&mut self, wanted: &BTreeSet<(StageName, VersionId)>) {
        self.ready.retain(|key, _| wanted.contains(key));
    }

    pub fn job(&self, stage: &Stage, version: VersionId) -> Result<Job, Refusal> {
        let Some(config) = self.configs.get(&version.config) else {
            let because = format!(
                "the configuration {} of {version} is neither in the manifest nor in the journals: \
                 deploy the component with the manifest's configuration",
                version.config
            );
            return Err(Refusal::new(codes::CONTROL_REFUSED, because));
        };
        Ok(Job {
            version,
            config_json: config.clone(),
            limits: stage.limits.clone(),
            tried_for: None,
        })
    }

    /// Ready at once or prepared here and now.
    pub fn load(&mut self, workshop: &Workshop, stage: &Stage, version: VersionId) -> Result<Loaded, Refusal> {
        if let Some(ready) = self.get(&stage.name, &version) {
            return Ok(ready.clone());
        }
        let loaded = workshop.prepare(&self.job(stage, version)?)?;
        self.keep(&stage.name, loaded.clone());
        Ok(loaded)
    }
}

fn learn(configs: &mut BTreeMap<Digest, String>, versions: Vec<VersionEntry>) {
    for entry in versions {
        let digest = Digest::of(entry.config_json.as_bytes());
        if entry.id().is_some_and(|id| id.config == digest) {
            configs.insert(digest, entry.config_json);
        }
    }
}
