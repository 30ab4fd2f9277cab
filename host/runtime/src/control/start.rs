//! From the logs to a running control plane: whatever state the last process was killed in.

use super::controller::{Controller, Shown, directive};
use super::error::{ControlError, Refusal};
use super::fit;
use super::fold::Fold;
use super::lead::{self, fold_until};
use super::prepare::{Preparations, Preparing, Workshop};
use super::rest::Rest;
use super::rollout::goes;
use super::versions::Versions;
use super::view::{ControlState, ControlView, Flow};
use super::wire::{self, News};
use crate::board::Board;
use crate::views::Views;
use fermata_core::codes;
use fermata_core::control::{DeploymentState, Fact};
use fermata_core::manifest::{Manifest, Stage};
use fermata_core::names::Purpose;
use fermata_core::ports::{Artifacts, Clock, Executor, Log, LogError, Probe, StateStore};
use fermata_core::{Shard, StageName, VersionId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a control plane is made of. The pipeline's topics exist ([`crate::worker::topics`]).
pub struct ControllerSpec {
    pub manifest: Arc<Manifest>,
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn StateStore>,
    pub clock: Arc<dyn Clock>,
    pub executor: Arc<dyn Executor>,
    pub artifacts: Arc<dyn Artifacts>,
    pub probe: Arc<dyn Probe>,
    pub preparing: Preparing,
}

/// Folds what is recorded, makes the live versions ready and tells the board; deployments go on with the first step.
pub fn start(spec: ControllerSpec) -> Result<(Arc<Board>, Controller), ControlError> {
    let ControllerSpec {
        manifest,
        log,
        store,
        clock,
        executor,
        artifacts,
        probe,
        preparing,
    } = spec;
    let mut fold = Fold::default();
    let status = log.bounds(&Purpose::Status.topic(&manifest.name), wire::ONLY)?;
    let control = log.bounds(&Purpose::Control.topic(&manifest.name), wire::ONLY)?;
    let next_status = fold_until(&*log, &manifest, status.start, None, &mut fold)?;
    // What was recorded before this start is on disk, or this start would not have found it.
    let found = ControlState {
        flow: Flow::of(&fold, false),
        obstacles: Vec::new(),
        fold: fold.clone(),
    };

    let lead = lead::take(&*log, &manifest, &*clock, &mut fold, next_status)?;
    let workshop = Workshop {
        executor,
        artifacts,
        probe,
    };
    let mut versions = Versions::new(&manifest, &*log, &fold, &*workshop.artifacts)?;
    let mut begin = Beginning {
        workshop: &workshop,
        versions: &mut versions,
        fold: &fold,
        never_ran: never_ran(&manifest, &*log)?,
        news: Vec::new(),
    };
    let mut fresh = Vec::new();
    for stage in &manifest.stages {
        let at = |refusal| ControlError::Stage {
            stage: stage.name.clone(),
            refusal,
        };
        fresh.extend(begin.stage(stage).map_err(at)?);
    }
    let mut news = begin.news;
    if !fresh.is_empty() {
        news.push(News::of(None, Fact::Started { stages: fresh }));
    }

    // The first directive is made from the fold with these facts in it: it is published when they are recorded.
    let mut ahead = fold.clone();
    for News { command, fact } in &news {
        let epoch = ahead.epoch + u64::from(ahead.opens_epoch(fact));
        let (v, at) = (fermata_core::control::VERSION, clock.now().0);
        ahead.apply(fermata_core::control::Status {
            v,
            at,
            epoch,
            term: lead.term,
            command: *command,
            fact: fact.clone(),
        });
    }
    let board = Arc::new(Board::new(directive(
        &manifest,
        &ahead,
        &versions,
        ahead.paused.is_some(),
    )));
    let views = Arc::new(Views::new(manifest.clone(), log.clone(), store, board.clone()));
    let view = Arc::new(ControlView::new(manifest.clone(), log.clone(), found));
    let mut controller = Controller {
        manifest,
        log,
        clock,
        preparations: Preparations::new(preparing, workshop.clone()),
        workshop,
        board: board.clone(),
        views,
        view,
        fold,
        versions,
        candidates: BTreeMap::new(),
        next_control: control.start,
        next_status: lead.next,
        term: lead.term,
        unsure: false,
        inbox: VecDeque::new(),
        rest: Rest::default(),
        shown: Shown {
            commit: lead.commit,
            ..Shown::default()
        },
        away: None,
    };
    controller.record(news)?;
    controller.gather_receipts()?;
    controller.publish();
    Ok((board, controller))
}

struct Beginning<'a> {
    workshop: &'a Workshop,
    versions: &'a mut Versions,
    fold: &'a Fold,
    /// No task has ever committed: what was begun with binds nobody.
    never_ran: bool,
    news: Vec<News>,
}

