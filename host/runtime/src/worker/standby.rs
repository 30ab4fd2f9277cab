//! A worker that may not work: its instance's lease is over, or it gives its shards away for good.

use super::batch::Batch;
use super::{Progress, Worker, WorkerError};
use fermata_core::Shard;
use fermata_core::ports::{LogError, Polled};
use std::collections::BTreeMap;
use std::time::Duration;

impl Worker {
    /// Is the lease over? Then nothing is read until there is another.
    pub(super) fn suspend(&mut self) -> bool {
        let over = !self.spec.board.tenure.may_work(self.spec.clock.elapsed());
        if over != self.suspended {
            if over && self.spec.board.tenure.had_a_lease() {
                tracing::warn!(
                    worker = self.spec.index,
                    "this instance could not tell of itself for too long: it stands still until it can"
                );
            }
            self.suspended = over;
            self.set_paused();
        }
        over
    }

    /// Stays in the group and hears what becomes of the shards, without a batch.
    pub(super) fn stand_by(&mut self, max_wait: Duration) -> Result<Progress, WorkerError> {
        match self.session().poll(max_wait, 1)? {
            Polled::Idle => return Ok(Progress::Idle),
            Polled::Records(records) => {
                // Fetched before it paused: to be read again.
                if let Some(first) = records.first() {
                    let (topic, shard, offset) = (first.topic.clone(), first.shard, first.offset);
                    self.session().seek(&topic, shard, offset)?;
                }
            }
            Polled::Assigned(shards) => {
                self.spec.board.tenure.gained(self.spec.index, &shards);
                self.unrestored.extend(shards);
            }
            Polled::Revoked { shards, .. } => self.give_up(shards),
        }
        Ok(Progress::Worked)
    }

    /// Ends what is open, leaves the group, and stays out of it.
    pub(super) fn stay_out(&mut self, max_wait: Duration) -> Result<Progress, WorkerError> {
        if self.session.is_some() {
            if self.unresolved.is_some() && !self.resolve()? {
                return Ok(Progress::Idle);
            }
            match self.commit(BTreeMap::new()) {
                Ok(()) if self.unresolved.is_some() => return Ok(Progress::Idle),
                Ok(()) | Err(WorkerError::Log(LogError::Away(_) | LogError::Fenced(_))) => {}
                Err(fatal) => return Err(fatal),
            }
            self.batch = Batch::default();
            self.leave();
        } else if !max_wait.is_zero() {
            std::thread::sleep(max_wait);
        }
        Ok(Progress::Idle)
    }

    /// They are gone whatever became of the batch: told once, the session does not say it again.
    pub(super) fn give_up(&mut self, shards: Vec<Shard>) {
        for shard in shards {
            self.shards.remove(&shard);
            self.unrestored.remove(&shard);
            self.spec.store.release(shard);
            self.spec.board.forget(self.spec.index, shard);
            self.spec.board.tenure.lost(self.spec.index, shard);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let board = &self.spec.board;
        board.tenure.left(self.spec.index);
        if board.tenure.is_shared() {
            for shard in self.shards.keys().chain(&self.unrestored) {
                board.forget(self.spec.index, *shard);
            }
        }
    }
}
