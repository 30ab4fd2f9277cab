//! The calm: everybody lives, nothing is refused, and time goes on until nothing moves and nothing is open.

use super::checks::bad;
use super::plan::FOR_EVER_MS;
use super::{Simulation, Violation};
use fermata_core::control::{DeploymentState, Verb};
use fermata_core::{Shard, names};
use std::time::Duration;

const ROUNDS: u32 = 3_000;
/// Operators look every so many rounds.
const LOOK: u32 = 40;

impl Simulation {
    pub(super) fn calm(&mut self, why: &str) -> Result<(), Violation> {
        self.frozen = None;
        let mut quiet = 0;
        for round in 0..ROUNDS {
            self.start()?;
            self.lead()?;
            for index in 0..self.ground.workers {
                if let Some(process) = &mut self.process {
                    process.start_worker(&self.ground, index);
                }
                self.work(index)?;
            }
            self.check()?;
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
            // Unless it is on its way.
            if fold.deployments_of(&stage).all(|d| d.ended() || watched(d)) {
                wishes.push(Verb::Rollback { stage });
            }
        }
        wishes.into_iter().for_each(|wish| self.operators.ask(wish));
    }

    /// Every record of every topic is read by every reader, by the version that is live.
    fn idle(&self) -> bool {
        let Some(process) = &self.process else { return false };
        let reports = process.board.reports();
        let fold = self.plane.fold();
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
    }

    /// No payment is in flight, nothing is paused, and no deployment is open.
    fn at_rest(&self) -> bool {
        let (Some(process), fold) = (&self.process, self.plane.fold()) else {
            return false;
        };
        if fold.paused.is_some() || fold.deployments.values().any(|d| !d.ended()) {
            return false;
        }
        let answer = process.views.query("inflight", None, serde_json::json!({}));
        answer.is_ok_and(|a| a.data["count"] == 0)
    }

    fn unrest(&self) -> String {
        let Some(process) = &self.process else {
            return "no process runs".into();
        };
        let in_flight = process.views.query("inflight", None, serde_json::json!({}));
        let owners = self.log.owners(&names::group(&self.ground.manifest.name));
        let workers = process.workers.iter().flatten();
        let held: Vec<Vec<Shard>> = workers.map(|w| w.shards().collect()).collect();
        let reports = process.board.reports();
        let paused: Vec<_> = reports
            .iter()
            .flat_map(|(shard, r)| r.tasks.iter().map(move |(stage, t)| (shard, stage, &t.paused)))
            .filter_map(|(shard, stage, why)| Some(format!("{stage} on {shard}: {}", why.as_ref()?)))
            .collect();
        let idle: Vec<_> = reports.iter().map(|(s, r)| (s.0, r.worker, r.epoch, r.idle)).collect();
        let fold = self.plane.fold();
        let open: Vec<_> = fold.deployments.values().filter(|d| !d.ended()).collect();
        let flow = (&fold.paused, &fold.drain);
        format!(
            "{:?}; the group says {owners:?}, the workers hold {held:?}, reports {idle:?}, paused {paused:?}; \
             {flow:?}, open {open:?}",
            in_flight.map(|a| a.data)
        )
    }
}
