//! Preparing a candidate while the old version runs: on a thread in a server, in line where steps must be the same
//! in every run.

use super::error::Refusal;
use super::versions::Loaded;
use crossbeam_channel::{Receiver, Sender, unbounded};
use fermata_core::codes;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifacts, Executor, Moment, Probe};
use fermata_core::{Digest, VersionId};
use std::collections::BTreeSet;
use std::sync::Arc;

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
}

/// What is to be made ready.
#[derive(Clone, Debug)]
pub struct Job {
    pub version: VersionId,
    pub config_json: String,
    pub limits: Limits,
}

impl Workshop {
    /// Bytes by digest, compile, describe, init.
    pub fn prepare(&self, job: &Job) -> Result<Loaded, Refusal> {
        let artifact = self.artifacts.get(&job.version.component)?;
        let found = Digest::of(&artifact.bytes);
        if found != job.version.component {
            let because = format!("the kept bytes of {} have digest {found}: upload them again", job.version);
            return Err(Refusal::new(codes::COMPONENT_MISSING, because));
        }
        let version = self.executor.prepare(&artifact, &job.config_json, &job.limits)?;
        if version.id() != job.version {
            let because = format!("{} was prepared where {} was asked for", version.id(), job.version);
            return Err(Refusal::new(codes::CONTROL_REFUSED, because));
        }
        Ok(Loaded { version, config_json: job.config_json.clone() })
    }
}

type Done = (u64, Result<Loaded, Refusal>);

/// Candidates being prepared, by number of deployment.
pub struct Preparations {
    how: Preparing,
    workshop: Workshop,
    begun: BTreeSet<u64>,
    done: (Sender<Done>, Receiver<Done>),
}

impl Preparations {
    pub fn new(how: Preparing, workshop: Workshop) -> Self {
        Self { how, workshop, begun: BTreeSet::new(), done: unbounded() }
    }

    /// Begins once for each deployment.
    pub fn begin(&mut self, number: u64, job: Result<Job, Refusal>) {
        if !self.begun.insert(number) {
            return;
        }
        let (workshop, sender) = (self.workshop.clone(), self.done.0.clone());
        let work = move || {
            let prepared = job.and_then(|job| {
                workshop.probe.reached(Moment::Prepare);
                workshop.prepare(&job)
            });
            // The receiver lives as long as the controller: without it nobody wants the answer.
            let _ = sender.send((number, prepared));
        };
        match self.how {
            Preparing::InStep => work(),
            Preparing::Background => {
                let named = std::thread::Builder::new().name(format!("prepare-{number}"));
                if let Err(error) = named.spawn(work) {
                    let because = format!("no thread to prepare dep/{number} on: {error}");
                    let refusal = Refusal::new(codes::CONTROL_REFUSED, because);
                    let _ = self.done.0.send((number, Err(refusal)));
                }
            }
        }
    }

    /// Those that have ended since the last call.
    pub fn ended(&mut self) -> Vec<Done> {
        self.done.1.try_iter().collect()
    }
}
