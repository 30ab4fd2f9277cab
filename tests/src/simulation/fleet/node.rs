//! One instance: a controller with a line of its own to the log, its workers, and a telephone.

use super::super::line::Line;
use super::super::shelf::Shelf;
use super::plan::Plan;
use crate::simulated::Simulated;
use fermata_core::manifest::Manifest;
use fermata_core::names;
use fermata_core::ports::NoProbe;
use fermata_runtime::board::Board;
use fermata_runtime::control::{self, ControlError, Controller, ControllerSpec, Preparing};
use fermata_runtime::nodes::NodeSpec;
use fermata_runtime::views::{PeerError, Peers, Question, Reply, Views};
use fermata_runtime::worker::{BatchLimits, Worker, WorkerError, WorkerSpec};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What every instance of a run is made of.
pub struct Ground {
    pub manifest: Arc<Manifest>,
    pub log: Simulated,
    pub shelf: Shelf,
    pub batch: usize,
    pub workers: usize,
    pub exchange: Arc<Exchange>,
}

impl Ground {
    pub fn new(plan: &Plan, manifest: Arc<Manifest>, log: Simulated) -> Self {
        Self {
            manifest,
            log,
            shelf: Shelf::default(),
            batch: plan.batch,
            workers: plan.workers,
            exchange: Arc::default(),
        }
    }
}

/// Connects instances that live and are not cut off.
#[derive(Default)]
pub struct Exchange {
    lines: Mutex<BTreeMap<String, Arc<Views>>>,
    deaf: Mutex<BTreeSet<String>>,
}

impl Exchange {
    pub fn deafen(&self, node: usize, deaf: bool) {
        let mut all = self.deaf.lock();
        let name = name(node);
        let _ = if deaf { all.insert(name) } else { all.remove(&name) };
    }
}

impl Peers for Exchange {
    fn ask(&self, address: &str, question: &Question, _: Duration) -> Result<Reply, PeerError> {
        let views = self.lines.lock().get(address).cloned();
        let views = views.filter(|_| !self.deaf.lock().contains(address));
        let nobody = || PeerError(format!("{address} does not answer"));
        views.map(|views| views.parts(question)).ok_or_else(nobody)
    }
}

pub struct Node {
    pub index: usize,
    pub controller: Controller,
    pub line: Arc<Line>,
    pub board: Arc<Board>,
    pub workers: Vec<Option<Worker>>,
    /// Asked by the checks: all state there is, no call fails.
    pub views: Views,
}

/// What became of a controller's step.
pub enum Stepped {
    Well,
    Dead,
}

impl Node {
    /// `None`: the log was away; start again later.
    pub fn start(ground: &Ground, index: usize) -> Result<Option<Self>, ControlError> {
        let line = Arc::new(Line::new(ground.log.clone()));
        let log = Arc::new(ground.log.clone());
        let started = control::start(ControllerSpec {
            manifest: ground.manifest.clone(),
            log: line.clone(),
            store: log.clone(),
            clock: ground.log.clock(),
            executor: ground.shelf.executor.clone(),
            artifacts: ground.shelf.artifacts.clone(),
            probe: Arc::new(NoProbe),
            preparing: Preparing::InStep,
            node: NodeSpec::named(name(index), Some(name(index))),
            peers: ground.exchange.clone(),
        });
        let (board, controller) = match started {
            Ok(started) => started,
            Err(error) if line.failed() == 0 => return Err(error),
            Err(_) => return Ok(None),
        };
        ground.exchange.lines.lock().insert(name(index), controller.views());
        let aside = Arc::new(Line::aside(ground.log.clone()));
        let views = Views::new(ground.manifest.clone(), aside, log, board.clone());
        let workers = (0..ground.workers).map(|_| None).collect();
        let mut node = Self {
            index,
            controller,
            line,
            board,
            workers,
            views,
        };
        for worker in 0..ground.workers {
            node.start_worker(ground, worker);
        }
        Ok(Some(node))
    }

    pub fn step(&mut self) -> Result<Stepped, ControlError> {
        let stepped = self.controller.step(Duration::ZERO);
        if self.line.dead() {
            return Ok(Stepped::Dead);
        }
        match stepped {
            // A version that works once only cannot be made ready again: the process gives up, and starts anew.
            Ok(()) => Ok(Stepped::Well),
            Err(ControlError::Stage { .. }) => Ok(Stepped::Dead),
            Err(error) => Err(error),
        }
    }

    pub fn start_worker(&mut self, ground: &Ground, worker: usize) {
        if self.workers[worker].is_some() {
            return;
        }
        let log = Arc::new(ground.log.clone());
        let spec = WorkerSpec {
            index: worker,
            node: name(self.index),
            manifest: ground.manifest.clone(),
            log: log.clone(),
            store: log,
            clock: ground.log.clock(),
            board: self.board.clone(),
            engine_name: "native".into(),
            probe: Arc::new(NoProbe),
            batch: BatchLimits {
                records: ground.batch,
                time: Duration::from_millis(10),
            },
        };
        // The log may be away: the worker is started again later.
        self.workers[worker] = Worker::join(spec).ok();
    }

    pub fn work(&mut self, worker: usize) -> Result<(), WorkerError> {
        match self.workers[worker].as_mut() {
            Some(worker) => worker.step(Duration::ZERO).map(drop),
            None => Ok(()),
        }
    }

    /// No goodbye: its transaction stays open.
    pub fn kill_worker(&mut self, ground: &Ground, worker: usize) {
        if self.workers[worker].is_some() {
            let group = names::group(&ground.manifest.name);
            ground.log.kill_session(&group, &member(self.index, worker));
            self.workers[worker] = None;
        }
    }

    pub fn kill(mut self, ground: &Ground) {
        for worker in 0..self.workers.len() {
            self.kill_worker(ground, worker);
        }
        ground.exchange.lines.lock().remove(&name(self.index));
    }
}

pub fn name(node: usize) -> String {
    format!("node-{node}")
}

/// Name in the group.
pub fn member(node: usize, worker: usize) -> String {
    format!("{}.{worker}", name(node))
}
