//! One instance among others: it hears what they say of themselves, tells of itself, and steps.

use super::controller::{Controller, Role};
use super::error::{ControlError, Refusal};
use super::wire;
use crate::board::ShardReport;
use crate::nodes::report::{Leads, NodeReport, Numbered, ONLY, Prepared, VERSION};
use crate::nodes::{AT_MOST, EVERY, LEASE, NodeState};
use fermata_core::names::Purpose;
use fermata_core::ports::{Log, LogError};
use fermata_core::{Offset, PipelineName, Shard};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Records read at once.
const PAGE: usize = 64;
/// The last words of all live instances are among this many records: none of them tells more than twenty times a
/// second, or is live after twelve seconds of silence.
const LOOK_BACK: u64 = 2_048;

/// What the controller remembers of the others, and of what it told them.
#[derive(Default)]
pub(super) struct Company {
    /// Where to read on in the nodes topic.
    pub next: Offset,
    /// What this instance last said, when (monotonic), and what of it matters.
    said: Option<(Duration, Offset, Essence)>,
    /// Words on their way, and when they were said: an open transaction of another may hide them for a while.
    unseen: VecDeque<(Offset, Duration)>,
    /// When the last word was said that all others can read by now (monotonic).
    seen: Option<Duration>,
    /// What came of preparing candidates here, while another one leads.
    pub prepared: BTreeMap<u64, Result<(), Refusal>>,
    /// The last event of each process that became a fact.
    pub heard: BTreeMap<Uuid, u64>,
    /// The lead was lost to another under this hold of shard 0, then.
    pub deposed: Option<(u64, Duration)>,
    /// Every view that the manifest of this instance asks for is answered by what the others run.
    pub views_answered: bool,
    /// When the topics were last looked at (monotonic), and in which term.
    pub looked_at_topics: Option<(Duration, u64)>,
    /// When this instance first knew that it should give its shards away (monotonic).
    pub evacuating: Option<Duration>,
}

/// What others act upon: a change of it is told at once.
#[derive(Clone, PartialEq)]
struct Essence {
    state: NodeState,
    leads: Option<Leads>,
    epoch: u64,
    shards: BTreeMap<Shard, ShardReport>,
    restoring: BTreeSet<Shard>,
    workers: BTreeSet<usize>,
    following: BTreeSet<Shard>,
    prepared: BTreeMap<u64, Prepared>,
    events: Vec<Numbered>,
}

impl Essence {
    /// `at_rest`: it matters what has been counted, and whether anything moves.
    fn of(report: &NodeReport, at_rest: bool) -> Self {
        let mut shards = report.shards.clone();
        for shard in shards.values_mut() {
            // Ticks alone move these.
            shard.sequence = Default::default();
            shard.idle &= at_rest;
            for task in shard.tasks.values_mut() {
                task.positions.clear();
                if !at_rest {
                    task.counts = Default::default();
                }
            }
        }
        Self {
            state: report.state,
            leads: report.leads.clone(),
            epoch: report.epoch,
            shards,
            restoring: report.restoring.clone(),
            workers: report.workers.clone(),
            following: report.standby.keys().copied().collect(),
            prepared: report.prepared.clone(),
            events: report.events.clone(),
        }
    }
}

/// Where to begin to read the nodes topic.
pub(super) fn first(log: &dyn Log, pipeline: &PipelineName) -> Result<Offset, LogError> {
    let bounds = log.bounds(&Purpose::Nodes.topic(pipeline), ONLY)?;
    Ok(bounds.start.max(Offset(bounds.end.0.saturating_sub(LOOK_BACK))))
}

impl Controller {
    pub(super) fn step_in_company(&mut self, max_wait: Duration) -> Result<(), ControlError> {
        let stepped = self.wait(max_wait).and_then(|()| self.go_on());
        // What was recorded before an error takes effect all the same.
        let result = match stepped {
            Ok(asked) => {
                self.publish();
                self.grant(asked)
            }
            Err(ControlError::Deposed { own, theirs }) => {
                self.deposed(own, theirs);
                Ok(())
            }
            Err(error) => {
                self.publish();
                Err(error)
            }
        };
        if let Err(error) = result {
            self.forgive(error)?;
        }
        match self.tell() {
            Ok(()) => Ok(()),
            Err(error) => self.forgive(error.into()),
        }
    }

    /// Returns the newest hold of a shard as of before the facts were read to their end.
    fn go_on(&mut self) -> Result<u64, ControlError> {
        let newest = self.board.tenure.newest();
        self.hear_nodes()?;
        self.catch_up()?;
        self.take_or_give_the_lead()?;
        self.look_at_topics()?;
        match self.role {
            Role::Leads => self.act()?,
            Role::Follows => self.follow()?,
        }
        self.give_shards_away();
        Ok(newest)
    }

