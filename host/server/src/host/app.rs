//! What the API and the CLI's own process read: the log, the fold, the views. All that is shown is on disk.

use super::HostSpec;
use super::counts::Counts;
use super::threads::Stop;
use super::watch::Watch;
use super::weather::Weather;
use crate::ground::{Nature, Sizes, Standing};
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Clock, Executor, Log, LogError, StateStore};
use fermata_core::{Offset, Record, Shard, TopicName};
use fermata_runtime::board::Board;
use fermata_runtime::control::{CommandOutcome, ControlState, ControlView, Controller, Fold};
use fermata_runtime::nodes::Nodes;
use fermata_runtime::views::Views;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How long a reader waits for what it has read to be on disk.
const DURABLE_WAIT: Duration = Duration::from_secs(5);
/// Commands just appended whose outcome may be asked for before the controller has met them.
const REMEMBERED: usize = 1_024;

pub struct App {
    pub manifest: Arc<Manifest>,
    pub manifest_text: String,
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn StateStore>,
    pub board: Arc<Board>,
    pub control: Arc<ControlView>,
    pub views: Arc<Views>,
    pub nodes: Arc<Nodes>,
    pub peer_secret: Option<String>,
    pub executor: Arc<dyn Executor>,
    pub artifacts: Arc<dyn Artifacts>,
    pub clock: Arc<dyn Clock>,
    pub watch: Watch,
    /// Of the log that it stands on.
    pub nature: Nature,
    pub counts: Counts,
    pub sizes: Sizes,
    pub weather: Arc<Weather>,
    pub(super) stop: Stop,
    appended: Mutex<VecDeque<Uuid>>,
}

/// The fold inside one consistent picture.
pub struct Folded(Arc<ControlState>);

impl Deref for Folded {
    type Target = Fold;
    fn deref(&self) -> &Fold {
        &self.0.fold
    }
}

impl App {
    pub(super) fn new(
        spec: &HostSpec,
        standing: &Standing,
        board: Arc<Board>,
        controller: &Controller,
        stop: Stop,
    ) -> Self {
        Self {
            manifest: spec.manifest.clone(),
            manifest_text: spec.manifest_text.clone(),
            log: standing.log.clone(),
            store: standing.store.clone(),
            board,
            control: controller.view(),
            views: controller.views(),
            nodes: controller.nodes(),
            peer_secret: spec.peer_secret.clone(),
            executor: spec.executor.clone(),
            artifacts: spec.artifacts.clone(),
            clock: spec.clock.clone(),
            watch: Watch::default(),
            counts: Counts::new(standing.nature.gapless),
            sizes: standing.sizes.clone(),
            nature: standing.nature.clone(),
            weather: Arc::default(),
            stop,
            appended: Mutex::default(),
        }
    }

    /// The process cannot go on.
    pub fn fail(&self, because: String) {
        self.stop.fail(because);
    }

    pub fn failed(&self) -> Option<String> {
        self.stop.failed()
    }

    pub fn state(&self) -> Arc<ControlState> {
        self.control.state()
    }

    pub fn fold(&self) -> Folded {
        Folded(self.control.state())
    }

    pub fn epoch(&self) -> u64 {
        self.control.epoch()
    }

    pub fn outcome(&self, command: &Uuid) -> Option<CommandOutcome> {
        self.control.outcome(command)
    }

    /// The command is on the log, though the controller may not have met it yet.
    pub fn remember(&self, command: Uuid) {
        let mut appended = self.appended.lock();
        if appended.len() == REMEMBERED {
            appended.pop_front();
        }
        appended.push_back(command);
    }

    pub fn appended(&self, command: &Uuid) -> bool {
        self.appended.lock().contains(command)
    }

    /// Waits until everything that a reader may have seen so far is on disk: what is not must not be shown.
    pub fn settle(&self) -> Result<(), LogError> {
        let (commit, _) = self.store.snapshot().map_err(|e| LogError::Fatal(e.to_string()))?;
        if self.log.wait_durable(commit, DURABLE_WAIT)? {
            return Ok(());
        }
        Err(LogError::Away("what was read is not on disk yet; ask again".to_owned()))
    }

    /// Records of one partition that are on disk.
    pub fn durable_records(
        &self,
        topic: &TopicName,
        shard: Shard,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>, LogError> {
        let found = self.log.read(topic, shard, from, limit)?;
        self.settle()?;
        Ok(found)
    }
}
