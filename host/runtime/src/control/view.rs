//! The control plane as others see it: only facts that survive a power cut.

use super::fold::{CommandOutcome, DrainEnd, Fold};
use super::receipts::{self, TaskReceipt};
use arc_swap::ArcSwap;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Log, LogError};
use serde::Serialize;
use std::sync::Arc;
use uuid::Uuid;

/// Handle for HTTP and tests; cheap to read, updated by the controller.
pub struct ControlView {
    state: ArcSwap<ControlState>,
    manifest: Arc<Manifest>,
    log: Arc<dyn Log>,
}

/// One consistent picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ControlState {
    pub flow: Flow,
    /// What keeps the pipeline from being quiescent, while intake is closed.
    pub obstacles: Vec<String>,
    #[serde(flatten)]
    pub fold: Fold,
}

/// Is the pipeline running, or how far has it come to rest?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    Running,
    /// Intake is closed; records inside still move.
    Pausing,
    /// Intake is closed, nothing moves. Work may wait for time (timers).
    Paused,
    /// A drain waits.
    Draining,
    /// Intake is closed and all work has ended.
    Drained,
}

impl Flow {
    pub(super) fn of(fold: &Fold, quiescent: bool) -> Self {
        match (&fold.paused, fold.drain.as_ref().map(|d| &d.end)) {
            (None, _) => Self::Running,
            (Some(_), Some(DrainEnd::Waiting)) => Self::Draining,
            (Some(_), Some(DrainEnd::Drained { .. })) => Self::Drained,
            (Some(_), _) if quiescent => Self::Paused,
            (Some(_), _) => Self::Pausing,
        }
    }
}

impl ControlView {
    pub(super) fn new(manifest: Arc<Manifest>, log: Arc<dyn Log>, first: ControlState) -> Self {
        Self {
            state: ArcSwap::from_pointee(first),
            manifest,
            log,
        }
    }
    pub(super) fn show(&self, state: Arc<ControlState>) {
        self.state.store(state);
    }
    pub fn state(&self) -> Arc<ControlState> {
        self.state.load_full()
    }
    pub fn epoch(&self) -> u64 {
        self.state.load().fold.epoch
    }
    /// `None`: the command has not been met yet, or its answer is not yet durable.
    pub fn outcome(&self, command: &Uuid) -> Option<CommandOutcome> {
        self.state.load().fold.outcomes.get(command).cloned()
    }
    /// Announced receipts of a deployment, from the journals. `None`: there is no such deployment.
    pub fn receipts(&self, deployment: u64) -> Result<Option<Vec<TaskReceipt>>, LogError> {
        let state = self.state();
        let Some(deployment) = state.fold.deployments.get(&deployment) else {
            return Ok(None);
        };
        receipts::announced(&*self.log, &self.manifest, deployment).map(Some)
    }
}
