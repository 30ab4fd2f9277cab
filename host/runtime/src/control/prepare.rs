//! Preparing a candidate while the old version runs: on a thread in a server, in line where steps must be the same
//! in every run.

use super::error::Refusal;
use super::fit;
use super::versions::Loaded;
use crate::guarded;
use crate::trial::{Trial, Tried};
use fermata_core::codes;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifacts, Executor, Moment, Probe, Version};
use fermata_core::{Digest, StageName, VersionId};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Where candidates are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparing {
    /// On a thread of its own: the control plane goes on.
    Background,
    /// Within the step: steps stay deterministic.
    InStep,
}

/// What can make a version ready.
#[derive(Clone)]
pub struct Workshop {
    pub executor: Arc<dyn Executor>,
    pub artifacts: Arc<dyn Artifacts>,
    pub probe: Arc<dyn Probe>,
    pub trial: Trial,
}

/// What is to be made ready.
#[derive(Clone, Debug)]
pub struct Job {
    pub version: VersionId,
    pub config_json: String,
    pub limits: Limits,
    /// It is to be tried on what this stage processed last.
    pub tried_for: Option<StageName>,
}

impl Workshop {
    /// Bytes by digest, compile, describe, init; for a candidate also a trial.
    pub fn prepare(&self, job: &Job) -> Result<Loaded, Refusal> {
        let artifact = self.artifacts.get(&job.version.component)?;
        let found = Digest::of(&artifact.bytes);
        if found != job.version.component {
            let because = format!(
                "the kept bytes of {} have digest {found}: upload them again",
                job.version
            );
            return Err(Refusal::new(codes::COMPONENT_MISSING, because));
        }
        let (executor, artifacts) = (&*self.executor, &*self.artifacts);
        let version = guarded::prepare(executor, artifacts, &artifact, &job.config_json, &job.limits)?;
        if version.id() != job.version {
            let because = format!("{} was prepared where {} was asked for", version.id(), job.version);
            return Err(Refusal::new(codes::CONTROL_REFUSED, because));
        }
        if let Some(stage) = &job.tried_for {
            self.try_out(stage, &version, &job.config_json)?;
        }
        Ok(Loaded {
            version,
            config_json: job.config_json.clone(),
        })
    }

    /// Refuses what does not say of the stage's last records the same on a used instance as on a fresh one.
    fn try_out(&self, stage: &StageName, version: &Arc<dyn Version>, setup: &str) -> Result<(), Refusal> {
        let fits = self.trial.manifest.stage(stage.as_str());
        if fits.is_none_or(|stage| fit::ports(stage, version.description()).is_err()) {
            // It is refused for that, by whoever asks for it.
            return Ok(());
        }
        match self.trial.run(stage, version.clone(), setup) {
            Ok(Tried::Same { samples }) => tracing::debug!("{} was tried on {samples} records", version.id()),
            Ok(Tried::Differs(found)) => {
                let because = format!("{found}: whatever is to outlast a record belongs in a store");
                return Err(Refusal::new(codes::COMPONENT_REMEMBERS, because));
            }
            Ok(Tried::Untold(why)) => tracing::warn!("stage {stage}: {} goes untried: {why}", version.id()),
            // Nothing is lost by it: probation sees the same records and more.
            Err(error) => tracing::warn!("stage {stage}: {} goes untried: {error}", version.id()),
        }
        Ok(())
    }
}

/// Versions being prepared, candidates by the number of their deployment.
pub struct Preparations<K> {
    how: Preparing,
    workshop: Workshop,
    begun: BTreeMap<K, Work>,
}

enum Work {
    Running(JoinHandle<Result<Loaded, Refusal>>),
    Ended(Result<Loaded, Refusal>),
    /// Its result was fetched.
    Told,
}

impl<K: Ord + Clone + Debug> Preparations<K> {
    pub fn new(how: Preparing, workshop: Workshop) -> Self {
        Self {
            how,
            workshop,
            begun: BTreeMap::new(),
        }
    }

    /// Begins once for each.
    pub fn begin(&mut self, what: K, job: Result<Job, Refusal>) {
        if self.begun.contains_key(&what) {
            return;
        }
        let workshop = self.workshop.clone();
        let prepare = move || {
            let job = job?;
            workshop.probe.reached(Moment::Prepare);
            workshop.prepare(&job)
        };
        let work = match self.how {
            Preparing::InStep => Work::Ended(prepare()),
            Preparing::Background => {
                let named = std::thread::Builder::new().name(format!("prepare-{what:?}"));
                match named.spawn(prepare) {
                    Ok(thread) => Work::Running(thread),
                    Err(error) => {
                        let because = format!("no thread to prepare {what:?} on: {error}");
                        Work::Ended(Err(Refusal::new(codes::CONTROL_REFUSED, because)))
                    }
                }
            }
        };
        self.begun.insert(what, work);
    }

    /// Those that have ended since the last call.
    pub fn ended(&mut self) -> Vec<(K, Result<Loaded, Refusal>)> {
        let mut ended = Vec::new();
        for (what, work) in &mut self.begun {
            let running = match work {
                Work::Running(thread) => !thread.is_finished(),
                Work::Ended(_) => false,
                Work::Told => true,
            };
            if running {
                continue;
            }
            let result = match std::mem::replace(work, Work::Told) {
                Work::Running(thread) => thread.join().unwrap_or_else(|_| {
                    let because = "its preparation ended in a panic of the host: see the log";
                    Err(Refusal::new(codes::CONTROL_REFUSED, because))
                }),
                Work::Ended(result) => result,
                Work::Told => continue,
            };
            ended.push((what.clone(), result));
        }
        ended
    }

    /// It may be begun again.
    pub fn forget(&mut self, what: &K) {
        self.begun.remove(what);
    }
}
