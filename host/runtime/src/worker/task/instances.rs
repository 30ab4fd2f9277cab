//! Prepared versions, and the running components that a worker keeps of them.

use super::super::context::Stores;
use super::super::validation::Gate;
use super::super::wiring::Wiring;
use fermata_core::ports::{Instance, Version};
use fermata_core::{Fault, StageName, VersionId};
use std::collections::{HashMap, hash_map::Entry};
use std::sync::Arc;

/// A version in its stage: two stages may run the same version, each with its own stores and limits.
pub type Place = (StageName, VersionId);

/// A prepared version as tasks use it.
pub struct Loaded {
    pub place: Place,
    pub version: Arc<dyn Version>,
    pub stores: Arc<Stores>,
    /// JSON text of `init`, kept in the journal.
    pub config_json: String,
}

impl Loaded {
    pub fn new(wiring: &Wiring, version: Arc<dyn Version>, config_json: String) -> Self {
        let stores = Arc::new(Stores::new(&wiring.stage, version.description()));
        Self {
            place: (wiring.stage.clone(), version.id()),
            version,
            stores,
            config_json,
        }
    }
    pub fn id(&self) -> VersionId {
        self.version.id()
    }
}

/// Running components of one worker: one for each version of each stage, whatever the number of its tasks.
#[derive(Default)]
pub struct Instances {
    pub(super) warm: HashMap<Place, Warm>,
    /// The validators in front of them.
    pub(in super::super) gate: Gate,
    /// For proofs: no instance lives longer than one call.
    pub drop_after_each: bool,
}

pub(super) struct Warm {
    pub(super) instance: Box<dyn Instance>,
    pub(super) used: bool,
}

impl Instances {
    /// Makes one ready, so that a cutover does not wait for it later.
    pub fn warm_up(&mut self, loaded: &Loaded) -> Result<(), Fault> {
        self.warm_stage(loaded)?;
        self.gate.warm_up(loaded)
    }
    pub(super) fn warm_stage(&mut self, loaded: &Loaded) -> Result<(), Fault> {
        if let Entry::Vacant(place) = self.warm.entry(loaded.place.clone()) {
            let instance = loaded.version.instantiate()?;
            place.insert(Warm { instance, used: false });
        }
        Ok(())
    }
    pub fn clear(&mut self) {
        self.warm.clear();
        self.gate.clear();
    }
    pub fn keep_only(&mut self, live: impl Fn(&Place) -> bool) {
        self.warm.retain(|place, _| live(place));
        self.gate.keep_only(live);
    }
}
