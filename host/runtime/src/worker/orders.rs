//! What the control plane wants beside versions: stages that are at fault stand still, paused tasks try again, parked
//! records are released or skipped. Level-triggered, as the directive is; how far an order is, the journal knows.

use super::batch::Came;
use super::chain;
use super::parking::Taken;
use super::task::Task;
use super::{Worker, WorkerError};
use crate::board::Unpark;
use bytes::Bytes;
use fermata_core::Shard;
use fermata_core::journal::Unparking;
use std::sync::Arc;

/// Parked records that are tried in one transaction, all tasks together.
const AT_ONCE: usize = 128;

impl Worker {
    /// At a batch boundary: pauses what is at fault, and wakes what may go on.
    pub(super) fn heed_orders(&mut self) -> Result<(), WorkerError> {
        let next = self.spec.board.orders();
        let news = !Arc::ptr_eq(&next, &self.orders);
        let retry = next.retries != self.orders.retries;
        self.orders = next;
        let mut wake = Vec::new();
        for (shard, state) in &mut self.shards {
            for (index, task) in state.tasks.iter_mut().enumerate() {
                let at_fault = self.orders.at_fault.get(&task.wiring.stage);
                let live = &self.live[&task.wiring.stage];
                let owes_cutover = task.ran.is_some() || task.loaded.id() != live.loaded.id();
                match (&task.paused, at_fault) {
                    (None, Some(because)) => task.paused = Some(because.clone()),
                    (Some(_), None) if owes_cutover => {}
                    (Some(_), None) if retry || (task.full && task.limit()?.is_none()) => wake.push((*shard, index)),
                    _ => {}
                }
            }
        }
        self.wake(&wake)?;
        if news {
            self.stale_reports = true;
            self.set_paused();
        }
        Ok(())
    }

    /// Lets paused tasks go on where they stopped. No batch is open: what they did not conclude is read again.
    fn wake(&mut self, tasks: &[(Shard, usize)]) -> Result<(), WorkerError> {
        for (shard, index) in tasks {
            let Some(state) = self.shards.get_mut(shard) else {
                continue;
            };
            let task = &mut state.tasks[*index];
            task.paused = None;
            task.full = false;
            task.faults_in_a_row = 0;
            task.suspect = false;
            state.next_due = [state.next_due, task.next_due()?].into_iter().flatten().min();
            let topics: Vec<_> = task.positions.keys().cloned().collect();
            let back: Vec<_> = topics
                .into_iter()
                .map(|topic| {
                    let next = state.lowest(&topic).unwrap_or_default();
                    (topic, next)
                })
                .collect();
            for (topic, next) in back {
                self.session().seek(&topic, *shard, next)?;
            }
        }
        if !tasks.is_empty() {
            self.stale_reports = true;
            self.set_paused();
        }
        Ok(())
    }

    /// Carries on with the order on the board. `true`: something was tried, or there is more to do.
    pub(super) fn unpark(&mut self) -> Result<bool, WorkerError> {
        let orders = self.orders.clone();
        let Some(order) = &orders.unpark else { return Ok(false) };
        let mut concerned = Vec::new();
        for (shard, state) in &self.shards {
            for (index, task) in state.tasks.iter().enumerate() {
                let meant = order.which.stage.as_ref().is_none_or(|s| *s == task.wiring.stage);
                let done = (task.unparking.order, task.unparking.done) >= (order.number, true);
                if meant && !done {
                    concerned.push((*shard, index));
                }
            }
        }
        let full = |(shard, index): &(Shard, usize)| self.shards[shard].tasks[*index].full;
        let wake: Vec<_> = concerned.iter().copied().filter(|at| full(at)).collect();
        self.wake(&wake)?;
        let mut room = AT_ONCE;
        let mut worked = false;
        for (shard, index) in concerned {
            worked |= self.unpark_task(shard, index, order, &mut room)?;
        }
        Ok(worked)
    }

