//! Giving shards away before maintenance: the workers of an instance leave the group one after the other, each when
//! what it holds is warm elsewhere or the time is up. The instance goes on following, and answers views.

use super::controller::Controller;
use super::error::ControlError;
use super::wire::News;
use crate::nodes::Owner;
use fermata_core::Shard;
use fermata_core::control::Fact;
use std::collections::BTreeSet;
use std::time::Duration;

/// A standby that has at most so many changes to read still is warm.
const WARM: u64 = 1_000;

impl Controller {
    /// Is this process one that should give its shards away?
    pub(super) fn evacuates(&self) -> bool {
        let evacuation = self.fold.evacuating.get(&self.nodes.own.name);
        evacuation.is_some_and(|e| e.incarnation == self.nodes.incarnation)
    }

    /// One worker at a time.
    pub(super) fn give_shards_away(&mut self) {
        if !self.evacuates() {
            return;
        }
        let now = self.clock.elapsed();
        let since = *self.company.evacuating.get_or_insert(now);
        let timeout = self
            .fold
            .evacuating
            .get(&self.nodes.own.name)
            .map_or(0, |e| e.timeout_ms);
        let late = now.saturating_sub(since) >= Duration::from_millis(timeout);
        let tenure = &self.board.tenure;
        let workers = tenure.workers();
        let Some(next) = workers.first().copied() else { return };
        if tenure.should_leave(next) {
            // It is on its way.
            return;
        }
        let held = tenure.held();
        let mine = held
            .iter()
            .filter(|(_, worker)| **worker == next)
            .map(|(shard, _)| *shard);
        let mine: BTreeSet<Shard> = mine.collect();
        if late || (self.others_have(&held.into_keys().collect()) && self.warm_elsewhere(&mine)) {
            tracing::info!(target: "fermata::control", worker = next, "it leaves the group");
            self.board.tenure.dismiss(next);
        }
    }

    /// What is not held here is processed there.
    fn others_have(&self, here: &BTreeSet<Shard>) -> bool {
        let owners = self.nodes.owners();
        let mut gone = self.shards().filter(|shard| !here.contains(shard));
        gone.all(|shard| matches!(owners.get(&shard), Some(Owner::There { .. })))
    }

    fn warm_elsewhere(&self, shards: &BTreeSet<Shard>) -> bool {
        let live = self.nodes.live();
        shards.iter().all(|shard| {
            let lag = |heard: &crate::nodes::Heard| heard.report.standby.get(shard).copied();
            live.iter().filter_map(lag).any(|lag| lag <= WARM)
        })
    }

    /// The leader says when an instance holds nothing any more, or is gone.
    pub(super) fn end_evacuations(&mut self) -> Result<(), ControlError> {
        let open = self.fold.evacuating.iter().filter(|(_, evacuation)| !evacuation.done);
        let mut news = Vec::new();
        for (node, evacuation) in open {
            if self.holds_something(node, evacuation.incarnation) {
                continue;
            }
            let took = self.clock.now().0.saturating_sub(evacuation.since);
            let fact = Fact::Evacuated {
                node: node.clone(),
                incarnation: evacuation.incarnation,
                took_ms: u64::try_from(took).unwrap_or_default(),
            };
            news.push(News::of(evacuation.command, fact));
        }
        self.record(news)
    }

    fn holds_something(&self, node: &str, incarnation: uuid::Uuid) -> bool {
        if incarnation == self.nodes.incarnation {
            let tenure = &self.board.tenure;
            return !tenure.workers().is_empty() || !tenure.held().is_empty();
        }
        let mut live = self.nodes.live().into_iter().map(|heard| heard.report);
        let report = live.find(|report| report.node == node && report.incarnation == incarnation);
        report.is_some_and(|r| !(r.workers.is_empty() && r.shards.is_empty() && r.restoring.is_empty()))
    }
}
