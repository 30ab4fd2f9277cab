//! Instances that answer views: never a worker's, a few kept for each version.

use super::failure::ViewFailure;
use fermata_core::ports::{Called, Failure, HostCalls, Instance, Version, ViewError};
use fermata_core::{StageName, VersionId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kept idle for each version; more are made while they are asked for.
const KEPT: usize = 2;

type Idle = BTreeMap<(StageName, VersionId), Vec<Box<dyn Instance>>>;

#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

/// Who is asked, and for which view.
pub(super) struct Asked<'a> {
    pub stage: &'a StageName,
    pub version: &'a Arc<dyn Version>,
    pub view: &'a str,
}

type Answered = Called<Result<String, ViewError>>;

impl Pool {
    /// Runs a call. An instance that was used before is only suspected: the verdict is a fresh one's.
    pub fn call(
        &self,
        asked: &Asked<'_>,
        host: impl Fn() -> Box<dyn HostCalls>,
        call: impl Fn(&mut dyn Instance, Box<dyn HostCalls>) -> Answered,
    ) -> Result<String, ViewFailure> {
        let key = (asked.stage.clone(), asked.version.id());
        let (view, stage) = (asked.view.to_owned(), asked.stage.clone());
        let mut warm = self.idle.lock().get_mut(&key).and_then(Vec::pop);
        loop {
            let used = warm.is_some();
            let mut instance = match warm.take() {
                Some(instance) => instance,
                None => match asked.version.instantiate() {
                    Ok(instance) => instance,
                    Err(fault) => return Err(ViewFailure::Fault { view, stage, fault }),
                },
            };
            return match call(&mut *instance, host()).result {
                Ok(answer) => {
                    self.keep(key, instance);
                    answer.map_err(|error| match error {
                        ViewError::NotFound => ViewFailure::NoSuchEntry { view },
                        ViewError::BadParams(found) => ViewFailure::BadParams { view, found },
                    })
                }
                Err(Failure::Fault(_) | Failure::Deadline) if used => continue,
                Err(Failure::Fault(fault)) => Err(ViewFailure::Fault { view, stage, fault }),
                Err(Failure::Deadline) => Err(ViewFailure::Slow { view, stage }),
                Err(Failure::Host(found)) => Err(ViewFailure::Host { view, stage, found }),
            };
        }
    }

    fn keep(&self, key: (StageName, VersionId), instance: Box<dyn Instance>) {
        let mut idle = self.idle.lock();
        let kept = idle.entry(key).or_default();
        if kept.len() < KEPT {
            kept.push(instance);
        }
    }

    /// Lets go of versions that are not live any more.
    pub fn keep_only(&self, live: impl Fn(&(StageName, VersionId)) -> bool) {
        self.idle.lock().retain(|key, _| live(key));
    }
}
