//! Reads commands, records facts, and tells workers only what is recorded; an instance that does not lead reads the
//! facts of the one that does. Steppable: it waits only as long as it is told to, and deadlines are the clock's.

use super::commands::{Known, answer};
use super::company::Company;
use super::deployment::Deployment;
use super::error::{ControlError, Refusal};
use super::fold::Fold;
use super::lead::fold_until;
use super::parked;
use super::prepare::{Preparations, Workshop};
use super::probation::Served;
use super::quiet;
use super::rest::Rest;
use super::versions::Versions;
use super::view::{ControlState, ControlView, Flow};
use super::wire::{self, News, Wish};
use crate::board::{Board, Directive, Intake, StageDirective, WorkerEvent};
use crate::nodes::Nodes;
use crate::nodes::report::Numbered;
use crate::views::Views;
use fermata_core::codes;
use fermata_core::control::{Fact, Status, VERSION};
use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::ports::{Clock, Log, LogError};
use fermata_core::{CommitId, Offset, StageName, VersionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Records read at once.
const PAGE: usize = 256;

/// Made by [`super::start`].
pub struct Controller {
    pub(super) manifest: Arc<Manifest>,
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) workshop: Workshop,
    pub(super) board: Arc<Board>,
    pub(super) views: Arc<Views>,
    pub(super) view: Arc<ControlView>,
    pub(super) fold: Fold,
    pub(super) versions: Versions,
    pub(super) preparations: Preparations<u64>,
    /// Versions that the facts call live and that are not ready here, being prepared.
    pub(super) recalled: Preparations<(StageName, VersionId)>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) company: Company,
    pub(super) role: Role,
    /// What came of preparing the candidate of an open deployment, by its number.
    pub(super) candidates: BTreeMap<u64, Result<(), Refusal>>,
    /// How long candidates in probation have run, by the number of their deployment.
    pub(super) probations: BTreeMap<u64, Served>,
    pub(super) next_control: Offset,
    pub(super) next_status: Offset,
    /// The term of this leader, or the last that it had.
    pub(super) term: u64,
    /// An append was not answered: the status topic knows whether it is there.
    pub(super) unsure: bool,
    /// As workers told them.
    pub(super) inbox: VecDeque<WorkerEvent>,
    /// Events that no fact tells yet.
    pub(super) events: VecDeque<Numbered>,
    /// Number of the last event.
    pub(super) last_event: u64,
    pub(super) rest: Rest,
    pub(super) shown: Shown,
    /// Why the last step got no answer from the log.
    pub(super) away: Option<String>,
}

/// What an instance does about the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It appends them.
    Leads,
    /// It reads them.
    Follows,
}

/// What others have been told.
#[derive(Default)]
pub(super) struct Shown {
    /// Epoch and draining of the directive on the board.
    pub directive: Option<(u64, bool)>,
    /// What the newest picture was made of.
    pub newest: Option<(Offset, bool, Vec<String>)>,
    /// Pictures not yet durable.
    pub waiting: VecDeque<(CommitId, Arc<ControlState>)>,
    pub commit: CommitId,
}

impl Controller {
    /// The handle that HTTP and tests read.
    pub fn view(&self) -> Arc<ControlView> {
        self.view.clone()
    }
    pub fn views(&self) -> Arc<Views> {
        self.views.clone()
    }
    /// All instances, as far as this one knows.
    pub fn nodes(&self) -> Arc<Nodes> {
        self.nodes.clone()
    }
    /// Does this instance decide?
    pub fn leads(&self) -> bool {
        self.role == Role::Leads
    }
    /// Why the last step got no answer from the log: whoever drives the controller waits before the next.
    pub fn away(&self) -> Option<&str> {
        self.away.as_deref()
    }

    /// Waits at most `max_wait` (zero: not at all) for something to happen, then does all that is due.
    ///
    /// While the log is away ([`Controller::away`]) nothing is decided and the step succeeds; any error means that the
    /// process should stop.
    pub fn step(&mut self, max_wait: Duration) -> Result<(), ControlError> {
        self.away = None;
        if self.nodes.shared() {
            return self.step_in_company(max_wait);
        }
        match self.wait(max_wait).and_then(|()| self.catch_up()) {
            Ok(()) => {}
            Err(error) => return self.forgive(error),
        }
        match self.act() {
            Ok(()) => self.publish(),
            // The facts are another's: this process must tell its workers nothing more.
            Err(deposed @ ControlError::Deposed { .. }) => return Err(deposed),
            Err(error) => {
                // What was recorded before the error takes effect all the same.
                self.publish();
                return self.forgive(error);
            }
        }
        Ok(())
    }

