//! One action after another.

use super::super::checks::bad;
use super::node::{Node, Stepped, member};
use super::plan::Action;
use super::{Fleet, Violation};
use fermata_core::control::Verb;
use fermata_core::{Shard, names};
use std::time::Duration;

impl Fleet {
    pub(super) fn act(&mut self, action: &Action) -> Result<(), Violation> {
        let group = names::group(&self.ground.manifest.name);
        match action {
            Action::Work(node, worker) => self.work(*node, *worker)?,
            Action::Step(node) => self.step(*node)?,
            Action::Round => self.round()?,
            Action::Pay(n) => self.load.send(*n, &self.log, &self.ground.manifest),
            Action::Pass(millis) => self.log.clock().advance(Duration::from_millis(*millis)),
            Action::KillWorker(node, worker) => {
                if let Some(node) = &mut self.nodes[*node] {
                    node.kill_worker(&self.ground, *worker);
                }
            }
            Action::StartWorker(node, worker) => {
                if let Some(node) = &mut self.nodes[*node] {
                    node.start_worker(&self.ground, *worker);
                }
            }
            Action::Move(shard, node, worker) => {
                self.log.move_shard(&group, Shard(*shard), &member(*node, *worker));
            }
            Action::Lose(shard) => {
                self.log.lose_shard(&group, Shard(*shard));
            }
            Action::Usurp(shard) => {
                self.log.make_zombie(&group, Shard(*shard));
            }
            Action::Kill(node) => self.kill(*node),
            Action::Doom { node, calls, landed } => {
                if let Some(node) = &self.nodes[*node] {
                    node.line.doom(*calls, *landed);
                }
            }
            Action::Start(node) => self.start(*node)?,
            Action::Mute(node) => {
                if let Some(node) = &self.nodes[*node] {
                    node.line.mute();
                }
            }
            Action::Cut(node, cut) => {
                if let Some(node) = &self.nodes[*node] {
                    node.line.cut(*cut);
                }
            }
            Action::Deaf(node, deaf) => self.ground.exchange.deafen(*node, *deaf),
            Action::Order(order) => {
                let epoch = self.plane.fold().epoch;
                self.operators.order(order, epoch, &self.ground.shelf);
            }
            Action::Evacuate { node, timeout_ms } => self.operators.ask(Verb::Evacuate {
                node: super::node::name(*node),
                timeout_ms: *timeout_ms,
            }),
            Action::Repeat(nth) => self.operators.repeat(*nth),
            Action::Arrive => self.operators.arrive(),
        }
        Ok(())
    }

    pub(super) fn round(&mut self) -> Result<(), Violation> {
        for node in 0..self.nodes.len() {
            self.step(node)?;
            self.check()?;
            for worker in 0..self.ground.workers {
                self.work(node, worker)?;
                self.check()?;
            }
        }
        Ok(())
    }

    pub(super) fn work(&mut self, node: usize, worker: usize) -> Result<(), Violation> {
        let Some(found) = &mut self.nodes[node] else {
            return Ok(());
        };
        match found.work(worker) {
            Ok(()) => Ok(()),
            Err(error) => bad(format!("worker {worker} of node {node} failed: {error}")),
        }
    }

    pub(super) fn step(&mut self, index: usize) -> Result<(), Violation> {
        let Some(node) = &mut self.nodes[index] else {
            return Ok(());
        };
        let led = node.controller.leads();
        let stepped = node.step();
        let leads = node.controller.leads();
        self.ran.leaders += u64::from(!led && leads);
        self.ran.deposed += u64::from(led && !leads);
        match stepped {
            Ok(Stepped::Well) => Ok(()),
            Ok(Stepped::Dead) => {
                self.kill(index);
                Ok(())
            }
            Err(error) => bad(format!("node {index} failed: {error}")),
        }
    }

    pub(super) fn start(&mut self, index: usize) -> Result<(), Violation> {
        if self.nodes[index].is_some() {
            return Ok(());
        }
        self.nodes[index] = match Node::start(&self.ground, index) {
            Ok(node) => node,
            Err(error) => return bad(format!("node {index} cannot start: {error}")),
        };
        self.ran.starts += u64::from(self.nodes[index].is_some());
        Ok(())
    }

    fn kill(&mut self, index: usize) {
        if let Some(node) = self.nodes[index].take() {
            node.kill(&self.ground);
            self.ran.kills += 1;
        }
    }
}
