//! One stage on one shard: runs one piece of work against its state and says what came of it. Used live and in replay.

use super::context::{LogBudget, MetricChange, Stores, TaskContext};
use super::lineage::{self, Failed, Refusal, Subject, Work};
use super::overlay::{Overlay, Savepoint};
use super::timers::{Timer, Timers};
use super::validation::Gate;
use super::wiring::Wiring;
use super::wording;
use bytes::Bytes;
use fermata_core::journal::{Counts, Unparking, VersionEntry};
use fermata_core::limits as l;
use fermata_core::manifest::Quarantine;
use fermata_core::names::headers;
use fermata_core::output_hash::OutputHash;
use fermata_core::ports::{Failure, Instance, StateChange, StateError, StateRead, Version};
use fermata_core::{
    Emission, Fault, FaultCode, Identity, Offset, Outcome, Rejection, Shard, StageName, Timestamp, TopicName, VersionId,
};
use std::collections::{BTreeMap, HashMap, hash_map::Entry};
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
    warm: HashMap<Place, Warm>,
    /// The validators in front of them.
    pub(super) gate: Gate,
    /// For proofs: no instance lives longer than one call.
    pub drop_after_each: bool,
}

struct Warm {
    instance: Box<dyn Instance>,
    used: bool,
}

impl Instances {
    /// Makes one ready, so that a cutover does not wait for it later.
    pub fn warm_up(&mut self, loaded: &Loaded) -> Result<(), Fault> {
        self.warm_stage(loaded)?;
        self.gate.warm_up(loaded)
    }
    fn warm_stage(&mut self, loaded: &Loaded) -> Result<(), Fault> {
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

/// How often a call that met its wall-time deadline is tried again, each time with a longer one.
pub(super) const STRETCHES: [u32; 2] = [4, 16];

/// What came of one piece of work.
pub struct Ran {
    pub ended: Ended,
    /// Whose outcome it is.
    pub by: Arc<Loaded>,
    /// The version in probation faulted where its predecessor did not.
    pub refuted: Option<Fault>,
    /// A validator kept it from the stage, which was not asked and said nothing.
    pub refused: bool,
}

pub enum Ended {
    Emitted(Vec<Emission>),
    DeadLetter(Failed),
    /// Aside, in the task's own state: concluded as far as its input topic goes.
    Parked,
    /// No verdict is possible: the task must pause, the record stays.
    Stuck(String),
}

/// Something that a task processed in the open batch, for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    Run {
        topic: TopicName,
        from: Offset,
        next: Offset,
    },
    Fused {
        topic: TopicName,
        identity: Identity,
    },
    /// The first `count` records of a parked key were tried again or, `skipped`, became dead letters.
    Released {
        key: Bytes,
        count: u64,
        skipped: bool,
    },
}

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
    /// The last record that was passed, as far as this owner of the shard knows.
    pub good: Option<Work>,
    /// Where the last passed record began in its run.
    last_from: Offset,
    /// `None` only while a call is under way.
    context: Option<Box<TaskContext>>,
}

/// A moment of a task to go back to when a chain is undone.
pub struct Mark {
    savepoint: Savepoint,
    counts: Counts,
    metrics: usize,
    events: usize,
    last_next: Option<Offset>,
    last_count: Option<u64>,
    faults_in_a_row: u32,
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
            full: false,
            policy,
            unparking: Unparking::default(),
            faults_in_a_row: 0,
            suspect: false,
            owes_good: false,
            unpark_after: None,
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

    /// Records that `offset` of `topic` is passed, and returns the position before.
    pub fn pass(&mut self, topic: &TopicName, offset: Offset) -> Offset {
        let before = self.position(topic);
        let next = offset.next();
        self.last_from = before;
        self.positions.insert(topic.clone(), next);
        let id = self.loaded.id();
        match self.events.last_mut() {
            Some((by, Happened::Run { topic: t, next: n, .. })) if *by == id && t == topic => *n = next,
            _ => self.events.push((
                id,
                Happened::Run {
                    topic: topic.clone(),
                    from: before,
                    next,
                },
            )),
        }
        before
    }