    pub(super) fn forgive(&mut self, error: ControlError) -> Result<(), ControlError> {
        match error {
            ControlError::Log(LogError::Away(why)) => {
                tracing::warn!("control plane waits for the log: {why}");
                self.probations.values_mut().for_each(Served::interrupt);
                self.unsure = true;
                self.away = Some(why);
                Ok(())
            }
            other => Err(other),
        }
    }

    pub(super) fn act(&mut self) -> Result<(), ControlError> {
        self.hear_commands()?;
        self.hear_workers()?;
        self.hear_others()?;
        self.hear_preparations();
        self.advance_deployments()?;
        self.end_unparking()?;
        self.end_evacuations()?;
        self.come_to_rest()
    }

    pub(super) fn wait(&mut self, max_wait: Duration) -> Result<(), ControlError> {
        if !max_wait.is_zero() {
            if let Some((commit, _)) = self.shown.waiting.front() {
                self.log.wait_durable(*commit, max_wait)?;
            } else if self.inbox.is_empty() {
                self.inbox.extend(self.board.events().recv_timeout(max_wait));
            }
        }
        self.inbox.extend(self.board.events().try_iter());
        Ok(())
    }

    /// Reads what the status topic has behind the fold: after an unanswered append, and where others may have written.
    /// Only a log on another machine leaves an append unanswered, and what it lets be read is durable.
    pub(super) fn catch_up(&mut self) -> Result<(), ControlError> {
        if !self.unsure && !self.nodes.shared() {
            return Ok(());
        }
        let status = Purpose::Status.topic(&self.manifest.name);
        if self.nodes.shared() && self.log.read(&status, wire::ONLY, self.next_status, 1)?.is_empty() {
            self.unsure = false;
            return Ok(());
        }
        // All of it or nothing: what another leader has decided never becomes this one's.
        let mut ahead = self.fold.clone();
        let next = fold_until(&*self.log, &self.manifest, self.next_status, None, &mut ahead)?;
        if self.role == Role::Leads && ahead.term != self.term {
            let (own, theirs) = (self.term, ahead.term);
            return Err(ControlError::Deposed { own, theirs });
        }
        (self.fold, self.next_status, self.unsure) = (ahead, next, false);
        Ok(())
    }

    /// Appends facts, all or none, and folds them. Only then may anybody act on them.
    pub(super) fn record(&mut self, news: Vec<News>) -> Result<(), ControlError> {
        if news.is_empty() {
            return Ok(());
        }
        let at = self.clock.now().0;
        let mut ahead = self.fold.clone();
        let mut records = Vec::with_capacity(news.len());
        let moves = |n: &News| matches!(n.fact, Fact::Unparking { .. } | Fact::Retried { .. });
        let moves_again = news.iter().any(moves);
        for News { command, fact } in news {
            let epoch = ahead.epoch + u64::from(ahead.opens_epoch(&fact));
            let status = Status {
                v: VERSION,
                at,
                epoch,
                term: self.term,
                command,
                fact,
            };
            records.push(wire::status_record(&self.manifest.name, &status));
            tracing::info!(target: "fermata::control", epoch, "{:?}", status.fact);
            ahead.apply(status);
        }
        self.unsure = true;
        let appended = self.log.append(records)?;
        self.shown.commit = appended.commit;
        if self.another_wrote(&appended.offsets)? {
            self.catch_up()?;
        } else {
            self.unsure = false;
            self.fold = ahead;
            self.next_status = appended.offsets.last().map_or(self.next_status, |last| last.next());
        }
        if self.fold.paused.is_none() || moves_again {
            // A pause that follows at once is another pause.
            self.rest = Rest::default();
        }
        Ok(())
    }

    /// Does a record that this leader does not know lie before what it has just appended? Offsets have gaps.
    fn another_wrote(&self, own: &[Offset]) -> Result<bool, LogError> {
        let Some(first) = own.first().filter(|first| **first > self.next_status) else {
            return Ok(false);
        };
        let status = Purpose::Status.topic(&self.manifest.name);
        let next = self.log.read(&status, wire::ONLY, self.next_status, 1)?;
        Ok(next.first().is_some_and(|record| record.offset < *first))
    }

    fn hear_commands(&mut self) -> Result<(), ControlError> {
        let control = Purpose::Control.topic(&self.manifest.name);
        loop {
            let page = self.log.read(&control, wire::ONLY, self.next_control, PAGE)?;
            if page.is_empty() {
                return Ok(());
            }
            for record in page {
                let news = match wire::read_command(&record) {
                    Wish::Command(command) if self.fold.outcomes.contains_key(&command.id) => Vec::new(),
                    Wish::Command(command) => answer(
                        &Known {
                            fold: &self.fold,
                            manifest: &self.manifest,
                            settled: &|stage| self.settled(stage),
                            stopped: &|| self.stopped(),
                            setup: &|stage| self.versions.asked(stage),
                            blocking: &|| quiet::blocking(&self.manifest, &self.views, &self.rest.obstacles),
                            nodes: &self.nodes,
                        },
                        &command,
                    ),
                    Wish::Unreadable { id, .. } if self.fold.outcomes.contains_key(&id) => Vec::new(),
                    Wish::Unreadable { id, because } => {
                        let fact = Fact::Refused {
                            code: codes::CONTROL_REFUSED.into(),
                            because,
                        };
                        vec![News::of(Some(id), fact)]
                    }
                };
                self.record(news)?;
                self.next_control = record.offset.next();
                // The answer to the next command rests on what workers do after this one.
                self.publish_directive();
            }
        }
    }

