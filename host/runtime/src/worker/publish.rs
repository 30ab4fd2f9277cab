//! Effects become visible only when the commit that made them is durable.

use super::Worker;
use super::batch::Effects;
use crate::board::{ShardReport, TaskReport, WorkerEvent};
use fermata_core::{CommitId, Shard};
use std::collections::VecDeque;

/// Commits in order, each with what it will show.
#[derive(Default)]
pub struct Unpublished(VecDeque<(CommitId, Effects)>);

impl Unpublished {
    pub fn push(&mut self, id: CommitId, effects: Effects) {
        self.0.push_back((id, effects));
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    fn pop_until(&mut self, durable: CommitId) -> Option<(CommitId, Effects)> {
        (self.0.front()?.0 <= durable).then(|| self.0.pop_front()).flatten()
    }
}

impl Worker {
    pub(super) fn publish_durable(&mut self) {
        if self.unpublished.is_empty() {
            return;
        }
        let durable = self.spec.log.durable();
        while let Some((_, effects)) = self.unpublished.pop_until(durable) {
            let now = self.spec.clock.now_micros();
            let board = &self.spec.board;
            for (topic, root_time) in effects.ended {
                board
                    .meters
                    .record(&topic, u64::try_from(now.saturating_sub(root_time)).unwrap_or(0));
            }
            board.meters.business(effects.metrics);
            for (shard, report) in effects.reports {
                if self.shards.contains_key(&shard) {
                    board.report(shard, report);
                }
            }
            for (switched, pause_micros) in effects.switched {
                let synced = self.spec.clock.elapsed().saturating_sub(switched.since);
                board.tell(WorkerEvent::Switched {
                    shard: switched.shard,
                    receipt: switched.receipt,
                    old: switched.old,
                    new: switched.new,
                    pause_micros,
                    synced_micros: u64::try_from(synced.as_micros()).unwrap_or(u64::MAX),
                });
            }
            effects.events.into_iter().for_each(|e| board.tell(e));
        }
    }

    /// What has no commit of its own (positions passed, epochs seen, idleness) is shown when nothing else waits.
    pub(super) fn note_idle(&mut self, idle: bool) {
        self.stale_reports |= idle != self.idle;
        self.idle = idle;
        if !self.stale_reports || self.batch.open || !self.unpublished.is_empty() || self.unresolved.is_some() {
            return;
        }
        self.stale_reports = false;
        let commit = self.spec.log.durable();
        let held: Vec<_> = self.shards.keys().copied().collect();
        for shard in held {
            if let Some(report) = self.report_of(shard, commit, idle) {
                self.spec.board.report(shard, report);
            }
        }
    }

    pub(super) fn report_of(&self, shard: Shard, commit: CommitId, idle: bool) -> Option<ShardReport> {
        let state = self.shards.get(&shard)?;
        let tasks = state.tasks.iter().map(|task| {
            let report = TaskReport {
                version: Some(task.runs()),
                deployment: task.deployment,
                counts: task.counts,
                positions: task.positions.clone(),
                paused: task.paused.clone(),
                unparking: task.unparking.clone(),
            };
            (task.wiring.stage.clone(), report)
        });
        Some(ShardReport {
            worker: self.spec.index,
            epoch: self.directive.epoch,
            sequence: state.journal.sequence,
            commit,
            idle,
            tasks: tasks.collect(),
        })
    }
}
