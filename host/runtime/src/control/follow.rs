//! Leading and following. The instance whose workers hold shard 0 leads: membership of the group elects it, and the
//! term in the facts fences the one before. All others read its facts, prepare what it is about to deploy, and tell it
//! what their workers met.

use super::controller::{Controller, Role};
use super::deployment::Deployment;
use super::error::{ControlError, Refusal};
use super::lead;
use super::rest::Rest;
use super::rollout::goes;
use super::start::{begin, views_are_answered};
use super::wire::News;
use fermata_core::codes;
use fermata_core::control::DeploymentState;
use fermata_core::{Shard, StageName, VersionId};
use std::time::Duration;

/// Who holds it leads.
const ELECTS: Shard = Shard(0);
/// A leader that was deposed while its workers hold shard 0 tries again so much later, if nobody says that he leads.
const TRY_AGAIN: Duration = Duration::from_secs(3);

impl Controller {
    pub(super) fn take_or_give_the_lead(&mut self) -> Result<(), ControlError> {
        match (self.role, self.board.tenure.hold(ELECTS)) {
            (Role::Leads, None) => {
                tracing::info!(target: "fermata::control", term = self.term, "another instance has shard 0: this one follows");
                self.step_down();
            }
            (Role::Follows, Some(hold)) if self.may_lead(hold) => {
                self.recall()?;
                if self.fit_to_lead() {
                    return self.take_the_lead();
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Two that both think that they hold shard 0 must not depose each other for ever.
    fn may_lead(&self, hold: u64) -> bool {
        match self.company.deposed {
            Some((before, at)) if before == hold => {
                let waited = self.clock.elapsed().saturating_sub(at) >= TRY_AGAIN;
                waited && !self.nodes.someone_leads(self.fold.term)
            }
            _ => true,
        }
    }

    /// Every version that the facts call live is ready, or cannot be made so: then the leader takes it back.
    fn fit_to_lead(&self) -> bool {
        let live = self.fold.stages.iter();
        live.filter(|(stage, _)| self.manifest.stage(stage.as_str()).is_some())
            .all(|(stage, live)| {
                let refused = || self.company.prepared.get(&live.deployment).is_some_and(Result::is_err);
                self.versions.get(stage, &live.version).is_some() || refused()
            })
    }

    /// From here on this instance appends facts; it goes on with what the last leader left.
    pub(super) fn take_the_lead(&mut self) -> Result<(), ControlError> {
        let mut fold = self.fold.clone();
        let lead = lead::take(&*self.log, &self.manifest, &*self.clock, &mut fold, self.next_status)?;
        (self.fold, self.next_status, self.term) = (fold, lead.next, lead.term);
        self.shown.commit = lead.commit;
        self.unsure = false;
        self.versions.learn(&self.manifest, &*self.log, &self.fold)?;
        let news = begin(
            &self.manifest,
            &*self.log,
            &self.workshop,
            &mut self.versions,
            &self.fold,
        )?;
        tracing::info!(target: "fermata::control", term = lead.term, "this instance leads");
        self.rest = Rest::default();
        self.role = Role::Leads;
        let begun = self.record(news).and_then(|()| self.gather_receipts());
        if begun.is_err() {
            self.step_down();
        }
        begun
    }

    pub(super) fn deposed(&mut self, own: u64, theirs: u64) {
        tracing::info!(target: "fermata::control", own, theirs, "another instance decides: this one follows");
        if let Some(hold) = self.board.tenure.hold(ELECTS) {
            self.company.deposed = Some((hold, self.clock.elapsed()));
        }
        self.step_down();
    }

    fn step_down(&mut self) {
        self.role = Role::Follows;
        self.rest = Rest::default();
        self.probations.clear();
    }

    /// Cheap while nothing happens: the facts were read, and are made true here.
    pub(super) fn follow(&mut self) -> Result<(), ControlError> {
        self.empty_inbox()?;
        let events = std::mem::take(&mut self.events);
        let untold = events.into_iter().filter(|e| !self.news_of(&e.event).is_empty());
        self.events = untold.collect();
        self.hear_preparations();
        self.prepare_candidates();
        self.recall()?;
        if !self.company.views_answered && self.ready() && !self.fold.stages.is_empty() {
            views_are_answered(&self.manifest, &self.versions)?;
            self.company.views_answered = true;
        }
        self.rest = self.rest_as_told();
        Ok(())
    }

    fn rest_as_told(&self) -> Rest {
        let live = self.nodes.live();
        let leads = live.iter().filter_map(|heard| heard.report.leads.as_ref());
        let mut now = leads.filter(|l| l.term == self.fold.term && l.epoch == self.fold.epoch);
        match now.next().filter(|_| self.fold.paused.is_some()) {
            Some(leads) => Rest::told(leads.quiescent, leads.obstacles.clone()),
            None => Rest::default(),
        }
    }

    /// Every instance prepares what is to be deployed, before any task anywhere runs it.
    fn prepare_candidates(&mut self) {
        let open = self.fold.deployments.values().filter(|d| !d.ended());
        let open: Vec<Deployment> = open
            .filter(|d| !self.company.prepared.contains_key(&d.number))
            .cloned()
            .collect();
        for deployment in open {
            if let Some(came) = self.candidate(&deployment) {
                self.company.prepared.insert(deployment.number, came);
            }
        }
    }

    /// Can every stage be run that the facts call live?
    pub(super) fn ready(&self) -> bool {
        let live = self.fold.stages.iter();
        live.filter(|(stage, _)| self.manifest.stage(stage.as_str()).is_some())
            .all(|(stage, live)| self.versions.get(stage, &live.version).is_some())
    }

    /// Makes ready what is live and not ready here: this instance has just started, or was given up while a
    /// deployment went on.
    fn recall(&mut self) -> Result<(), ControlError> {
        let mut missing: Vec<(StageName, VersionId)> = Vec::new();
        for (stage, live) in &self.fold.stages {
            let old = self.fold.under_way(stage).map(|d| d.old);
            let wanted = [Some(live.version), old].into_iter().flatten();
            missing.extend(
                wanted
                    .filter(|version| self.versions.get(stage, version).is_none())
                    .map(|version| (stage.clone(), version)),
            );
        }
        for (name, version) in missing {
            let Some(stage) = self.manifest.stage(name.as_str()).cloned() else {
                continue;
            };
            let job = self.versions.job(&stage, version);
            self.recalled.begin((name, version), job);
        }
        for ((stage, version), came) in self.recalled.ended() {
            match came {
                Ok(loaded) => {
                    // It may be let go of, and be wanted again.
                    self.recalled.forget(&(stage.clone(), version));
                    self.versions.keep(&stage, loaded);
                }
                Err(refusal) => self.cannot_run(stage, version, refusal)?,
            }
        }
        Ok(())
    }

    /// The leader takes back what one instance cannot run; what nobody could take back ends the process.
    fn cannot_run(&mut self, stage: StageName, version: VersionId, refusal: Refusal) -> Result<(), ControlError> {
        let live = self.fold.stages.get(&stage).filter(|live| live.version == version);
        let open = self.fold.under_way(&stage).filter(|d| d.rolls_back.is_none());
        match (live, open) {
            (Some(_), Some(deployment)) => {
                self.company.prepared.insert(deployment.number, Err(refusal));
                Ok(())
            }
            (Some(_), None) => Err(ControlError::Stage { stage, refusal }),
            (None, _) => {
                tracing::warn!("stage {stage}: the version before its deployment {refusal}");
                Ok(())
            }
        }
    }

    // What the leader makes of the others' words.

    /// Events of the workers of other instances.
    pub(super) fn hear_others(&mut self) -> Result<(), ControlError> {
        for heard in self.nodes.live() {
            let process = heard.report.incarnation;
            let known = self.company.heard.get(&process).copied().unwrap_or_default();
            for said in heard.report.events.iter().filter(|e| e.number > known) {
                let news = self.news_of(&said.event);
                self.record(news)?;
                self.company.heard.insert(process, said.number);
            }
        }
        Ok(())
    }

    /// What came of preparing a candidate on all other instances. `None`: not all of them have said so.
    pub(super) fn prepared_elsewhere(&self, number: u64) -> Option<Result<(), Refusal>> {
        let mut all = true;
        for heard in self.nodes.live() {
            match heard.report.refusal(number) {
                Some(Err(refusal)) => return Some(Err(refusal)),
                Some(Ok(())) => {}
                None => all = false,
            }
        }
        all.then_some(Ok(()))
    }

    /// An instance that came later, or came back, cannot run what the others run: it is taken back.
    pub(super) fn refused_elsewhere(&self, deployment: &Deployment) -> Option<Vec<News>> {
        if !deployment.under_way() || deployment.rolls_back.is_some() {
            return None;
        }
        let live = self.nodes.live().into_iter();
        let refusal = live
            .filter_map(|heard| heard.report.refusal(deployment.number)?.err())
            .next()?;
        let why = Some((refusal.code, refusal.because));
        Some(vec![goes(deployment, DeploymentState::RolledBack, why)])
    }
}

impl crate::nodes::report::NodeReport {
    /// What came of preparing the candidate of a deployment there; nothing yet, or nothing said.
    fn refusal(&self, number: u64) -> Option<Result<(), Refusal>> {
        use crate::nodes::report::Prepared;
        match self.prepared.get(&number)? {
            Prepared::Ready => Some(Ok(())),
            Prepared::Refused { code, because } => {
                let known = codes::ALL.iter().find(|known| **known == code.as_str());
                let because = format!("node {} cannot run it: {because}", self.node);
                Some(Err(Refusal::new(known.unwrap_or(&codes::CONTROL_REFUSED), because)))
            }
        }
    }
}
