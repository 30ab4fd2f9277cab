//! A shard's tasks as its last journal record says: at an assignment, and after an abort.

use super::fusion::Track;
use super::journaling::Chained;
use super::shard::ShardState;
use super::task::{Footprint, Task};
use super::{Worker, WorkerError};
use fermata_core::journal::JournalRecord;
use fermata_core::names::Purpose;
use fermata_core::ports::{LogError, Restored};
use fermata_core::{Shard, Timestamp, TopicName};
use std::collections::BTreeMap;
use std::time::Duration;

/// State is restored for so long at a time: the group is to be polled in between. Each time begins with questions to
/// the log, which should be the smaller part of it.
const RESTORING: Duration = Duration::from_secs(1);

impl Worker {
    /// Reads every shard that is held but not yet known; one that cannot be read, or whose state is far behind, stays
    /// so for the next step.
    pub(super) fn restore_held(&mut self) -> Result<(), WorkerError> {
        for shard in self.unrestored.clone() {
            if !self.spec.board.tenure.may_restore(shard) {
                continue;
            }
            self.refresh_directive();
            if self.knows_every_stage() && self.restore(shard)? {
                self.unrestored.remove(&shard);
            }
        }
        Ok(())
    }

    /// `false`: its state is not yet what the journal says.
    fn restore(&mut self, shard: Shard) -> Result<bool, WorkerError> {
        let topic = Purpose::Journal.topic(&self.spec.manifest.name);
        // An earlier owner's open transaction may hide newer records, even such as moved no position (a cutover,
        // a release of parked records).
        let bounds = self.spec.log.bounds(&topic, shard)?;
        if bounds.end < bounds.high {
            let found = format!("shard {shard}: an open transaction hides the end of its journal");
            return Err(LogError::Away(found).into());
        }
        let last = self.spec.log.last(&topic, shard)?;
        let corrupt = |found: String| WorkerError::Journal { shard, found };
        let (journal, chained) = match last.and_then(|r| r.value) {
            None => (None, Chained::default()),
            Some(bytes) => {
                let record = JournalRecord::decode_bytes(&bytes).map_err(|e| corrupt(e.to_string()))?;
                let chained = Chained {
                    sequence: record.sequence(),
                    hash: Some(JournalRecord::hash(&bytes)),
                };
                (Some(record), chained)
            }
        };
        if journal
            .as_ref()
            .is_some_and(|record| record.epoch > self.directive.epoch)
        {
            // Its last owner knew of facts that have not come here yet: what they made live must not be undone.
            return Ok(false);
        }
        match self.spec.store.restore(shard, chained.sequence, RESTORING)? {
            Restored::Ready => {}
            Restored::Behind { left } => {
                tracing::info!(worker = self.spec.index, "shard {shard}: {left} changes to restore");
                return Ok(false);
            }
        }
        let mut tasks = Vec::new();
        let mut tracks = Vec::new();
        for wiring in self.wirings.clone() {
            let live = self.live.get(&wiring.stage).expect("the directive names every stage");
            let mut task = Task::new(wiring.clone(), shard, live.loaded.clone(), self.spec.store.clone());
            task.deployment = live.deployment;
            let entry = journal.as_ref().and_then(|j| j.task(&wiring.stage).map(|t| (j, t)));
            if let Some((journal, entry)) = entry {
                task.deployment = entry.deployment;
                task.counts = entry.counts.unwrap_or_default();
                task.output_hash = entry.output_hash();
                task.set_now(Timestamp(entry.now));
                task.unparking = entry.unparking.clone().unwrap_or_default();
                task.faults_in_a_row = entry.faults_in_a_row;
                task.suspect = task.suspicious();
                task.footprint = Footprint::restored(&wiring.stage, entry);
                let version = journal.versions.get(entry.version as usize);
                let version = version.ok_or_else(|| corrupt(format!("stage {} names no version", wiring.stage)))?;
                let id = version.id().ok_or_else(|| corrupt("a digest is not 32 bytes".into()))?;
                // Another version ended here: the task owes a cutover before it may process anything.
                task.ran = (id != task.loaded.id()).then(|| version.clone());
            }
            task.paused = self.orders.at_fault.get(&wiring.stage).cloned();
            let mut own = BTreeMap::new();
            for topic in wiring.inputs.keys().chain([&self.ticks]) {
                let bounds = self.spec.log.bounds(topic, shard)?;
                let position = entry.and_then(|(_, e)| e.position(topic)).unwrap_or(bounds.start);
                task.positions.insert(topic.clone(), position);
                if wiring.inputs.get(topic).is_some_and(|i| !i.head) {
                    own.insert(topic.clone(), Track::new(bounds.high, position));
                }
            }
            tasks.push(task);
            tracks.push(own);
        }
        let mut state = ShardState {
            shard,
            tasks,
            tracks,
            journal: chained,
            last_tick: Timestamp(journal.map_or(0, |j| j.last_tick)),
            ticked: false,
            touched: false,
            ended: Vec::new(),
            told: BTreeMap::new(),
            next_due: None,
        };
        state.next_due = state.earliest_due()?;
        let topics: Vec<TopicName> = state.topics();
        for topic in &topics {
            let next = state.lowest(topic).unwrap_or_default();
            // An open transaction of an earlier owner may hide the journal's true end: then the group knows better.
            let committed = self.session().committed(topic, shard)?;
            if let Some(committed) = committed.filter(|c| *c > next) {
                let found = format!("shard {shard}: the group stands at {committed} of {topic}, the journal at {next}");
                return Err(LogError::Away(found).into());
            }
        }
        for topic in topics {
            let next = state.lowest(&topic).unwrap_or_default();
            self.session().seek(&topic, shard, next)?;
        }
        self.shards.insert(shard, state);
        self.stale_reports = true;
        self.set_paused();
        Ok(true)
    }
}
