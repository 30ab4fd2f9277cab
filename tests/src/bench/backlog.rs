//! How fast a backlog is worked off, and what a call costs in the sandbox: Wasm and native in turn.

use super::Outcome;
use super::load::Load;
use super::machine::Used;
use super::pipeline::{self, FirstWork, Kind, Pipeline};
use super::spread::Spread;
use serde::Serialize;
use std::sync::Arc;

/// The aims.
pub const LEAST_RATIO: f64 = 0.6;
pub const MOST_MICROS: f64 = 4.0;
pub const LEAST_PER_SECOND: f64 = 4_000.0;

/// One backlog, from a worker's first record to the last end on disk.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Worked {
    pub payments_per_s: f64,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub stage_calls: u64,
    /// Payments that ended.
    pub ended: u64,
    /// Processors that others kept busy.
    pub others: f64,
}

impl Worked {
    pub fn cpu_micros_a_call(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.stage_calls as f64
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    pub payments: u64,
    pub wasm: Vec<Worked>,
    pub native: Vec<Worked>,
}

impl Compared {
    fn pairs(&self, of: impl Fn(&Worked, &Worked) -> f64) -> Spread {
        Spread::of(self.wasm.iter().zip(&self.native).map(|(w, n)| of(w, n)))
    }
    /// Wasm's speed as a part of native's.
    pub fn ratio(&self) -> Spread {
        self.pairs(|w, n| w.payments_per_s / n.payments_per_s)
    }
    /// What a call costs more in the sandbox.
    pub fn extra_micros(&self) -> Spread {
        self.pairs(|w, n| w.cpu_micros_a_call() - n.cpu_micros_a_call())
    }
}

pub fn compare(rounds: usize, payments: u64) -> Outcome<Compared> {
    let mut compared = Compared {
        payments,
        wasm: Vec::new(),
        native: Vec::new(),
    };
    for round in 1..=rounds {
        for (kind, into) in [(Kind::Wasm, &mut compared.wasm), (Kind::Native, &mut compared.native)] {
            eprintln!("backlog of {payments}, round {round} of {rounds}: {kind:?}");
            into.push(work_off(kind, payments)?);
        }
    }
    let all = || compared.wasm.iter().chain(&compared.native);
    if let Some(other) = all().find(|w| w.ended != compared.wasm[0].ended) {
        let found = format!(
            "{} and {} payments ended of the same records",
            compared.wasm[0].ended, other.ended
        );
        return Err(found.into());
    }
    Ok(compared)
}

fn work_off(kind: Kind, payments: u64) -> Outcome<Worked> {
    let manifest = pipeline::manifest()?;
    let mut load = Load::new(&manifest)?;
    let pipeline = Pipeline::new(kind)?;
    let host = pipeline.funded(&mut load)?;
    let before = pipeline::stage_calls(&host.app);
    host.stop()?;
    pipeline.append_at_rest(load.take(payments)?)?;
    let began = Arc::new(FirstWork::default());
    let host = pipeline.start(began.clone())?;
    let (ended, end) = pipeline::last_end(&host.app)?;
    let stage_calls = pipeline::stage_calls(&host.app) - before;
    host.stop()?;
    let Used {
        seconds,
        cpu_seconds,
        others,
    } = began.moment()?.until(&end);
    Ok(Worked {
        payments_per_s: payments as f64 / seconds,
        seconds,
        cpu_seconds,
        stage_calls,
        ended,
        others,
    })
}