    /// Workers may go on: the facts were read to their end after this instance had told of itself, and the directive
    /// is made of them.
    fn grant(&self, newest: u64) -> Result<(), ControlError> {
        let Some(seen) = self.company.seen else { return Ok(()) };
        if self.shown.directive.is_none_or(|(epoch, _)| epoch != self.fold.epoch) {
            return Ok(());
        }
        // Only where a shard waits for it: an open transaction may hide facts that its last owner obeyed.
        let hidden = || -> Result<bool, LogError> {
            let bounds = self
                .log
                .bounds(&Purpose::Status.topic(&self.manifest.name), wire::ONLY)?;
            Ok(bounds.end < bounds.high)
        };
        let granted = if self.board.tenure.waits() && hidden()? {
            0
        } else {
            newest
        };
        self.board.tenure.grant(granted, seen + LEASE);
        Ok(())
    }

    /// Reads the nodes topic to its end.
    pub(super) fn hear_nodes(&mut self) -> Result<(), LogError> {
        let topic = Purpose::Nodes.topic(&self.manifest.name);
        loop {
            let page = self.log.read(&topic, ONLY, self.company.next, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            self.company.next = last.offset.next();
            page.iter().for_each(|record| self.nodes.hear(record));
            let next = self.company.next;
            while let Some((_, said)) = self.company.unseen.pop_front_if(|(offset, _)| *offset < next) {
                self.company.seen = Some(said);
            }
        }
    }

    /// Tells of this instance when something has changed that matters, or it is time.
    pub(super) fn tell(&mut self) -> Result<(), LogError> {
        let now = self.clock.elapsed();
        let last = self.company.said.as_ref().map(|(said, ..)| now.saturating_sub(*said));
        if last.is_some_and(|age| age < AT_MOST) {
            return Ok(());
        }
        let at_rest = self.fold.paused.is_some();
        let report = self.report();
        let essence = Essence::of(&report, at_rest);
        let due = match &self.company.said {
            None => true,
            Some((said, read_to, before)) => {
                let age = now.saturating_sub(*said);
                // The leader waits for a word that was made after its last.
                let asked = at_rest && !self.rest.quiescent && self.leader_spoke_since(*read_to);
                let news = asked || *before != essence || (at_rest && self.rest.wants_mark());
                age >= EVERY || news
            }
        };
        if !due {
            return Ok(());
        }
        let appended = self.log.append(vec![report.record(&self.manifest.name)])?;
        self.company.said = Some((now, report.read_to, essence));
        self.nodes.say(Arc::new(report));
        if let Some(offset) = appended.offsets.first() {
            self.rest.marked(*offset);
            self.company.unseen.push_back((*offset, now));
        }
        Ok(())
    }

    fn leader_spoke_since(&self, read_to: Offset) -> bool {
        let leads = |report: &NodeReport| report.leads.as_ref().is_some_and(|l| l.term == self.fold.term);
        let mut live = self.nodes.live().into_iter();
        live.any(|heard| leads(&heard.report) && heard.offset >= read_to)
    }

    fn report(&self) -> NodeReport {
        let own = &self.nodes.own;
        let tenure = &self.board.tenure;
        // In this order: a worker that obeys later says so later.
        let told = self.board.directive().epoch;
        let epoch = tenure.obeyed().map_or(told, |obeyed| obeyed.min(told));
        let shards = self.board.reports();
        let held = tenure.held();
        let mut standby = (own.standby)();
        standby.retain(|shard, _| !held.contains_key(shard));
        let restoring: BTreeSet<Shard> = held.into_keys().filter(|shard| !shards.contains_key(shard)).collect();
        let leads = (self.role == Role::Leads).then(|| Leads {
            term: self.term,
            epoch: self.fold.epoch,
            quiescent: self.rest.quiescent,
            obstacles: self.rest.obstacles.clone(),
        });
        let prepared = self.company.prepared.iter().map(|(number, came)| {
            let said = match came {
                Ok(()) => Prepared::Ready,
                Err(Refusal { code, because }) => Prepared::Refused {
                    code: (*code).to_owned(),
                    because: because.clone(),
                },
            };
            (*number, said)
        });
        NodeReport {
            v: VERSION,
            node: own.name.clone(),
            incarnation: self.nodes.incarnation,
            address: own.address.clone(),
            version: own.version.clone(),
            at: self.clock.now().0,
            state: NodeState::of(self.evacuates(), !restoring.is_empty()),
            leads,
            epoch,
            read_to: self.company.next,
            workers: tenure.workers(),
            shards,
            restoring,
            standby,
            prepared: prepared.collect(),
            events: self.events.iter().cloned().collect(),
        }
    }
}
