//! What one call of each stage costs, in the sandbox and natively: payments go through all stages in memory, without
//! log, worker or disk, so that nothing else is in the figure.

use super::Outcome;
use super::load::Load;
use super::pipeline::{self, Kind};
use super::spread::Spread;
use bytes::Bytes;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Executor, HostCalls, Instance, LogLevel, Refused};
use fermata_core::{Input, Timestamp, TopicName};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_server::executor;
use fermata_server::host::artifacts::Files;
use serde::Serialize;
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
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

/// A host of one shard, in memory.
#[derive(Default)]
struct Memory {
    id: String,
    at: Timestamp,
    stores: BTreeMap<String, BTreeMap<Vec<u8>, Bytes>>,
}

impl HostCalls for Memory {
    fn id(&self) -> &str {
        &self.id
    }
    fn root(&self) -> (&str, Timestamp) {
        (&self.id, self.at)
    }
    fn now(&self) -> Timestamp {
        self.at
    }
    fn random(&mut self) -> u64 {
        4
    }
    fn get(&mut self, store: &str, key: &[u8]) -> Result<Option<Bytes>, Refused> {
        Ok(self.stores.get(store).and_then(|s| s.get(key)).cloned())
    }
    fn put(&mut self, store: &str, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        if !self.stores.contains_key(store) {
            self.stores.insert(store.to_owned(), BTreeMap::new());
        }
        if let Some(entries) = self.stores.get_mut(store) {
            entries.insert(key.to_vec(), Bytes::copy_from_slice(value));
        }
        Ok(())
    }
    fn delete(&mut self, store: &str, key: &[u8]) -> Result<(), Refused> {
        if let Some(entries) = self.stores.get_mut(store) {
            entries.remove(key);
        }
        Ok(())
    }
    fn scan(
        &mut self,
        store: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        let Some(entries) = self.stores.get(store) else {
            return Ok(Vec::new());
        };
        let from = after.unwrap_or(prefix).to_vec();
        let found = entries
            .range(from..)
            .filter(|(k, _)| after.is_none_or(|a| k.as_slice() > a));
        let found = found.take_while(|(k, _)| k.starts_with(prefix)).take(limit as usize);
        Ok(found.map(|(k, v)| (Bytes::copy_from_slice(k), v.clone())).collect())
    }
    fn set_timer(&mut self, _: &str, _: Timestamp, _: &[u8]) -> Result<(), Refused> {
        Ok(())
    }
    fn cancel_timer(&mut self, _: &str) -> Result<(), Refused> {
        Ok(())
    }
    fn add(&mut self, _: &str, _: &[String], _: u64) -> Result<(), Refused> {
        Ok(())
    }
    fn set(&mut self, _: &str, _: &[String], _: i64) -> Result<(), Refused> {
        Ok(())
    }
    fn observe(&mut self, _: &str, _: &[String], _: f64) -> Result<(), Refused> {
        Ok(())
    }
    fn log(&mut self, _: LogLevel, _: &str) -> Result<(), Refused> {
        Ok(())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
