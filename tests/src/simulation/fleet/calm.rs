//! The calm: everybody lives, nothing is refused, and time goes on until nothing moves and nothing is open.

use super::super::checks::bad;
use super::super::plan::FOR_EVER_MS;
use super::{Fleet, Violation};
use fermata_core::Shard;
use fermata_core::control::{DeploymentState, Verb};
use std::time::Duration;

const ROUNDS: u32 = 4_000;
/// Operators look every so many rounds.
const LOOK: u32 = 40;

impl Fleet {
    pub(super) fn calm(&mut self, why: &str) -> Result<(), Violation> {
        let mut quiet = 0;
        for round in 0..ROUNDS {
            for index in 0..self.nodes.len() {
                self.start(index)?;
                self.ground.exchange.deafen(index, false);
                if let Some(node) = &mut self.nodes[index] {
                    node.line.cut(false);
                    for worker in 0..self.ground.workers {
                        node.start_worker(&self.ground, worker);
                    }
                }
            }
            self.round()?;
            if round % LOOK == 0 {
                self.put_right();
            }
            let idle = self.idle();
            if idle && self.at_rest() {
                quiet += 1;
            } else {
                quiet = 0;
            }
            if quiet > 2 {
                return Ok(());
            }
            let pace = if idle { 1_000 } else { 20 };
            self.log.clock().advance(Duration::from_millis(pace));
        }
        bad(format!("not at rest after {why}: {}", self.unrest()))
    }

    /// Operators end what would not end by itself.
    fn put_right(&mut self) {
        let fold = self.plane.fold();
        let mut wishes = Vec::new();
        if fold.paused.is_some() && fold.draining().is_none() {
            wishes.push(Verb::Resume);
        }
        let watched = |d: &fermata_runtime::control::Deployment| {
            d.state() == DeploymentState::Probation && d.probation_ms >= FOR_EVER_MS
        };
        for deployment in fold.deployments.values().filter(|d| watched(d)) {
            let stage = deployment.stage.clone();
            if fold.deployments_of(&stage).all(|d| d.ended() || watched(d)) {
                wishes.push(Verb::Rollback { stage });
            }
        }
        wishes.into_iter().for_each(|wish| self.operators.ask(wish));
    }

    /// Every instance knows that every record of every topic is read by every reader, by the version that is live.
    fn idle(&self) -> bool {
        let fold = self.plane.fold();
        self.nodes.iter().flatten().all(|node| {
            let reports = node.controller.nodes().reports();
            (0..self.ground.manifest.partitions).map(Shard).all(|shard| {
                let Some(report) = reports.get(&shard).filter(|r| r.idle) else {
                    return false;
                };
                self.ground.manifest.stages.iter().all(|stage| {
                    let live = fold.stages.get(&stage.name);
                    report.tasks.get(&stage.name).is_some_and(|task| {
                        let read = |topic| {
                            let next = task.positions.get(topic).copied().unwrap_or_default();
                            !self.log.lies_behind(topic, shard, next)
                        };
                        task.version == live.map(|l| l.version) && stage.inputs.iter().map(|(_, topic)| topic).all(read)
                    })
                })
            })
        })
    }

    /// No payment is in flight, wherever one asks, nothing is paused, and nothing is open.
    fn at_rest(&self) -> bool {
        let fold = self.plane.fold();
        let open = fold.evacuating.values().any(|evacuation| !evacuation.done);
        if fold.paused.is_some() || open || self.plane.ended().is_err() {
            return false;
        }
        self.nodes.iter().flatten().all(|node| {
            let answer = node.controller.views().query("inflight", None, serde_json::json!({}));
            answer.is_ok_and(|a| a.data["count"] == 0 && !a.partial)
        })
    }

    fn unrest(&self) -> String {
        let fold = self.plane.fold();
        let ended = self.plane.ended().err().map(|v| v.what);
        let open: Vec<_> = fold.deployments.values().filter(|d| !d.ended()).collect();
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .flatten()
            .map(|node| {
                let held: Vec<Vec<Shard>> = node.workers.iter().flatten().map(|w| w.shards().collect()).collect();
                let view = node.controller.view().state();
                let reports = node.controller.nodes().reports();
                let idle: Vec<_> = reports.iter().map(|(s, r)| (s.0, r.sequence.0, r.epoch, r.idle)).collect();
                let answer = node.controller.views().query("inflight", None, serde_json::json!({}));
                format!(
                    "node {}: leads {}, holds {held:?} of {:?}, knows {idle:?}, epoch {}, {:?} because {:?}, in flight {:?}",
                    node.index,
                    node.controller.leads(),
                    node.board.tenure.held(),
                    view.fold.epoch,
                    view.flow,
                    view.obstacles,
                    answer.map(|a| (a.data, a.partial)),
                )
            })
            .collect();
        format!(
            "{ended:?} {:?} {:?}, open {open:?}, {:?}; {nodes:#?}",
            fold.paused, fold.drain, fold.evacuating
        )
    }
}
