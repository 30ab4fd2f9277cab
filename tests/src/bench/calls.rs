//! What one call of each stage costs, in the sandbox and natively: payments go through all stages in memory, without
//! log, worker or disk, so that nothing else is in the figure.

use super::Outcome;
use super::load::Load;
use super::pipeline::{self, Kind};
use super::spread::Spread;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Executor, HostCalls, Instance};
use fermata_core::{Input, Timestamp, TopicName};
use fermata_native::{Memory, NativeArtifacts, NativeExecutor};
use fermata_server::executor;
use fermata_server::host::artifacts::Files;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::Instant;

/// Of the calls of a round the slowest hundredth is left out: they were interrupted, and paid for others.
const KEPT: f64 = 0.99;

/// Per stage, in the manifest's order: microseconds of one call, over all rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Calls {
    pub stage: String,
    pub calls: u64,
    pub wasm: Spread,
    pub native: Spread,
    pub fuel: u64,
}

pub fn measure(rounds: usize, payments: u64) -> Outcome<Vec<Calls>> {
    let manifest = pipeline::manifest()?;
    let mut wasm = Vec::new();
    let mut native = Vec::new();
    for _ in 0..rounds {
        wasm.push(run(&manifest, Kind::Wasm, payments)?);
        native.push(run(&manifest, Kind::Native, payments)?);
    }
    let of = |runs: &[Vec<Spent>], at: usize| Spread::of(runs.iter().map(|stages| stages[at].micros()));
    let stages = manifest.stages.iter().enumerate();
    Ok(stages
        .map(|(at, stage)| Calls {
            stage: stage.name.to_string(),
            calls: wasm[0][at].nanos.len() as u64,
            wasm: of(&wasm, at),
            native: of(&native, at),
            fuel: wasm[0][at].fuel / (wasm[0][at].nanos.len() as u64).max(1),
        })
        .collect())
}

/// A running stage, and its host context between two calls.
type Stage = (Box<dyn Instance>, Option<Box<dyn HostCalls>>);

#[derive(Clone, Debug, Default)]
struct Spent {
    nanos: Vec<u64>,
    fuel: u64,
}

impl Spent {
    fn micros(&self) -> f64 {
        let mut nanos = self.nanos.clone();
        nanos.sort_unstable();
        nanos.truncate((nanos.len() as f64 * KEPT).ceil() as usize);
        nanos.iter().sum::<u64>() as f64 / 1e3 / nanos.len().max(1) as f64
    }
}

fn run(manifest: &Manifest, kind: Kind, payments: u64) -> Outcome<Vec<Spent>> {
    let folder = tempfile::tempdir()?;
    let (executor, artifacts): (Box<dyn Executor>, Box<dyn Artifacts>) = match kind {
        Kind::Wasm => (
            Box::new(executor::wasm()?),
            Box::new(Files::open(folder.path(), folder.path())?),
        ),
        Kind::Native => (
            Box::new(NativeExecutor::default()),
            Box::new(NativeArtifacts::default()),
        ),
    };
    let mut stages: Vec<Stage> = Vec::new();
    for stage in &manifest.stages {
        let artifact = artifacts.resolve(&stage.component)?;
        let version = executor.prepare(&artifact, &stage.config.to_string(), &stage.limits)?;
        let instance = version.instantiate().map_err(|f| f.to_string())?;
        stages.push((instance, Some(Box::<Memory>::default())));
    }
    let mut load = Load::new(manifest)?;
    let mut records = load.set_up()?;
    records.extend(load.take(payments)?);
    let mut spent = vec![Spent::default(); stages.len()];
    for (n, record) in records.into_iter().enumerate() {
        let mut waiting = VecDeque::from([(record.topic, record.key, record.value)]);
        while let Some((topic, key, value)) = waiting.pop_front() {
            for (at, port) in readers(manifest, &topic) {
                let (instance, kept) = &mut stages[at];
                let mut memory = kept.take().ok_or("the host context is away")?;
                memory = begin(memory, n, record.timestamp)?;
                let input = Input {
                    port: port.to_owned(),
                    key: key.clone(),
                    value: value.clone(),
                    headers: Vec::new(),
                    timestamp: record.timestamp,
                    verdicts: Vec::new(),
                };
                let before = Instant::now();
                let called = instance.process(input, memory);
                let nanos = before.elapsed().as_nanos();
                spent[at].nanos.push(u64::try_from(nanos).unwrap_or(u64::MAX));
                spent[at].fuel += called.fuel;
                *kept = Some(called.host);
                let outcome = called.result.map_err(|f| format!("{f:?}"))?;
                for emission in outcome.map_err(|r| format!("rejected: {r:?}"))? {
                    let to = manifest.stages[at]
                        .outputs
                        .get(&emission.port)
                        .ok_or("an unknown port")?;
                    let key = emission.key.or_else(|| key.clone());
                    waiting.push_back((to.clone(), key, emission.value));
                }
            }
        }
    }
    Ok(spent)
}

fn readers<'a>(manifest: &'a Manifest, topic: &TopicName) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (at, stage) in manifest.stages.iter().enumerate() {
        let inputs = stage.inputs.iter().filter(|(_, t)| t == topic);
        found.extend(inputs.map(|(port, _)| (at, port.as_str())));
    }
    found
}

fn begin(host: Box<dyn HostCalls>, n: usize, at: Timestamp) -> Outcome<Box<dyn HostCalls>> {
    let mut memory = host
        .into_any()
        .downcast::<Memory>()
        .map_err(|_| "another host context")?;
    memory.id = format!("payment.incoming/0/{n}");
    memory.at = at;
    Ok(memory)
}