fn never_ran(manifest: &Manifest, log: &dyn Log) -> Result<bool, LogError> {
    let journal = Purpose::Journal.topic(&manifest.name);
    for shard in (0..manifest.partitions).map(Shard) {
        if log.last(&journal, shard)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Beginning<'_> {
    /// Makes ready what the stage runs, and what its open deployment may go back to. Returns a version that is new
    /// to the fold.
    fn stage(&mut self, stage: &Stage) -> Result<Option<(StageName, VersionId)>, Refusal> {
        let known = self.fold.stages.get(&stage.name);
        let Some(live) = known.filter(|live| live.deployment > 0 || !self.never_ran) else {
            let artifact = self.workshop.artifacts.resolve(&stage.component)?;
            let config = self.versions.asked(&stage.name)?;
            let version = VersionId {
                component: artifact.digest,
                config,
            };
            let loaded = self.versions.load(self.workshop, stage, version)?;
            fit::ports(stage, loaded.version.description())?;
            let new = known.is_none_or(|live| live.version != version);
            return Ok(new.then(|| (stage.name.clone(), version)));
        };
        let open = self.fold.under_way(&stage.name);
        match (self.versions.load(self.workshop, stage, live.version), open) {
            (Ok(loaded), None) => fit::ports(stage, loaded.version.description())?,
            (Ok(_), Some(deployment)) => {
                if let Err(refusal) = self.versions.load(self.workshop, stage, deployment.old) {
                    // It could not be gone back to; the new version goes on without a second opinion.
                    tracing::warn!(
                        "stage {}: the version before dep/{} {refusal}",
                        stage.name,
                        deployment.number
                    );
                }
            }
            (Err(refusal), Some(deployment)) => {
                self.versions.load(self.workshop, stage, deployment.old)?;
                let why = format!("it could not be prepared again after a restart: {}", refusal.because);
                self.news
                    .push(goes(deployment, DeploymentState::RolledBack, Some((refusal.code, why))));
            }
            (Err(refusal), None) => return Err(refusal),
        }
        self.drift(stage, live.version);
        Ok(None)
    }

    /// The live versions stand, whatever the manifest says by now; a difference is worth a word.
    fn drift(&self, stage: &Stage, live: VersionId) {
        let Ok(artifact) = self.workshop.artifacts.resolve(&stage.component) else {
            return;
        };
        let config = match self.versions.asked(&stage.name) {
            Ok(config) => config,
            Err(refusal) => {
                tracing::warn!(code = refusal.code, "stage {}: {}", stage.name, refusal.because);
                return;
            }
        };
        let written = VersionId {
            component: artifact.digest,
            config,
        };
        if self.fold.deployments_of(&stage.name).next().is_none() && written != live {
            tracing::warn!(
                code = codes::CONTROL_REFUSED,
                "stage {} runs {live}, the manifest says {written} ({}): `fermata deploy` moves it",
                stage.name,
                stage.component
            );
        }
    }
}
