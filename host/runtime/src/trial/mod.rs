//! A candidate is tried before it is switched to: what its stage processed last is given to an instance that is kept,
//! and each time to a fresh one as well. Both must say the same bytes, or the candidate remembers what it should not.
//!
//! The trial begins from empty state and keeps nothing. What is said is compared, never judged: a record that faults
//! does so for the old version to see, in probation.

mod play;
mod said;
mod samples;
#[cfg(test)]
mod tests;

use crate::worker::task::{Instances, Loaded};
use crate::worker::wiring::Wiring;
use fermata_core::StageName;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Log, LogError, Version};
use play::{Halted, Player};
use std::sync::Arc;

/// How often the samples begin again from empty state, on the same kept instance: one that remembers what a store held
/// is found out by a store that does not hold it any more, as after a rejection, or when a shard comes back.
const LIVES: usize = 2;
/// How often each life goes through them: one that remembers what it has met is found out by meeting it again.
const PASSES: usize = 2;

/// Where candidates are tried.
#[derive(Clone)]
pub struct Trial {
    pub manifest: Arc<Manifest>,
    pub log: Arc<dyn Log>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// A used instance said the same as a fresh one, on so many samples.
    Same { samples: usize },
    /// The first difference.
    Differs(String),
    /// It cannot be told, and why.
    Untold(String),
}

impl Trial {
    /// Tries `version`, made ready for `stage` from `setup`. The error: the log does not give the samples.
    pub fn run(&self, stage: &StageName, version: Arc<dyn Version>, setup: &str) -> Result<Tried, LogError> {
        let Some(stage) = self.manifest.stage(stage.as_str()) else {
            return Ok(Tried::Untold(format!("the manifest has no stage {stage}")));
        };
        let samples = samples::gather(&*self.log, &self.manifest, stage)?;
        let wiring = Arc::new(Wiring::new(&self.manifest, stage));
        let loaded = Arc::new(Loaded::new(&wiring, version, setup.to_owned()));
        let mut kept = Instances::default();
        let mut fresh = Instances::default();
        fresh.drop_after_each = true;
        let works = samples.works(&wiring);
        for _ in 0..LIVES {
            let mut on_kept = Player::new(&wiring, &loaded, &mut kept, samples.now);
            let mut on_fresh = Player::new(&wiring, &loaded, &mut fresh, samples.now);
            for _ in 0..PASSES {
                match play::compare(&works, &mut on_kept, &mut on_fresh) {
                    Ok(()) => {}
                    Err(Halted::Differs(found)) => return Ok(Tried::Differs(found)),
                    Err(Halted::Untold(why)) => return Ok(Tried::Untold(why)),
                }
            }
        }
        Ok(Tried::Same { samples: works.len() })
    }
}
