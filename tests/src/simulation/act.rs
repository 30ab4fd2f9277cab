//! One action after another.

use super::checks::bad;
use super::line::Line;
use super::plan::{Action, Harm};
use super::process::{Led, Process, member};
use super::{Simulation, Violation};
use crate::simulated::Mode;
use fermata_core::{Shard, names};
use fermata_runtime::control::Fold;
use std::collections::BTreeSet;
use std::time::Duration;

impl Simulation {
    pub(super) fn act(&mut self, action: &Action) -> Result<(), Violation> {
        let group = names::group(&self.ground.manifest.name);
        match action {
            Action::Work(index) => self.work(*index)?,
            Action::Lead => self.lead()?,
            Action::Pay(n) => self.load.send(*n, &self.log, &self.ground.manifest),
            Action::Pass(millis) => self.log.clock().advance(Duration::from_millis(*millis)),
            Action::Jump(millis) => self.log.clock().jump(*millis),
            Action::KillWorker(index) => {
                if let Some(process) = &mut self.process {
                    self.ran.worker_kills += u64::from(process.kill_worker(&self.ground, *index));
                }
            }
            Action::StartWorker(index) => {
                if let Some(process) = &mut self.process {
                    process.start_worker(&self.ground, *index);
                }
            }
            Action::Move(shard, to) => {
                self.log.move_shard(&group, Shard(*shard), &member(*to));
            }
            Action::Lose(shard) => {
                self.log.lose_shard(&group, Shard(*shard));
            }
            Action::Usurp(shard) => {
                self.log.make_zombie(&group, Shard(*shard));
            }
            Action::Kill => {
                if let Some(process) = self.process.take() {
                    process.kill(&self.ground);
                    self.ran.kills += 1;
                }
            }
            Action::Doom { calls, landed } => {
                if let Some(process) = &self.process {
                    process.leader.line.doom(*calls, *landed);
                }
            }
            Action::Mute => {
                if let Some(process) = &self.process {
                    process.leader.line.mute();
                }
            }
            Action::Freeze => {
                if let Some(process) = self.process.take() {
                    self.frozen = Some(process.kill(&self.ground));
                    self.ran.freezes += 1;
                }
            }
            Action::Wake => self.wake()?,
            Action::Start => self.start()?,
            Action::Order(order) => {
                let epoch = self.plane.fold().epoch;
                self.operators.order(order, epoch, &self.ground.shelf);
            }
            Action::Repeat(nth) => self.operators.repeat(*nth),
            Action::Arrive => self.operators.arrive(),
            Action::Garbage(kind) => self.operators.garbage(*kind),
            Action::Tend(index) => {
                if let Some(disks) = &self.ground.disks {
                    disks.lock().tend(*index)?;
                }
            }
            Action::Harm(index, harm) => self.harm(*index, *harm),
            Action::Compact => {
                if let Some(disks) = &self.ground.disks {
                    disks.lock().compact();
                }
            }
        }
        Ok(())
    }

    /// The worker's process ends at that moment, and its disk is what it was then, or less.
    fn harm(&mut self, index: usize, harm: Harm) {
        let Some(disks) = &self.ground.disks else { return };
        disks.lock().harm(index, harm);
        if let Some(process) = &mut self.process {
            self.ran.worker_kills += u64::from(process.kill_worker(&self.ground, index));
        }
    }

    pub(super) fn work(&mut self, index: usize) -> Result<(), Violation> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match process.work(index) {
            Ok(()) => Ok(()),
            Err(error) => bad(format!("worker {index} failed: {error}")),
        }
    }

    pub(super) fn start(&mut self) -> Result<(), Violation> {
        if self.process.is_some() {
            return Ok(());
        }
        self.process = match Process::start(&self.ground, Line::new(self.log.clone())) {
            Ok(process) => process,
            Err(error) => return bad(format!("a process cannot start: {error}")),
        };
        if self.process.is_some() {
            self.ran.starts += 1;
            self.agree()?;
        }
        Ok(())
    }

    pub(super) fn lead(&mut self) -> Result<(), Violation> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match process.leader.step() {
            Ok(Led::Well) => self.agree(),
            Ok(Led::Unsure) => Ok(()),
            Ok(Led::Dead) => {
                if let Some(process) = self.process.take() {
                    let leader = process.kill(&self.ground);
                    self.ran.unheard += leader.line.unheard();
                    self.ran.kills += 1;
                }
                Ok(())
            }
            Ok(Led::Deposed) => bad("the leader gave way, though nobody came after it".into()),
            Err(error) => bad(format!("the leader failed: {error}")),
        }
    }

    /// A leader that thinks it still leads goes on deciding, until it finds out.
    fn wake(&mut self) -> Result<(), Violation> {
        let Some(leader) = &mut self.frozen else {
            return Ok(());
        };
        let void = self.plane.decided().void;
        match leader.step() {
            Ok(Led::Well) => {
                self.plane.read(&self.log)?;
                if self.plane.decided().void > void {
                    return bad("a leader records void facts, and goes on".into());
                }
            }
            Ok(Led::Unsure) => {}
            Ok(Led::Dead) => self.frozen = None,
            Ok(Led::Deposed) => {
                self.frozen = None;
                self.ran.deposed += 1;
            }
            Err(error) => return bad(format!("a leader that was frozen failed: {error}")),
        }
        // Nobody took its place: it led all the time, without workers.
        Ok(())
    }

    /// A leader that has heard everything knows what any reader of the status topic knows.
    fn agree(&mut self) -> Result<(), Violation> {
        let found = self.plane.read(&self.log)?;
        if found.drained {
            self.look(true)?;
        }
        let Some(process) = &self.process else { return Ok(()) };
        if self.plan.mode == Mode::Embedded {
            // It shows only what was durable then.
            return Ok(());
        }
        let (own, read) = (process.leader.fold(), self.plane.fold());
        if own != *read {
            return bad(format!(
                "the leader and the status topic differ: {}",
                difference(&own, read)
            ));
        }
        Ok(())
    }
}

/// The parts of two folds that are not the same.
fn difference(own: &Fold, read: &Fold) -> String {
    let mut parts = Vec::new();
    let mut compare = |what: &str, own: String, read: String| {
        if own != read {
            parts.push(format!("{what}: {own} and {read}"));
        }
    };
    compare("epoch", own.epoch.to_string(), read.epoch.to_string());
    compare("term", own.term.to_string(), read.term.to_string());
    compare("paused", format!("{:?}", own.paused), format!("{:?}", read.paused));
    compare("drain", format!("{:?}", own.drain), format!("{:?}", read.drain));
    compare("stages", format!("{:?}", own.stages), format!("{:?}", read.stages));
    let numbers = own.deployments.keys().chain(read.deployments.keys());
    for number in numbers.collect::<BTreeSet<_>>() {
        let [own, read] = [own, read].map(|fold| format!("{:?}", fold.deployments.get(number)));
        compare("deployment", own, read);
    }
    let commands = own.outcomes.keys().chain(read.outcomes.keys());
    for id in commands.collect::<BTreeSet<_>>() {
        let [own, read] = [own, read].map(|fold| format!("{:?}", fold.outcomes.get(id)));
        compare("outcome", own, read);
    }
    parts.join("; ")
}