    fn unpark_task(
        &mut self,
        shard: Shard,
        index: usize,
        order: &Unpark,
        room: &mut usize,
    ) -> Result<bool, WorkerError> {
        if *room == 0 {
            return Ok(true);
        }
        let begun = *room;
        self.stale_reports = true;
        let task = self.task(shard, index);
        if task.unparking.order < order.number {
            task.unparking = Unparking {
                order: order.number,
                ..Unparking::default()
            };
            task.unpark_after = None;
            if order.skip && task.paused.is_none() {
                *room -= 1;
                if let Some(key) = &order.which.key {
                    self.skip(shard, index, &key.0)?;
                }
            }
        }
        loop {
            let task = self.task(shard, index);
            if task.counts.in_quarantine() == 0 {
                break;
            }
            if let Some(because) = &task.paused {
                task.unparking.refused.clone_from(because);
                break;
            }
            let after = task.unpark_after.clone();
            let next = match &order.which.key {
                Some(key) => after.is_none().then(|| key.0.clone()),
                None => task.key_after(after.as_deref())?,
            };
            let Some(key) = next else { break };
            if !self.release_key(shard, index, &key, room)? {
                return Ok(true);
            }
            self.task(shard, index).unpark_after = Some(key);
        }
        self.task(shard, index).unparking.done = true;
        Ok(*room < begun)
    }

    /// Tries the queue of one key in order until it is empty or its first record fails again. `false`: no room.
    fn release_key(&mut self, shard: Shard, index: usize, key: &Bytes, room: &mut usize) -> Result<bool, WorkerError> {
        let mut tried = false;
        loop {
            let task = self.task(shard, index);
            let Some(first) = task.first_of(key)? else {
                task.unparking.keys += u64::from(tried);
                return Ok(true);
            };
            if *room == 0 {
                return Ok(false);
            }
            *room -= 1;
            tried = true;
            if !self.release_first(shard, index, key)? {
                return Ok(true);
            }
            let task = self.task(shard, index);
            if task.first_of(key)? == Some(first) {
                task.unparking.failed += 1;
                return Ok(true);
            }
            task.unparking.released += 1;
        }
    }

    /// `false`: it could not conclude, the task is paused, nothing happened.
    fn release_first(&mut self, shard: Shard, index: usize, key: &Bytes) -> Result<bool, WorkerError> {
        loop {
            let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
            let sequence = state.journal.sequence.next().0;
            let task = &mut state.tasks[index];
            let mark = task.mark();
            match task.take_first(key, sequence)? {
                None => return Ok(true),
                Some(Taken::Gone) => {
                    task.settle();
                    state.touched = true;
                    self.batch.open = true;
                    return Ok(true);
                }
                Some(Taken::Work(work)) => {
                    if let Came::Concluded { .. } = self.run_chain(shard, index, &work)? {
                        return Ok(true);
                    }
                    let task = self.task(shard, index);
                    task.undo_to(&mark);
                    if task.paused.is_some() {
                        return Ok(false);
                    }
                    // A fused reader could not conclude and is paused: once more, now without it.
                }
            }
        }
    }

    fn skip(&mut self, shard: Shard, index: usize, key: &Bytes) -> Result<(), WorkerError> {
        let now = self.spec.clock.now();
        let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
        let sequence = state.journal.sequence.next().0;
        let task = &mut state.tasks[index];
        let mark = task.mark();
        let Some((work, failed, by)) = task.skip_first(key, sequence)? else {
            return Ok(());
        };
        match chain::skip(state, index, &work, &failed, (by, now)) {
            Ok(concluded) => {
                state.tasks[index].unparking.skipped += 1;
                self.append(shard, concluded)
            }
            Err(why) => {
                let task = &mut state.tasks[index];
                task.undo_to(&mark);
                task.unparking.refused = why;
                Ok(())
            }
        }
    }

    fn task(&mut self, shard: Shard, index: usize) -> &mut Task {
        &mut self.shards.get_mut(&shard).expect("held: checked by the caller").tasks[index]
    }
}
