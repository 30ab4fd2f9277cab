//! Obeying the directive: which versions run, what is not read, and the cutover of a task with its receipt.

use super::batch::Switched;
use super::journaling::{self, Cutover};
use super::task::{Loaded, Place};
use super::{Live, Worker, WorkerError};
use crate::board::{StageDirective, WorkerEvent};
use fermata_core::Shard;
use fermata_core::journal::Receipt;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Worker {
    /// Reads the newest directive and carries it out at this batch boundary. `true`: tasks have switched.
    pub(super) fn obey(&mut self) -> Result<bool, WorkerError> {
        // By identity: whether a drain waits changes without a new epoch.
        self.refresh_directive();
        let switched = self.switch()?;
        if self.unresolved.is_none() {
            self.spec.board.tenure.obeys(self.spec.index, self.directive.epoch);
        }
        Ok(switched)
    }

    /// Only where no batch is open: a record is taken in under the directive that its journal record names.
    pub(super) fn refresh_directive(&mut self) {
        if !Arc::ptr_eq(&self.directive, &self.spec.board.directive()) {
            self.read_directive();
            self.set_paused();
            self.stale_reports = true;
        }
    }

    /// Every stage has a version to run: before the pipeline has begun, or while this instance prepares what the
    /// others run already, it has none.
    pub(super) fn knows_every_stage(&self) -> bool {
        self.wirings.iter().all(|wiring| self.live.contains_key(&wiring.stage))
    }

    pub(super) fn read_directive(&mut self) {
        self.directive = self.spec.board.directive();
        let directive = self.directive.clone();
        for wiring in self.wirings.clone() {
            let Some(stage) = directive.stages.get(&wiring.stage) else {
                continue;
            };
            let loaded = self.load((wiring.stage.clone(), stage.version.id()), || {
                Loaded::new(&wiring, stage.version.clone(), stage.config_json.clone())
            });
            let StageDirective {
                deployment, rollback, ..
            } = *stage;
            self.live.insert(
                wiring.stage.clone(),
                Live {
                    loaded,
                    deployment,
                    rollback,
                },
            );
            match &stage.second_opinion {
                None => {
                    self.second.remove(&wiring.stage);
                }
                Some(old) => {
                    let known = self.loaded.get(&(wiring.stage.clone(), old.id())).cloned();
                    // After a restart it is met here first, and the journal must have its own setup, not the new one's.
                    let own = || old.setup().unwrap_or(&stage.config_json).to_owned();
                    let old = known.unwrap_or_else(|| Arc::new(Loaded::new(&wiring, old.clone(), own())));
                    self.loaded.insert(old.place.clone(), old.clone());
                    self.second.insert(wiring.stage.clone(), old);
                }
            }
        }
        let wanted: Vec<Place> = self
            .live
            .values()
            .map(|l| l.loaded.place.clone())
            .chain(self.second.values().map(|s| s.place.clone()))
            .collect();
        // A task may still run what the directive no longer wants, until the switch below.
        let running: Vec<Place> = self
            .shards
            .values()
            .flat_map(|s| s.tasks.iter().map(|t| t.loaded.place.clone()))
            .collect();
        let needed = |place: &Place| wanted.contains(place) || running.contains(place);
        self.loaded.retain(|place, _| needed(place));
        self.instances.keep_only(needed);
    }

    fn load(&mut self, place: Place, make: impl FnOnce() -> Loaded) -> Arc<Loaded> {
        self.loaded.entry(place).or_insert_with(|| Arc::new(make())).clone()
    }

    /// Heads while intake is closed, and partitions whose every reader is paused.
    pub(super) fn set_paused(&mut self) {
        let closed = self.intake_closed();
        let mut paused = Vec::new();
        for state in self.shards.values() {
            for topic in state.topics() {
                let mut readers = state.tasks.iter().filter(|t| t.positions.contains_key(&topic));
                let head = state
                    .tasks
                    .iter()
                    .any(|t| t.wiring.inputs.get(&topic).is_some_and(|i| i.head));
                if self.suspended || (closed && head) || readers.all(|t| t.paused.is_some()) {
                    paused.push((topic, state.shard));
                }
            }
        }
        if let Some(session) = self.session.as_deref_mut() {
            session.set_paused(&paused);
        }
    }

    /// Every task that does not run what the directive says ends its version here, in a transaction of its own.
    fn switch(&mut self) -> Result<bool, WorkerError> {
        let behind: Vec<(Shard, usize)> = self
            .shards
            .iter()
            .flat_map(|(shard, state)| state.tasks.iter().enumerate().map(move |(i, t)| (*shard, i, t)))
            .filter(|(_, _, task)| {
                let live = &self.live[&task.wiring.stage];
                task.ran.is_some() || task.loaded.id() != live.loaded.id() || task.deployment != live.deployment
            })
            .map(|(shard, task, _)| (shard, task))
            .collect();
        if behind.is_empty() {
            return Ok(false);
        }
        self.commit(BTreeMap::new())?;
        if self.unresolved.is_some() {
            return Ok(false);
        }
        let since = self.last_work.unwrap_or_else(|| self.spec.clock.elapsed());
        let mut cutovers: BTreeMap<Shard, Vec<(Cutover, Switched)>> = BTreeMap::new();
        let mut go_back = Vec::new();
        for (shard, index) in behind {
            let Some(state) = self.shards.get_mut(&shard) else {
                continue;
            };
            let task = &mut state.tasks[index];
            let live = &self.live[&task.wiring.stage];
            if let Err(fault) = self.instances.warm_up(&live.loaded) {
                let because = format!("{} cannot be instantiated: {fault}", live.loaded.id());
                if task.paused.is_none() {
                    let (stage, deployment) = (task.wiring.stage.clone(), live.deployment);
                    let fault = because.clone();
                    self.spec.board.tell(WorkerEvent::CannotSwitch {
                        stage,
                        deployment,
                        shard,
                        fault,
                    });
                }
                // Neither version may process a record now: the old one was ended by the directive.
                task.paused = Some(because);
                continue;
            }
            let old = task
                .ran
                .take()
                .unwrap_or_else(|| journaling::version_entry(&task.loaded));
            let positions = journaling::positions(task);
            // Whoever comes after a broken version must be able to tell.
            task.keep_good()?;
            task.faults_in_a_row = 0;
            task.suspect = false;
            task.full = false;
            task.loaded = live.loaded.clone();
            task.deployment = live.deployment;
            if task.paused.take().is_some() {
                // What the task did not conclude lies behind the session's position.
                go_back.extend(task.positions.keys().map(|t| (t.clone(), shard)));
            }
            state.touched = true;
            let receipt = Receipt {
                deployment: live.deployment,
                stage: task.wiring.stage.to_string(),
                shard: shard.0,
                old: 0,
                new: 0,
                positions,
                pause_micros: u64::try_from(self.spec.clock.elapsed().saturating_sub(since).as_micros())
                    .unwrap_or(u64::MAX),
                migrated: 0,
                rollback: live.rollback,
                at_micros: self.spec.clock.now_micros(),
                processed_before: task.counts.processed,
            };
            let new = task.loaded.id();
            let old_id = old.id().unwrap_or(new);
            let switched = Switched {
                shard,
                receipt: receipt.clone(),
                old: old_id,
                new,
                since,
            };
            cutovers
                .entry(shard)
                .or_default()
                .push((Cutover { receipt, old }, switched));
        }
        for (topic, shard) in go_back {
            let next = self
                .shards
                .get(&shard)
                .and_then(|s| s.lowest(&topic))
                .unwrap_or_default();
            self.session().seek(&topic, shard, next)?;
        }
        self.set_paused();
        if cutovers.is_empty() {
            return Ok(false);
        }
        self.batch.open = true;
        self.commit(cutovers)?;
        self.fresh_cutover = true;
        Ok(true)
    }
}
