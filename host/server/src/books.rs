//! `verify`: from a running process or from a folder alone.

use crate::executor;
use crate::failure::{Exit, Failure};
use crate::ground::{self, Unfit};
use crate::host::artifacts::Files;
use crate::host::{App, MANIFEST_COPY, away};
use crate::installation::Installation;
use crate::source;
use bytes::Bytes;
use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::ports::{Artifact, ArtifactError, Artifacts, Executor, Log, LogError};
use fermata_core::{Digest, Shard, codes};
use fermata_runtime::artifacts::LogArtifacts;
use fermata_runtime::board::{Board, Directive, Intake, ShardReport, StageDirective};
use fermata_runtime::control::{Fold, config_json};
use fermata_runtime::verify::{self, Part, Replay, Report, VerifySpec, ViewSource, Whole};
use fermata_runtime::views::Views;
use fermata_store::Embedded;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const PAGE: usize = 256;

/// Views of a running pipeline as verification asks them.
struct Live<'a>(&'a Views);

impl ViewSource for Live<'_> {
    fn parts(&self, view: &str) -> Result<BTreeMap<Shard, Part>, String> {
        let parts = self.0.shard_answers(view, Value::Null).map_err(|e| e.to_string())?;
        Ok(parts
            .into_iter()
            .map(|(shard, sequence, data)| (shard, Part { data, sequence }))
            .collect())
    }
    fn whole(&self, view: &str) -> Result<Whole, String> {
        let answer = self.0.query(view, None, Value::Null).map_err(|e| e.to_string())?;
        Ok(Whole {
            data: answer.data,
            positions: answer.positions,
            partial: answer.partial,
        })
    }
}

/// The books of a running pipeline. `replay`: execute every journal again.
pub fn live(app: &App, replay: bool) -> Result<Value, LogError> {
    let report = verify::verify(&VerifySpec {
        manifest: &app.manifest,
        log: &*app.log,
        views: Some(&Live(&app.views)),
        replay: replay.then(|| Replay::new(&*app.executor, &*app.artifacts)),
    })?;
    Ok(shape(&app.manifest, &report))
}

/// The books of a folder whose process has stopped. Nothing is written.
pub fn offline(
    data_dir: &Path,
    file: Option<&Path>,
    environment: Option<&str>,
    replay: bool,
) -> Result<Value, Failure> {
    let copy = data_dir.join(MANIFEST_COPY);
    // Its secrets are asked for only where a component is made ready: the books themselves need none.
    let manifest = Arc::new(source::open(file.unwrap_or(&copy), environment)?.manifest()?);
    if !data_dir.is_dir() {
        return Err(not_there(data_dir));
    }
    if ground::keeps_state(data_dir) {
        let found = format!(
            "{} is the folder of a pipeline whose log is on Kafka",
            data_dir.display()
        );
        let help = "`fermata verify --config fermata.toml` reads the cluster, `fermata verify` asks a running server";
        return Err(Failure::new(codes::LOG_FAILED, Exit::Refused, found).help(help));
    }
    let store = ground::open(data_dir, Default::default())?;
    let artifacts = Files::open(data_dir, ".")?;
    let executor = executor::wasm()?;
    let views = at_rest(&manifest, store.clone(), &executor, &artifacts);
    let live = views.as_ref().ok().map(Live);
    let report = verify::verify(&VerifySpec {
        manifest: &manifest,
        log: &*store,
        views: live.as_ref().map(|l| l as &dyn ViewSource),
        replay: replay.then(|| Replay::new(&executor, &artifacts)),
    })?;
    let mut shape = shape(&manifest, &report);
    if let (Err(because), Some(limited)) = (views, shape["limited"].as_array_mut()) {
        limited.push(format!("no view can be asked: {because}").into());
    }
    Ok(shape)
}

