//! One stage on one shard: runs one piece of work against its state and says what came of it. Used live and in replay.

use super::context::{LogBudget, MetricChange, TaskContext};
use super::lineage::Work;
use super::overlay::Overlay;
use super::timers::{Timer, Timers};
use super::wiring::Wiring;
use bytes::Bytes;
use fermata_core::journal::{Counts, Unparking, VersionEntry};
use fermata_core::manifest::Quarantine;
use fermata_core::output_hash::OutputHash;
use fermata_core::ports::{StateChange, StateError, StateRead};
use fermata_core::{Identity, Offset, Shard, Timestamp, TopicName, VersionId};
use std::collections::BTreeMap;
use std::sync::Arc;

mod calls;
mod contract;
pub mod footprint;
mod history;
mod instances;

pub use calls::{Ended, Ran};
pub(super) use calls::{Judged, STRETCHES};
pub(super) use contract::oversize;
pub use footprint::Footprint;
pub use history::{Happened, Mark};
pub use instances::{Instances, Loaded, Place};

pub struct Task {
    pub wiring: Arc<Wiring>,
    pub shard: Shard,
    pub loaded: Arc<Loaded>,
    /// Number of the deployment that chose the version; 0: the manifest.
    pub deployment: u64,
    /// Next offset to read of each input topic, ticks included.
    pub positions: BTreeMap<TopicName, Offset>,
    pub counts: Counts,
    pub output_hash: OutputHash,
    pub events: Vec<(VersionId, Happened)>,
    /// Why it does not go on.
    pub paused: Option<String>,
    /// The version that the journal says ended here, when that is not the loaded one: a cutover is owed.
    pub ran: Option<VersionEntry>,
    /// Paused before all timers due at the last tick of the open batch had fired.
    pub timers_stopped: bool,
    /// Paused because nothing more may be parked: goes on as soon as there is room.
    pub full: bool,
    /// Under which failures are parked.
    pub policy: Quarantine,
    /// The last order to release or skip, as far as it is carried out.
    pub unparking: Unparking,
    /// Faults since the last record that was passed.
    pub faults_in_a_row: u32,
    /// The last record that was passed must be tried again before anything else.
    pub suspect: bool,
    /// The last good record is to be kept with the state.
    pub owes_good: bool,
    /// The last key that the order under way has been through.
    pub unpark_after: Option<Bytes>,
    /// Bytes of state, as of the last commit.
    pub footprint: Footprint,
    /// The last record that was passed, as far as this owner of the shard knows.
    pub good: Option<Work>,
    /// Where the last passed record began in its run.
    last_from: Offset,
    /// `None` only while a call is under way.
    context: Option<Box<TaskContext>>,
}

impl Task {
    pub fn new(wiring: Arc<Wiring>, shard: Shard, loaded: Arc<Loaded>, state: Arc<dyn StateRead>) -> Self {
        let context = TaskContext {
            pipeline: wiring.pipeline.clone(),
            stage: wiring.stage.clone(),
            shard,
            state,
            timers: wiring.timers.clone(),
            overlay: Overlay::default(),
            metrics: Vec::new(),
            metrics_before: 0,
            now: Timestamp(0),
            stores: loaded.stores.clone(),
            id: Identity::from_header(""),
            root: String::new(),
            root_time: 0,
            key: None,
            random: None,
            logs: LogBudget::default(),
        };
        let policy = wiring.quarantine;
        Self {
            wiring,
            shard,
            loaded,
            deployment: 0,
            positions: BTreeMap::new(),
            counts: Counts::default(),
            output_hash: OutputHash::default(),
            events: Vec::new(),
            paused: None,
            ran: None,
            timers_stopped: false,
            full: false,
            policy,
            unparking: Unparking::default(),
            faults_in_a_row: 0,
            suspect: false,
            owes_good: false,
            unpark_after: None,
            footprint: Footprint::default(),
            good: None,
            last_from: Offset::default(),
            context: Some(Box::new(context)),
        }
    }

    pub(super) fn context(&self) -> &TaskContext {
        self.context
            .as_ref()
            .expect("the context is back whenever no call is under way")
    }
    pub(super) fn context_mut(&mut self) -> &mut TaskContext {
        self.context
            .as_mut()
            .expect("the context is back whenever no call is under way")
    }

    /// What the task runs as the journal has it: while a cutover is owed, not yet the loaded version.
    pub fn runs(&self) -> VersionId {
        let owed = self.ran.as_ref().and_then(VersionEntry::id);
        owed.unwrap_or_else(|| self.loaded.id())
    }

    /// The last tick that the task has processed.
    pub fn now(&self) -> Timestamp {
        self.context().now
    }
    pub fn set_now(&mut self, tick: Timestamp) {
        self.context_mut().now = tick;
    }

    pub fn position(&self, topic: &TopicName) -> Offset {
        self.positions.get(topic).copied().unwrap_or_default()
    }

    /// About how many bytes of memory the uncommitted changes take.
    pub fn weight(&self) -> usize {
        let context = self.context();
        context.overlay.weight() + context.metrics.len() * std::mem::size_of::<MetricChange>()
    }

    /// Chains so far will not be undone any more.
    pub fn settle(&mut self) {
        self.context_mut().overlay.settle();
    }

    /// The open batch's state is about to be committed; once, before [`Self::drain`].
    pub fn settle_state(&mut self) {
        let limit = self.wiring.limits.state;
        let context = self
            .context
            .as_mut()
            .expect("the context is back whenever no call is under way");
        self.footprint
            .settle(&mut context.overlay, &*context.state, context.shard, limit);
    }

    pub fn drain(&mut self, changes: &mut Vec<StateChange>, metrics: &mut Vec<MetricChange>) {
        let shard = self.shard;
        let context = self.context_mut();
        context.overlay.drain(shard, changes);
        metrics.append(&mut context.metrics);
    }

    pub fn due(&self, now: Timestamp) -> Result<Vec<(Timestamp, String)>, StateError> {
        self.with_timers(|timers, overlay| timers.due(overlay, now))
    }
    pub fn next_due(&self) -> Result<Option<Timestamp>, StateError> {
        if !self.loaded.stores.description.timers {
            return Ok(None);
        }
        self.with_timers(|timers, overlay| timers.next(overlay))
    }
    fn with_timers<T>(&self, f: impl FnOnce(Timers<'_>, &Overlay) -> Result<T, StateError>) -> Result<T, StateError> {
        let c = self.context();
        f(
            Timers {
                namespace: &c.timers,
                state: &*c.state,
                shard: c.shard,
            },
            &c.overlay,
        )
    }

    /// Takes a due timer out, if it is still set for that time (an earlier one may have moved or cancelled it).
    pub fn take_timer(&mut self, at: Timestamp, id: &str) -> Result<Option<Timer>, StateError> {
        let c = self.context_mut();
        let mut overlay = std::mem::take(&mut c.overlay);
        let timers = Timers {
            namespace: &c.timers,
            state: &*c.state,
            shard: c.shard,
        };
        let taken = timers
            .get(&overlay, id)
            .and_then(|found| match found.filter(|t| t.at == at) {
                Some(timer) => timers.cancel(&mut overlay, id).map(|()| Some(timer)),
                None => Ok(None),
            });
        c.overlay = overlay;
        taken
    }
}