    /// No task of the stage is known to run another version than the one that the facts call live.
    pub(super) fn settled(&self, stage: &StageName) -> bool {
        let Some(live) = self.fold.stages.get(stage) else {
            return false;
        };
        let reports = self.nodes.reports();
        let mut running = reports.values().filter_map(|r| r.tasks.get(stage)?.version);
        running.all(|version| version == live.version)
    }

    /// Has a stage or task stopped by itself?
    fn stopped(&self) -> bool {
        let reports = self.nodes.reports();
        let mut tasks = reports.values().flat_map(|r| r.tasks.values());
        !self.fold.at_fault.is_empty() || tasks.any(|t| t.paused.is_some())
    }

    pub(super) fn publish(&mut self) {
        self.publish_directive();
        self.show();
    }

    /// Tells workers what is recorded, when it differs from what they were told.
    pub(super) fn publish_directive(&mut self) {
        if self.nodes.shared() && !self.ready() {
            // What the facts call live is being prepared here: until then no task may run at all.
            return;
        }
        let draining = self.fold.draining().is_some() || (self.fold.paused.is_some() && !self.rest.quiescent);
        let now = Some((self.fold.epoch, draining));
        if self.shown.directive != now {
            self.board.order(parked::orders(&self.fold));
            self.board
                .publish(directive(&self.manifest, &self.fold, &self.versions, draining));
            self.shown.directive = now;
            self.versions.keep_only(&wanted(&self.fold));
            let open = |number: &u64| self.fold.deployments.get(number).is_some_and(|d| !d.ended());
            self.candidates.retain(|number, _| open(number));
            self.probations.retain(|number, _| open(number));
            self.company.prepared.retain(|number, _| open(number));
        }
    }

    /// Shows others what is durable.
    pub(super) fn show(&mut self) {
        let made_of = (self.next_status, self.rest.quiescent, self.rest.obstacles.clone());
        if self.shown.newest.as_ref() != Some(&made_of) {
            let (flow, obstacles) = (Flow::of(&self.fold, self.rest.quiescent), self.rest.obstacles.clone());
            let state = ControlState {
                flow,
                obstacles,
                fold: self.fold.clone(),
            };
            self.shown.waiting.push_back((self.shown.commit, Arc::new(state)));
            self.shown.newest = Some(made_of);
        }
        let durable = self.log.durable();
        while let Some((commit, state)) = self.shown.waiting.pop_front() {
            if commit > durable {
                self.shown.waiting.push_front((commit, state));
                break;
            }
            self.view.show(state);
        }
    }
}

/// What workers should do, by the facts.
pub(super) fn directive(manifest: &Manifest, fold: &Fold, versions: &Versions, draining: bool) -> Directive {
    let mut stages = BTreeMap::new();
    for stage in &manifest.stages {
        let name = &stage.name;
        let Some(live) = fold.stages.get(name) else { continue };
        let loaded = versions.get(name, &live.version);
        let loaded = loaded
            .expect("a version is loaded before the fact that makes it live is recorded")
            .clone();
        let probing = fold.under_way(name).filter(|d| d.rolls_back.is_none());
        let second = probing
            .and_then(|d| versions.get(name, &d.old))
            .map(|l| l.version.clone());
        stages.insert(
            name.clone(),
            StageDirective {
                version: loaded.version,
                config_json: loaded.config_json,
                deployment: live.deployment,
                rollback: live.rollback,
                second_opinion: second,
            },
        );
    }
    let intake = if fold.paused.is_some() {
        Intake::Closed
    } else {
        Intake::Open
    };
    Directive {
        epoch: fold.epoch,
        intake,
        draining,
        stages,
    }
}

/// What is live, what may come back at once, and what is about to be.
fn wanted(fold: &Fold) -> BTreeSet<(StageName, VersionId)> {
    let live = fold.stages.iter().map(|(stage, live)| (stage.clone(), live.version));
    let back = fold
        .stages
        .keys()
        .filter_map(|s| fold.standing(s))
        .map(|d| (d.stage.clone(), d.old));
    let open = fold.deployments.values().filter(|d| !Deployment::ended(d));
    let open = open.flat_map(|d| [(d.stage.clone(), d.old), (d.stage.clone(), d.new)]);
    live.chain(back).chain(open).collect()
}