/// The books of a pipeline on Kafka, from its topics alone. Nothing is written, and whoever runs there goes on.
pub fn on_kafka(installation: Installation, manifest: Manifest, replay: bool) -> Result<Value, Failure> {
    let kafka = ground::Kafka::new(installation, None);
    let log = kafka.log(&manifest).map_err(|unfit| match unfit {
        Unfit::Away(why) => away(&why),
        Unfit::Refused(failure) => failure,
    })?;
    // Whatever runs on Kafka travels on the log.
    let artifacts = LogArtifacts::new(Arc::new(Shelf::default()), log.clone(), &manifest.name);
    let executor = executor::wasm()?;
    let report = verify::verify(&VerifySpec {
        manifest: &manifest,
        log: &*log,
        views: None,
        replay: replay.then(|| Replay::new(&executor, &artifacts)),
    })?;
    Ok(shape(&manifest, &report))
}

/// Components in memory.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<Digest, Artifact>>);

impl Artifacts for Shelf {
    fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError> {
        Err(ArtifactError::NotFound {
            reference: reference.to_owned(),
            found: "books name components by digest only".to_owned(),
        })
    }
    fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
        let kept = self.0.lock().get(digest).cloned();
        kept.ok_or_else(|| ArtifactError::NotFound {
            reference: digest.full(),
            found: "it was not read yet".to_owned(),
        })
    }
    fn put(&self, bytes: Bytes) -> Result<Artifact, ArtifactError> {
        let artifact = Artifact::new(bytes);
        self.0.lock().insert(artifact.digest, artifact.clone());
        Ok(artifact)
    }
}

/// Views of a pipeline that does not run: the versions that the facts name, over the state as it was left.
fn at_rest(
    manifest: &Arc<Manifest>,
    store: Arc<Embedded>,
    executor: &dyn Executor,
    artifacts: &dyn Artifacts,
) -> Result<Views, String> {
    let fold = fold(manifest, &*store).map_err(|e| e.to_string())?;
    let mut stages = BTreeMap::new();
    for stage in &manifest.stages {
        let live = fold
            .stages
            .get(&stage.name)
            .ok_or_else(|| format!("stage {} never ran", stage.name))?;
        let artifact = artifacts.get(&live.version.component).map_err(|e| e.to_string())?;
        let config_json = config_json(stage);
        let version = executor
            .prepare(&artifact, &config_json, &stage.limits)
            .map_err(|e| e.to_string())?;
        let deployment = live.deployment;
        let directive = StageDirective {
            version,
            config_json,
            deployment,
            rollback: live.rollback,
            second_opinion: None,
        };
        stages.insert(stage.name.clone(), directive);
    }
    let board = Board::new(Directive {
        epoch: fold.epoch,
        intake: Intake::Closed,
        draining: false,
        stages,
    });
    for shard in (0..manifest.partitions).map(Shard) {
        // Nobody moves a shard of a stopped process: its state is whole.
        board.report(shard, ShardReport::default());
    }
    Ok(Views::new(manifest.clone(), store.clone(), store, Arc::new(board)))
}

fn fold(manifest: &Manifest, log: &dyn Log) -> Result<Fold, LogError> {
    let topic = Purpose::Status.topic(&manifest.name);
    let mut fold = Fold::default();
    let mut next = log.bounds(&topic, Shard(0))?.start;
    loop {
        let page = log.read(&topic, Shard(0), next, PAGE)?;
        let Some(last) = page.last() else { return Ok(fold) };
        next = last.offset.next();
        for record in &page {
            if let Ok(status) = serde_json::from_slice(record.value.as_deref().unwrap_or_default()) {
                fold.apply(status);
            }
        }
    }
}

fn not_there(path: &Path) -> Failure {
    Failure::new(
        codes::LOG_FAILED,
        Exit::NotFound,
        format!("{} does not exist", path.display()),
    )
}

fn shape(manifest: &Manifest, report: &Report) -> Value {
    let mut shape = serde_json::to_value(report).unwrap_or_default();
    shape["schema"] = json!("fermata.verify/1");
    shape["pipeline"] = json!(manifest.name);
    shape
}

/// `"ok"`, or the list of what fails.
pub fn verdict(report: &Value) -> Value {
    if report["ok"] == true {
        return "ok".into();
    }
    let problems = report["problems"].as_array().into_iter().flatten();
    problems
        .map(|p| {
            format!(
                "{}: {}",
                p["check"].as_str().unwrap_or("?"),
                p["what"].as_str().unwrap_or("?")
            )
        })
        .collect()
}
