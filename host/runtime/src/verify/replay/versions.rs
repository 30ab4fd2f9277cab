//! The versions that journals name, prepared once each.

use std::collections::BTreeMap;
use std::sync::Arc;

use fermata_core::VersionId;
use fermata_core::journal::VersionEntry;

use super::Replay;
use crate::guarded;
use crate::worker::task::Loaded;
use crate::worker::wiring::Wiring;

pub struct Versions<'a> {
    replay: &'a Replay<'a>,
    /// By stage, too: its stores are its own.
    prepared: BTreeMap<(String, VersionId), Arc<Loaded>>,
}

impl<'a> Versions<'a> {
    pub fn new(replay: &'a Replay<'a>) -> Self {
        Self {
            replay,
            prepared: BTreeMap::new(),
        }
    }

    /// The version as the journal recorded it. The error says what is missing.
    pub fn get(&mut self, wiring: &Wiring, entry: Option<&VersionEntry>) -> Result<Arc<Loaded>, String> {
        let entry = entry.ok_or("an event names a version that is not listed")?;
        let id = entry.id().ok_or("a digest of a version is not 32 bytes long")?;
        let key = (wiring.stage.to_string(), id);
        if let Some(loaded) = self.prepared.get(&key) {
            return Ok(loaded.clone());
        }
        let artifact = self.replay.artifacts.get(&id.component).map_err(|e| e.to_string())?;
        let Replay {
            executor, artifacts, ..
        } = *self.replay;
        let prepared = guarded::prepare(executor, artifacts, &artifact, &entry.config_json, &wiring.limits);
        let version = prepared.map_err(|e| format!("version {id} cannot be prepared again: {e}"))?;
        if version.id() != id {
            return Err(format!(
                "version {id} with configuration {} became version {} with configuration {}",
                id.config,
                version.id(),
                version.id().config
            ));
        }
        let loaded = Arc::new(Loaded::new(wiring, version, entry.config_json.clone()));
        self.prepared.insert(key, loaded.clone());
        Ok(loaded)
    }
}