    pub fn fused(&mut self, topic: &TopicName, identity: &Identity) {
        let id = self.loaded.id();
        self.events.push((
            id,
            Happened::Fused {
                topic: topic.clone(),
                identity: identity.clone(),
            },
        ));
    }

    /// The last thing that happened was concluded by `by`, not by the live version.
    pub fn concluded_by(&mut self, by: VersionId, work: &Work) {
        let from = self.last_from;
        if work.again.is_some() {
            if let Some((_, Happened::Released { key, count, .. })) = self.events.last_mut() {
                let one = Happened::Released {
                    key: key.clone(),
                    count: 1,
                    skipped: false,
                };
                *count -= 1;
                if *count == 0 {
                    self.events.pop();
                }
                self.events.push((by, one));
            }
            return;
        }
        if let Subject::Timer(_) = work.subject {
            // The tick's own event stands for all its timers; this one names a single timer of it.
            let event = Happened::Fused {
                topic: work.source.topic.clone(),
                identity: work.identity.clone(),
            };
            self.events.push((by, event));
            return;
        }
        match self.events.last_mut() {
            Some((
                _,
                Happened::Run {
                    topic,
                    from: start,
                    next,
                },
            )) if *start < from => {
                let split = Happened::Run {
                    topic: topic.clone(),
                    from,
                    next: *next,
                };
                *next = from;
                self.events.push((by, split));
            }
            Some((who, _)) => *who = by,
            None => {}
        }
    }

    pub fn mark(&self) -> Mark {
        let (last_next, last_count) = match self.events.last() {
            Some((_, Happened::Run { next, .. })) => (Some(*next), None),
            Some((_, Happened::Released { count, .. })) => (None, Some(*count)),
            _ => (None, None),
        };
        let context = self.context();
        Mark {
            savepoint: context.overlay.savepoint(),
            counts: self.counts,
            metrics: context.metrics.len(),
            events: self.events.len(),
            last_next,
            last_count,
            faults_in_a_row: self.faults_in_a_row,
        }
    }

