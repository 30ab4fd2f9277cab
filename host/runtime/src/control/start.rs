//! From the logs to a running control plane: whatever state the last process was killed in.

use super::asked::unanswered;
use super::company::{self, Company};
use super::controller::{Controller, Role, Shown};
use super::error::{ControlError, Refusal};
use super::fit;
use super::fold::Fold;
use super::lead::fold_until;
use super::prepare::{Preparations, Preparing, Workshop};
use super::rest::Rest;
use super::rollout::goes;
use super::versions::Versions;
use super::view::{ControlState, ControlView, Flow};
use super::wire::{self, News};
use crate::board::{Board, Directive, Intake};
use crate::nodes::{NodeSpec, Nodes};
use crate::tenure::Tenure;
use crate::trial::Trial;
use crate::views::{Peers, Views};
use fermata_core::codes;
use fermata_core::control::{DeploymentState, Fact};
use fermata_core::manifest::{Manifest, Stage};
use fermata_core::names::Purpose;
use fermata_core::ports::{Artifacts, Clock, Executor, Log, LogError, Probe, StateStore};
use fermata_core::{Shard, StageName, VersionId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a control plane is made of. The pipeline's topics exist ([`crate::worker::topics`], and where several instances
/// share the log, [`crate::nodes::topics`]).
pub struct ControllerSpec {
    pub manifest: Arc<Manifest>,
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn StateStore>,
    pub clock: Arc<dyn Clock>,
    pub executor: Arc<dyn Executor>,
    pub artifacts: Arc<dyn Artifacts>,
    pub probe: Arc<dyn Probe>,
    pub preparing: Preparing,
    /// [`NodeSpec::alone`]: the only instance, which leads from the start.
    pub node: NodeSpec,
    /// How other instances are asked for their part of a view.
    pub peers: Arc<dyn Peers>,
}

/// Folds what is recorded. The only instance of a log makes the live versions ready and tells the board; deployments go
/// on with the first step. One of several does so with its steps, and leads when its workers hold shard 0.
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
        node,
        peers,
    } = spec;
    let mut fold = Fold::default();
    let status = log.bounds(&Purpose::Status.topic(&manifest.name), wire::ONLY)?;
    let control = log.bounds(&Purpose::Control.topic(&manifest.name), wire::ONLY)?;
    let mut company = Company::default();
    let tenure = if node.shared {
        company.next = company::first(&*log, &manifest.name)?;
        Tenure::shared()
    } else {
        Tenure::sole()
    };
    let next_status = fold_until(&*log, &manifest, status.start, None, &mut fold)?;
    // What was recorded before this start is on disk, or this start would not have found it.
    let found = ControlState {
        flow: Flow::of(&fold, false),
        obstacles: Vec::new(),
        fold: fold.clone(),
    };
    let workshop = Workshop {
        executor,
        artifacts,
        probe,
        trial: Trial {
            manifest: manifest.clone(),
            log: log.clone(),
        },
    };
    let versions = Versions::new(&manifest, &*log, &fold, &*workshop.artifacts)?;
    // Until something is live, nothing runs.
    let nothing = Directive {
        epoch: 0,
        intake: Intake::Closed,
        draining: false,
        stages: BTreeMap::new(),
    };
    let board = Arc::new(Board::with(nothing, tenure));
    let nodes = Arc::new(Nodes::new(node, board.clone(), clock.clone()));
    let views = Views::among(
        manifest.clone(),
        log.clone(),
        store,
        board.clone(),
        nodes.clone(),
        peers,
    );
    let view = Arc::new(ControlView::new(manifest.clone(), log.clone(), found));
    let mut controller = Controller {
        manifest,
        log,
        clock,
        preparations: Preparations::new(preparing, workshop.clone()),
        recalled: Preparations::new(preparing, workshop.clone()),
        workshop,
        board: board.clone(),
        nodes,
        company,
        role: Role::Follows,
        views: Arc::new(views),
        view,
        fold,
        versions,
        candidates: BTreeMap::new(),
        probations: BTreeMap::new(),
        next_control: control.start,
        next_status,
        term: 0,
        unsure: false,
        inbox: VecDeque::new(),
        events: VecDeque::new(),
        last_event: 0,
        rest: Rest::default(),
        shown: Shown::default(),
        away: None,
    };
    if controller.nodes.shared() {
        // The others must know of this one before its workers join the group.
        controller.hear_nodes()?;
        controller.tell()?;
    } else {
        controller.take_the_lead()?;
        controller.publish();
    }
    Ok((board, controller))
}

/// Makes the versions ready that the stages run. Returns the facts that a leader begins with.
pub(super) fn begin(
    manifest: &Manifest,
    log: &dyn Log,
    workshop: &Workshop,
    versions: &mut Versions,
    fold: &Fold,
) -> Result<Vec<News>, ControlError> {
    let never_ran = never_ran(manifest, log)?;
    if fold.stages.is_empty() && !never_ran {
        let topic = Purpose::Status.topic(&manifest.name);
        return Err(ControlError::NoFacts { topic });
    }
    let mut begin = Beginning {
        workshop,
        versions,
        fold,
        never_ran,
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
    views_are_answered(manifest, versions)?;
    if !fresh.is_empty() {
        news.push(News::of(None, Fact::Started { stages: fresh }));
    }
    Ok(news)
}

/// What stages run is ready: every view that the manifest asks for must be among theirs.
pub(super) fn views_are_answered(manifest: &Manifest, versions: &Versions) -> Result<(), ControlError> {
    let missing = unanswered(manifest, versions.descriptions());
    if missing.is_empty() {
        Ok(())
    } else {
        Err(ControlError::Views(missing))
    }
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
