//! All that workers and the control plane share: wishes go down as one [`Directive`], facts come up as
//! [`ShardReport`]s and [`WorkerEvent`]s. Level-triggered: a worker that missed a step reads the newest wish.

use crate::tenure::Tenure;
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, unbounded};
use fermata_core::control::Parked;
use fermata_core::journal::{Counts, Receipt, Unparking};
use fermata_core::ports::Version;
use fermata_core::{CommitId, Identity, Offset, Sequence, Shard, StageName, TopicName, VersionId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What workers should do from their next batch on.
#[derive(Clone)]
pub struct Directive {
    /// Grows with every change; reports say which epoch they have seen.
    pub epoch: u64,
    pub intake: Intake,
    /// A drain waits: ticks go on although intake is closed, so that time-outs fire.
    pub draining: bool,
    /// One for every stage of the manifest.
    pub stages: BTreeMap<StageName, StageDirective>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    Open,
    /// Heads are not read.
    Closed,
}

/// What the control plane wants beside versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Grows when stages and tasks that stopped by themselves should try again.
    pub retries: u64,
    /// Stages that fail on what they passed before, and how that was found: none of their tasks goes on.
    pub at_fault: BTreeMap<StageName, String>,
    /// The order under way.
    pub unpark: Option<Unpark>,
}

/// An order to release parked records, or to skip the first of a key before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpark {
    /// From 1; a later order begins when this one is done.
    pub number: u64,
    pub which: Parked,
    pub skip: bool,
}

/// Which version a stage should run.
#[derive(Clone)]
pub struct StageDirective {
    pub version: Arc<dyn Version>,
    /// JSON text that the version was initialised with: the journal keeps it for replays.
    pub config_json: String,
    /// Number of the deployment that chose the version; 0: the manifest.
    pub deployment: u64,
    /// The deployment takes another one back: its receipts say so.
    pub rollback: bool,
    /// In probation: who is asked before a fault counts against the record.
    pub second_opinion: Option<Arc<dyn Version>>,
}

/// What the owner of a shard last committed. Other instances read it as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ShardReport {
    pub worker: usize,
    /// Epoch of the directive that the worker obeyed in its last step.
    pub epoch: u64,
    pub sequence: Sequence,
    /// On the log of this process: it says nothing to another.
    #[serde(skip)]
    pub commit: CommitId,
    /// The last step found nothing to do, and no batch is open.
    pub idle: bool,
    pub tasks: BTreeMap<StageName, TaskReport>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct TaskReport {
    pub version: Option<VersionId>,
    pub deployment: u64,
    pub counts: Counts,
    /// Next offset to read of each input topic.
    pub positions: BTreeMap<TopicName, Offset>,
    /// Why the task does not go on, when it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// The last order to release or skip parked records, as far as it is carried out.
    pub unparking: Unparking,
}

/// What happened in a worker that the control plane must hear of.
#[derive(Clone, Debug)]
pub enum WorkerEvent {
    /// The receipt is committed; `synced_micros`: the pause with the wait for the sync.
    Switched {
        shard: Shard,
        receipt: Receipt,
        old: VersionId,
        new: VersionId,
        pause_micros: u64,
        synced_micros: u64,
    },
    /// In probation the new version faulted on a record that the old one passed.
    Refuted {
        stage: StageName,
        deployment: u64,
        shard: Shard,
        identity: Identity,
        fault: String,
    },
    /// A version could not be instantiated for a cutover: the task stays on the old one.
    CannotSwitch {
        stage: StageName,
        deployment: u64,
        shard: Shard,
        fault: String,
    },
    /// The stage fails on what it passed before; its tasks should stand still on every shard.
    StageAtFault {
        stage: StageName,
        deployment: u64,
        /// [`Orders::retries`] as the worker knew it.
        retries: u64,
        shard: Shard,
        because: String,
    },
    /// A task stopped by itself.
    TaskPaused {
        stage: StageName,
        shard: Shard,
        because: String,
    },
    /// The worker cannot go on (log or store failed): the process should stop.
    Failed { worker: usize, because: String },
}

/// Shared by all workers of a pipeline in this process, the controller and the views.
pub struct Board {
    directive: ArcSwap<Directive>,
    orders: ArcSwap<Orders>,
    reports: Mutex<BTreeMap<Shard, ShardReport>>,
    events: (Sender<WorkerEvent>, Receiver<WorkerEvent>),
    pub meters: crate::worker::meters::Meters,
    pub tenure: Tenure,
}

impl Board {
    /// Of the only instance.
    pub fn new(first: Directive) -> Self {
        Self::with(first, Tenure::sole())
    }
    pub fn with(first: Directive, tenure: Tenure) -> Self {
        Self {
            directive: ArcSwap::from_pointee(first),
            orders: ArcSwap::default(),
            reports: Mutex::default(),
            events: unbounded(),
            meters: Default::default(),
            tenure,
        }
    }
    pub fn directive(&self) -> Arc<Directive> {
        self.directive.load_full()
    }
    pub fn publish(&self, next: Directive) {
        self.directive.store(Arc::new(next));
    }
    pub fn orders(&self) -> Arc<Orders> {
        self.orders.load_full()
    }
    /// To be called before [`Board::publish`] of the epoch that they belong to.
    pub fn order(&self, next: Orders) {
        self.orders.store(Arc::new(next));
    }
    /// Reports of all shards that a worker here holds.
    pub fn reports(&self) -> BTreeMap<Shard, ShardReport> {
        self.reports.lock().clone()
    }
    pub fn report(&self, shard: Shard, report: ShardReport) {
        self.reports.lock().insert(shard, report);
    }
    pub fn forget(&self, worker: usize, shard: Shard) {
        let mut reports = self.reports.lock();
        if reports.get(&shard).is_some_and(|r| r.worker == worker) {
            reports.remove(&shard);
        }
    }
    pub fn tell(&self, event: WorkerEvent) {
        // The board holds a receiver itself, so a send cannot fail.
        let _ = self.events.0.send(event);
    }
    pub fn events(&self) -> &Receiver<WorkerEvent> {
        &self.events.1
    }
}
