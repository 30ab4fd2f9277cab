//! Time: ticks are records, and timers fire only while one is processed.

use super::batch::Came;
use super::lineage::{Work, done_for};
use super::{Worker, WorkerError};
use crate::board::WorkerEvent;
use fermata_core::limits::TICK_INTERVAL;
use fermata_core::names::headers as h;
use fermata_core::{Header, Identity, NewRecord, Record, Shard, Timestamp};

impl Worker {
    /// Ticks stop only when intake is closed, nothing moves and no drain waits.
    pub(super) fn ticks_allowed(&self) -> bool {
        !self.intake_closed() || self.directive.draining
    }

    /// Ticks on every shard that has a timer due.
    pub(super) fn tick_due(&mut self) -> Result<(), WorkerError> {
        if !self.ticks_allowed() {
            return Ok(());
        }
        let now = self.spec.clock.now();
        let due: Vec<_> = self
            .shards
            .values()
            .filter(|s| s.next_due.is_some_and(|d| d <= now))
            .map(|s| s.shard)
            .collect();
        for shard in due {
            self.tick(shard, now)?;
        }
        Ok(())
    }

    /// Before the first record after an assignment, and at most every [`TICK_INTERVAL`] while records flow.
    pub(super) fn tick_before_records(&mut self, shard: Shard) -> Result<(), WorkerError> {
        let now = self.spec.clock.now();
        let state = self.shards.get(&shard).expect("held: checked by the caller");
        let interval = i64::try_from(TICK_INTERVAL.as_millis()).unwrap_or(i64::MAX);
        if !state.ticked || now.0 - state.last_tick.0 >= interval {
            self.tick(shard, now)?;
        }
        Ok(())
    }

    /// Appends a tick and lets every task process it in the same transaction.
    fn tick(&mut self, shard: Shard, now: Timestamp) -> Result<(), WorkerError> {
        let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
        // Strictly growing on a shard: the tick's time is its identity.
        let at = Timestamp(now.0.max(state.last_tick.0 + 1));
        state.last_tick = at;
        state.ticked = true;
        state.touched = true;
        let identity = Identity::tick(&self.ticks, shard, at);
        self.batch.open = true;
        let mut done = Vec::new();
        for reader in 0..self.wirings.len() {
            let task = &mut self.shards.get_mut(&shard).expect("held").tasks[reader];
            if task.paused.is_none() {
                task.fused(&self.ticks, &identity);
                done.push(task.wiring.mark.clone());
                self.fire(shard, reader, at, &identity)?;
                self.age(shard, reader)?;
            }
        }
        let record = NewRecord {
            topic: self.ticks.clone(),
            shard,
            timestamp: at,
            key: None,
            value: Some(at.to_string().into()),
            headers: vec![
                Header::new(h::ID, identity.to_string()),
                Header::new(h::DONE, done.join(",")),
            ],
        };
        self.session().append(record)?;
        Ok(())
    }

    /// What is parked has become older by a tick.
    fn age(&mut self, shard: Shard, reader: usize) -> Result<(), WorkerError> {
        let task = &mut self.shards.get_mut(&shard).expect("held").tasks[reader];
        if !task.pause_when_overdue()? {
            return Ok(());
        }
        let because = task.paused.clone().unwrap_or_default();
        let stage = task.wiring.stage.clone();
        self.spec.board.tell(WorkerEvent::TaskPaused { stage, shard, because });
        self.stale_reports = true;
        self.set_paused();
        Ok(())
    }

    /// A tick read back: only a task that was paused when it was made has still to process it.
    pub(super) fn read_tick(&mut self, shard: Shard, reader: usize, record: &Record) -> Result<(), WorkerError> {
        let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
        let task = &mut state.tasks[reader];
        if task.paused.is_some() || record.offset < task.position(&record.topic) {
            return Ok(());
        }
        task.pass(&record.topic, record.offset);
        self.stale_reports = true;
        if done_for(record, &task.wiring.mark) {
            return Ok(());
        }
        let (at, identity) = tick_of(record);
        state.touched = true;
        self.batch.open = true;
        self.fire(shard, reader, at, &identity)?;
        self.age(shard, reader)
    }

    /// The task sees the tick's time, and every timer due by then fires, by time, then id.
    fn fire(&mut self, shard: Shard, reader: usize, at: Timestamp, tick: &Identity) -> Result<(), WorkerError> {
        let ticks = self.ticks.clone();
        let task = &mut self.shards.get_mut(&shard).expect("held: checked by the caller").tasks[reader];
        task.set_now(task.now().max(at));
        if !task.loaded.stores.description.timers {
            return Ok(());
        }
        for (due, id) in task.due(at)? {
            loop {
                let task = &mut self.shards.get_mut(&shard).expect("held").tasks[reader];
                let mark = task.mark();
                let Some(timer) = task.take_timer(due, &id)? else { break };
                task.counts.timers += 1;
                let work = Work::of_timer(timer, &task.wiring.stage, tick, &ticks, shard);
                if let Came::Concluded { .. } = self.run_chain(shard, reader, &work)? {
                    break;
                }
                let task = &mut self.shards.get_mut(&shard).expect("held").tasks[reader];
                task.undo_to(&mark);
                if task.paused.is_some() {
                    // It stays set, and is due again at the first tick after the task goes on.
                    task.timers_stopped = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Time and identity of a tick record.
pub fn tick_of(record: &Record) -> (Timestamp, Identity) {
    let identity = record.header(h::ID).unwrap_or_default();
    (record.timestamp, Identity::from_header(identity))
}
