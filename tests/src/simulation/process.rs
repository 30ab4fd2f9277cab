//! A process: the leader, the workers that it tells what to do, and what they share. It lives and dies as a whole.

use super::disks::Disks;
use super::line::Line;
use super::plan::Plan;
use super::shelf::Shelf;
use crate::simulated::Simulated;
use fermata_core::manifest::Manifest;
use fermata_core::names;
use fermata_core::ports::{LogError, NoProbe, StateStore};
use fermata_runtime::board::Board;
use fermata_runtime::control::{self, ControlError, Controller, ControllerSpec, Fold, Preparing};
use fermata_runtime::nodes::NodeSpec;
use fermata_runtime::views::{NoPeers, Views};
use fermata_runtime::worker::{BatchLimits, Worker, WorkerError, WorkerSpec};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// What every process of a run is made of.
pub struct Ground {
    pub manifest: Arc<Manifest>,
    pub log: Simulated,
    pub shelf: Shelf,
    pub batch: usize,
    pub workers: usize,
    /// `None`: the log's own state serves all.
    pub disks: Option<Mutex<Disks>>,
}

impl Ground {
    pub fn new(plan: &Plan, manifest: Arc<Manifest>, log: Simulated) -> Self {
        let disks = || Mutex::new(Disks::new(plan.workers, manifest.clone(), log.clone()));
        Self {
            disks: plan.stores.then(disks),
            manifest,
            log,
            shelf: Shelf::default(),
            batch: plan.batch,
            workers: plan.workers,
        }
    }

    /// What a worker that starts keeps its state in.
    fn store(&self, index: usize) -> Result<Arc<dyn StateStore>, LogError> {
        match &self.disks {
            None => Ok(Arc::new(self.log.clone())),
            Some(disks) => disks.lock().open(index),
        }
    }
}

/// A leader that decides, on a line of its own.
pub struct Leader {
    pub controller: Controller,
    pub line: Arc<Line>,
}

/// What became of a leader's step.
pub enum Led {
    /// It has heard everything that it asked for.
    Well,
    /// Some call was not answered: what it knows may be old.
    Unsure,
    /// The process is dead.
    Dead,
    /// Another one leads.
    Deposed,
}

impl Leader {
    pub fn step(&mut self) -> Result<Led, ControlError> {
        let failed = self.line.failed();
        let stepped = self.controller.step(Duration::ZERO);
        if self.line.dead() {
            return Ok(Led::Dead);
        }
        match stepped {
            Ok(()) if self.line.failed() == failed => Ok(Led::Well),
            Ok(()) => Ok(Led::Unsure),
            Err(ControlError::Deposed { .. }) => Ok(Led::Deposed),
            Err(error) => Err(error),
        }
    }

    pub fn fold(&self) -> Fold {
        self.controller.view().state().fold.clone()
    }
}

pub struct Process {
    pub leader: Leader,
    pub board: Arc<Board>,
    pub workers: Vec<Option<Worker>>,
    /// Asked by the checks: no call of it fails for the line's sake.
    pub views: Views,
}

impl Process {
    /// `None`: the log was away, or another process came first; start again later.
    pub fn start(ground: &Ground, line: Line) -> Result<Option<Self>, ControlError> {
        let line = Arc::new(line);
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
            node: NodeSpec::alone(),
            peers: Arc::new(NoPeers),
        });
        let (board, controller) = match started {
            Ok(started) => started,
            Err(error) if line.failed() == 0 => return Err(error),
            Err(_) => return Ok(None),
        };
        let aside = Arc::new(Line::aside(ground.log.clone()));
        let views = Views::new(ground.manifest.clone(), aside, log, board.clone());
        let mut process = Self {
            leader: Leader { controller, line },
            board,
            workers: (0..ground.workers).map(|_| None).collect(),
            views,
        };
        for index in 0..ground.workers {
            process.start_worker(ground, index);
        }
        Ok(Some(process))
    }

    pub fn start_worker(&mut self, ground: &Ground, index: usize) {
        let index = index % self.workers.len();
        if self.workers[index].is_some() {
            return;
        }
        let log = Arc::new(ground.log.clone());
        let store = ground.store(index).expect("a disk that was harmed can be opened");
        let spec = WorkerSpec {
            index,
            node: NODE.into(),
            manifest: ground.manifest.clone(),
            log,
            store,
            clock: ground.log.clock(),
            board: self.board.clone(),
            engine_name: "native".into(),
            probe: Arc::new(NoProbe),
            // Small batches: more commits, more boundaries.
            batch: BatchLimits {
                records: ground.batch,
                time: Duration::from_millis(10),
            },
        };
        // The log may be away: the worker is started again later.
        self.workers[index] = Worker::join(spec).ok();
    }

    pub fn work(&mut self, index: usize) -> Result<(), WorkerError> {
        let index = index % self.workers.len();
        match self.workers[index].as_mut() {
            Some(worker) => worker.step(Duration::ZERO).map(drop),
            None => Ok(()),
        }
    }

    /// No goodbye: its transaction stays open. `false`: it was not there.
    pub fn kill_worker(&mut self, ground: &Ground, index: usize) -> bool {
        let index = index % self.workers.len();
        if self.workers[index].is_none() {
            return false;
        }
        ground
            .log
            .kill_session(&names::group(&ground.manifest.name), &member(index));
        self.workers[index] = None;
        if let Some(disks) = &ground.disks {
            disks.lock().close(index);
        }
        true
    }

    /// The workers die; what is left is a leader that nobody obeys.
    pub fn kill(mut self, ground: &Ground) -> Leader {
        for index in 0..self.workers.len() {
            self.kill_worker(ground, index);
        }
        self.leader
    }
}

const NODE: &str = "sim";

/// Name in the group.
pub fn member(index: usize) -> String {
    format!("{NODE}.{index}")
}