    pub fn undo_to(&mut self, mark: &Mark) {
        self.counts = mark.counts;
        self.events.truncate(mark.events);
        if let (Some((_, Happened::Run { next, .. })), Some(before)) = (self.events.last_mut(), mark.last_next) {
            *next = before;
        }
        if let (Some((_, Happened::Released { count, .. })), Some(before)) = (self.events.last_mut(), mark.last_count) {
            *count = before;
        }
        self.faults_in_a_row = mark.faults_in_a_row;
        let context = self.context_mut();
        context.overlay.undo_to(mark.savepoint);
        context.metrics.truncate(mark.metrics);
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

    /// One call, with everything that may go wrong turned into a verdict.
    ///
    /// A fault in a used instance is a suspicion only: the verdict is the record's alone, on a fresh instance over
    /// the same state. `second`: the version that is asked before a fault of this one counts.
    pub fn run(&mut self, work: &Work, instances: &mut Instances, second: Option<&Arc<Loaded>>) -> Result<Ran, String> {
        let live = self.loaded.clone();
        let (first, tally) = self.judge(work, instances, &live)?;
        let (verdict, by, refuted, tally) = match (first, second) {
            (Judged::Fault(fault), Some(old)) if old.id() != live.id() => match self.judge(work, instances, old)? {
                (Judged::Outcome(outcome), tally) => (Judged::Outcome(outcome), old.clone(), Some(fault), tally),
                _ => (Judged::Fault(fault), live, None, tally),
            },
            (verdict, _) => (verdict, live, None, tally),
        };
        self.context_mut().metrics.extend(tally);
        let refused = matches!(verdict, Judged::Refused(_));
        let ended = match verdict {
            Judged::Outcome(Ok(emissions)) => {
                self.counts.emitted += emissions.len() as u64;
                Ended::Emitted(emissions)
            }
            Judged::Outcome(Err(rejection)) | Judged::Refused(rejection) => {
                self.counts.rejected += 1;
                let failed = Failed {
                    code: rejection.code,
                    reason: rejection.reason,
                    stack: String::new(),
                    fault: false,
                };
                Ended::DeadLetter(failed)
            }
            Judged::Fault(fault) => {
                self.counts.faulted += 1;
                let (reason, stack) = fault.message.split_once('\n').unwrap_or((&fault.message, ""));
                let code = fault.code.as_str().to_owned();
                Ended::DeadLetter(Failed {
                    code,
                    reason: reason.into(),
                    stack: stack.into(),
                    fault: true,
                })
            }
            Judged::Stuck(why) => Ended::Stuck(why),
        };
        Ok(Ran {
            ended,
            by,
            refuted,
            refused,
        })
    }

    /// What the stage itself says, once nothing before it has refused the record.
    pub(super) fn ask(&mut self, work: &Work, instances: &mut Instances, by: &Arc<Loaded>) -> Result<Judged, String> {
        match &work.refused {
            Some(Refusal::Rejected(rejection)) => return Ok(Judged::Outcome(Err(rejection.clone()))),
            // The stage has its say when the record comes on its own shard.
            Some(Refusal::Elsewhere(_)) => return Ok(Judged::Outcome(Ok(Vec::new()))),
            None => {}
        }
        if let Some(fault) = oversize(work) {
            return Ok(Judged::Fault(fault));
        }
        let mut stretches = STRETCHES.iter();
        let mut stretch = None;
        loop {
            let mark = self.mark();
            let (result, was_used) = match self.call(work, instances, by, stretch) {
                Ok(called) => called,
                // An instance that cannot be made says nothing of the record.
                Err(fault) => return Ok(Judged::Stuck(format!("{} cannot be instantiated: {fault}", by.id()))),
            };
            let failure = match result {
                Ok(outcome) => match self.check(outcome, work) {
                    Ok(outcome) => {
                        if outcome.is_err() {
                            // A rejected record may come again: nothing of it stays.
                            self.undo_to(&mark);
                        }
                        return Ok(Judged::Outcome(outcome));
                    }
                    Err(fault) => Failure::Fault(fault),
                },
                Err(failure) => failure,
            };
            self.undo_to(&mark);
            instances.warm.remove(&by.place);
            match failure {
                Failure::Fault(fault) if !was_used => return Ok(Judged::Fault(fault)),
                Failure::Fault(_) => {}
                Failure::Host(why) => return Err(why),
                Failure::Deadline => match stretches.next() {
                    Some(factor) => stretch = Some(*factor),
                    None => {
                        let wall = self.wiring.limits.wall;
                        return Ok(Judged::Stuck(format!(
                            "{} did not end on {} within {wall:?}, nor within {} times that",
                            by.id(),
                            work.identity,
                            STRETCHES[STRETCHES.len() - 1]
                        )));
                    }
                },
            }
        }
    }

    /// One call on a warm or a fresh instance; says whether the instance had been used before.
    fn call(
        &mut self,
        work: &Work,
        instances: &mut Instances,
        by: &Arc<Loaded>,
        stretch: Option<u32>,
    ) -> Result<(Result<Outcome, Failure>, bool), Fault> {
        instances.warm_stage(by)?;
        let warm = instances.warm.get_mut(&by.place).expect("warmed up just now");
        if let Some(factor) = stretch {
            warm.instance.stretch(factor);
        }
        let mut context = self
            .context
            .take()
            .expect("the context is back whenever no call is under way");
        context.stores = by.stores.clone();
        context.id = work.identity.clone();
        context.root.clone_from(&work.root);
        context.root_time = work.root_time;
        context.key = work.key().cloned();
        context.random = None;
        context.metrics_before = context.metrics.len();
        let called = match &work.subject {
            Subject::Record { input, .. } => warm.instance.process(input.clone(), context),
            Subject::Timer(due) => warm.instance.fired(due.clone(), context),
        };
        let was_used = std::mem::replace(&mut warm.used, true);
        let context = called.host.into_any().downcast::<TaskContext>();
        self.context =
            Some(context.unwrap_or_else(|_| unreachable!("an instance hands back the context it was given")));
        // A call that was stretched leaves an instance with a longer deadline behind: not for the next record.
        if instances.drop_after_each || stretch.is_some() {
            instances.warm.remove(&by.place);
        }
        Ok((called.result, was_used))
    }

    /// What a guest says is believed only inside its contract.
    fn check(&self, outcome: Outcome, work: &Work) -> Result<Outcome, Fault> {
        match &outcome {
            Ok(emissions) => self.check_emissions(emissions, work)?,
            Err(rejection) => {
                wording::code(&rejection.code)?;
            }
        }
        Ok(outcome)
    }

    fn check_emissions(&self, emissions: &[Emission], work: &Work) -> Result<(), Fault> {
        let limits = &self.wiring.limits;
        let own = lineage::host_bytes(work);
        let size = |text: String| Err(Fault::new(FaultCode::Size, text));
        if emissions.len() > limits.outputs as usize {
            return size(format!(
                "{} emissions of one record, at most {}",
                emissions.len(),
                limits.outputs
            ));
        }
        let mut total = 0;
        for e in emissions {
            if !self.wiring.outputs.contains_key(&e.port) {
                return Err(Fault::new(
                    FaultCode::Contract,
                    format!("an emission to port {:?}, which is not wired", e.port),
                ));
            }
            if let Some(forged) = e.headers.iter().find(|x| headers::reserved(&x.key)) {
                return Err(Fault::new(
                    FaultCode::Contract,
                    format!("header {:?} is the host's to write", forged.key),
                ));
            }
            wording::headers(&e.headers)?;
            let (key, value) = (
                e.key.as_ref().map_or(0, |k| k.len()),
                e.value.as_ref().map_or(0, |v| v.len()),
            );
            let head: usize = e
                .headers
                .iter()
                .map(|x| x.key.len() + x.value.as_ref().map_or(0, |v| v.len()))
                .sum();
            if key > l::MAX_KEY || value > l::MAX_VALUE || head + own > l::MAX_HEADERS {
                let most = format!("{} / {} / {}", l::MAX_KEY, l::MAX_VALUE, l::MAX_HEADERS);
                return size(format!(
                    "an emission of {key} / {value} / {head} bytes of key / value / headers, at most {most} with the {own} of the host's headers"
                ));
            }
            total += (key + value + head) as u64;
        }
        if total > limits.output_bytes {
            return size(format!(
                "{total} bytes of emissions of one record, at most {}",
                limits.output_bytes
            ));
        }
        Ok(())
    }
}

pub(super) enum Judged {
    Outcome(Outcome),
    /// By a validator, whose own policy says where the record goes.
    Refused(Rejection),
    Fault(Fault),
    Stuck(String),
}

/// An input that no guest is shown.
pub(super) fn oversize(work: &Work) -> Option<Fault> {
    let Subject::Record { input, .. } = &work.subject else {
        return None;
    };
    let (key, value) = (
        input.key.as_ref().map_or(0, |k| k.len()),
        input.value.as_ref().map_or(0, |v| v.len()),
    );
    let head: usize = input
        .headers
        .iter()
        .map(|x| x.key.len() + x.value.as_ref().map_or(0, |v| v.len()))
        .sum();
    (key > l::MAX_KEY || value > l::MAX_VALUE || head > l::MAX_HEADERS).then(|| {
        let most = format!("{} / {} / {}", l::MAX_KEY, l::MAX_VALUE, l::MAX_HEADERS);
        Fault::new(
            FaultCode::Size,
            format!("an input of {key} / {value} / {head} bytes of key / value / headers, at most {most}"),
        )
    })
}
