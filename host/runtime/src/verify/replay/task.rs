//! One task, executed again along its journal.

use std::iter::Peekable;
use std::slice::Iter;
use std::sync::Arc;

use bytes::Bytes;
use fermata_core::control::RecordKey;
use fermata_core::journal::{Event, Fused, JournalRecord, Released, Run, TaskEntry, What};
use fermata_core::names::Purpose;
use fermata_core::ports::{LogError, StateError};
use fermata_core::{Identity, Record, Timestamp, TopicName};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::VerifySpec;
use super::super::cut::Cut;
use super::super::journal::{ShardLedger, hex};
use super::super::lineage;
use super::super::scan::Reader;
use super::Replay;
use super::inputs::Inputs;
use super::state::MemoryState;
use super::versions::Versions;
use crate::worker::lineage::{Speaker, Work, done_for};
use crate::worker::parking::Taken;
use crate::worker::task::{Ended, Instances, Task};
use crate::worker::wiring::Wiring;

/// Why a replay did not come to the end of its journal.
pub enum Stopped {
    /// The first difference, or what made going on impossible.
    Differs(String),
    /// Retention has taken what the replay needs.
    Trimmed(String),
    Log(LogError),
}

impl From<StateError> for Stopped {
    fn from(error: StateError) -> Self {
        Self::Differs(error.to_string())
    }
}

type Events<'e> = Peekable<Iter<'e, Event>>;

pub struct Replayed<'a, 'v> {
    spec: &'a VerifySpec<'a>,
    ledger: &'a ShardLedger,
    wiring: Arc<Wiring>,
    ticks: TopicName,
    versions: &'v mut Versions<'a>,
    inputs: Inputs<'a>,
    state: Arc<MemoryState>,
    instances: Instances,
    /// Decides where batches end, when the journal does not.
    recut: Option<ChaCha8Rng>,
    /// Records and timers so far.
    pub executed: u64,
}

impl<'a, 'v> Replayed<'a, 'v> {
    pub fn new(
        spec: &'a VerifySpec<'a>,
        replay: &Replay<'_>,
        cut: &'a Cut,
        ledger: &'a ShardLedger,
        wiring: Arc<Wiring>,
        versions: &'v mut Versions<'a>,
    ) -> Self {
        let mut instances = Instances::default();
        instances.drop_after_each = replay.drop_instances;
        Self {
            spec,
            ledger,
            ticks: Purpose::Ticks.topic(&spec.manifest.name),
            versions,
            inputs: Inputs::new(spec.log, cut, ledger.shard, &wiring.mark),
            wiring,
            state: Arc::default(),
            instances,
            recut: replay.recut.map(ChaCha8Rng::seed_from_u64),
            executed: 0,
        }
    }

    pub fn run(&mut self) -> Result<(), Stopped> {
        let topic = Purpose::Journal.topic(&self.spec.manifest.name);
        let mut journal = Reader::new(
            self.spec.log,
            &topic,
            self.ledger.shard,
            self.ledger.from,
            self.ledger.end,
        );
        let mut task = None;
        while let Some(record) = journal.next()? {
            let bytes = record.value.as_deref().unwrap_or_default();
            let entry = JournalRecord::decode_bytes(bytes).map_err(|e| Stopped::Differs(e.to_string()))?;
            let Some(said) = entry.task(&self.wiring.stage) else {
                continue;
            };
            self.transaction(&mut task, &entry, said)
                .map_err(|stopped| match stopped {
                    Stopped::Differs(what) => Stopped::Differs(format!("journal sequence {}: {what}", entry.sequence)),
                    other => other,
                })?;
        }
        Ok(())
    }

    /// Everything that the task did in one transaction, then the comparison.
    fn transaction(&mut self, task: &mut Option<Task>, entry: &JournalRecord, said: &TaskEntry) -> Result<(), Stopped> {
        let mut events = said.events.iter().peekable();
        while let Some(event) = events.next() {
            let loaded = self
                .versions
                .get(&self.wiring, entry.versions.get(event.version as usize))
                .map_err(Stopped::Differs)?;
            let task = task.get_or_insert_with(|| {
                Task::new(
                    self.wiring.clone(),
                    self.ledger.shard,
                    loaded.clone(),
                    self.state.clone(),
                )
            });
            task.loaded = loaded;
            task.policy = said.quarantine.map(|q| q.policy()).unwrap_or_default();
            match &event.what {
                Some(What::Run(run)) => self.records(task, run, entry, &mut events)?,
                Some(What::Fused(fused)) => self.fused(task, fused, entry, &mut events)?,
                Some(What::Released(released)) => self.released(task, released, entry.sequence)?,
                None => {}
            }
        }
        let Some(task) = task else { return Ok(()) };
        if self.recut.is_none() {
            self.commit(task);
        }
        let counts = said.counts.unwrap_or_default();
        if task.counts != counts {
            return Err(Stopped::Differs(format!(
                "the journal counts {counts:?}, the replay {:?}",
                task.counts
            )));
        }
        if task.output_hash != said.output_hash() {
            return Err(Stopped::Differs(format!(
                "the journal's output hash is {}, the replay's {}",
                hex(&said.output_hash),
                hex(&task.output_hash.0)
            )));
        }
        Ok(())
    }

    fn records(
        &mut self,
        task: &mut Task,
        run: &Run,
        entry: &JournalRecord,
        events: &mut Events<'_>,
    ) -> Result<(), Stopped> {
        while let Some(record) = self.inputs.run(&run.topic, run.from, run.next)? {
            let done = done_for(&record, &self.wiring.mark);
            if record.topic == self.ticks {
                if !done {
                    let identity = record.header(fermata_core::names::headers::ID).unwrap_or_default();
                    self.tick(task, record.timestamp, &Identity::from_header(identity), entry, events)?;
                }
            } else if done && !self.wiring.inputs.get(&record.topic).is_some_and(|inlet| inlet.head) {
                task.counts.skipped += 1;
            } else {
                self.record(task, &record)?;
            }
        }
        Ok(())
    }

    fn fused(
        &mut self,
        task: &mut Task,
        fused: &Fused,
        entry: &JournalRecord,
        events: &mut Events<'_>,
    ) -> Result<(), Stopped> {
        if fused.topic == self.ticks.as_str() {
            let Some((_, at)) = lineage::tick(&fused.identity) else {
                return Err(Stopped::Differs(format!("{} is not a tick", fused.identity)));
            };
            return self.tick(task, at, &Identity::from_header(&fused.identity), entry, events);
        }
        let record = self.inputs.fused(&fused.topic, &fused.identity)?;
        self.record(task, &record)
    }

    /// The first records of a parked key, tried again or skipped.
    fn released(&mut self, task: &mut Task, released: &Released, sequence: u64) -> Result<(), Stopped> {
        let key = Bytes::copy_from_slice(&released.key);
        let nothing = || {
            let shown = RecordKey(key.clone());
            Stopped::Differs(format!(
                "nothing is parked under key {shown}, which the journal released"
            ))
        };
        for _ in 0..released.count {
            if released.skipped {
                let (work, failed, digest) = task.skip_first(&key, sequence)?.ok_or_else(nothing)?;
                let speaker = Speaker {
                    wiring: &self.wiring,
                    shard: self.ledger.shard,
                    digest,
                    now: Timestamp(0),
                };
                let letter = speaker.dead_letter(&work, &work.source, &failed);
                task.output_hash.add(&letter);
            } else if let Taken::Work(work) = task.take_first(&key, sequence)?.ok_or_else(nothing)? {
                self.execute(task, &work)?;
            }
            task.settle();
        }
        Ok(())
    }

    /// The task sees the time, and every timer due by then fires, as it did live.
    fn tick(
        &mut self,
        task: &mut Task,
        at: Timestamp,
        tick: &Identity,
        entry: &JournalRecord,
        events: &mut Events<'_>,
    ) -> Result<(), Stopped> {
        task.set_now(task.now().max(at));
        if !task.loaded.stores.description.timers {
            return Ok(());
        }
        let live = task.loaded.clone();
        let said = entry.task(&self.wiring.stage).filter(|said| said.timers_stopped);
        let stopped = said.map(|said| said.counts.unwrap_or_default().timers);
        for (due, id) in task.due(at)? {
            if stopped.is_some_and(|fired| task.counts.timers >= fired) {
                // Live it could not be told what comes of this one: it and those behind it stayed set.
                return Ok(());
            }
            let mark = task.mark();
            let Some(timer) = task.take_timer(due, &id)? else {
                continue;
            };
            task.counts.timers += 1;
            let work = Work::of_timer(timer, &self.wiring.stage, tick, &self.ticks, self.ledger.shard);
            // In probation the version before may have concluded this timer; then the journal names it.
            let by = events.next_if(|event| is_fused(event, self.ticks.as_str(), |id| id == work.identity.as_str()));
            if let Some(event) = by {
                let version = entry.versions.get(event.version as usize);
                task.loaded = self.versions.get(&self.wiring, version).map_err(Stopped::Differs)?;
            }
            let executed = self.execute(task, &work);
            task.loaded = live.clone();
            if executed.is_err() && std::mem::take(&mut task.full) {
                // There was no room for it: the task paused there, and the timer stayed set.
                task.undo_to(&mark);
                return Ok(());
            }
            executed?;
            self.come_back(task, &work, entry, events)?;
        }
        Ok(())
    }

    /// What a timer led to may have come back to its own stage before the next timer fired.
    fn come_back(
        &mut self,
        task: &mut Task,
        timer: &Work,
        entry: &JournalRecord,
        events: &mut Events<'_>,
    ) -> Result<(), Stopped> {
        let ticks = self.ticks.clone();
        let chain = format!("{}#", timer.identity);
        let of_chain = |event: &&Event| match &event.what {
            Some(What::Fused(fused)) => fused.topic != ticks.as_str() && fused.identity.starts_with(&chain),
            _ => false,
        };
        while let Some(event) = events.next_if(|event| of_chain(event)) {
            if let Some(What::Fused(fused)) = &event.what {
                self.fused(task, fused, entry, events)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, task: &mut Task, record: &Record) -> Result<(), Stopped> {
        let Some(inlet) = self.wiring.inputs.get(&record.topic) else {
            return Err(Stopped::Differs(format!(
                "{} is not an input of the stage",
                record.coordinates()
            )));
        };
        let work = Work::of_record(record, inlet, self.wiring.partitions);
        self.execute(task, &work)
    }

    fn execute(&mut self, task: &mut Task, work: &Work) -> Result<(), Stopped> {
        let ran = task
            .take_in(work, &work.source, &mut self.instances, None)
            .map_err(Stopped::Differs)?;
        let wiring = &self.wiring;
        // The time of a record is not hashed: it is the host's, and replays have another.
        let digest = ran.by.id().component;
        let speaker = Speaker {
            wiring,
            shard: self.ledger.shard,
            digest,
            now: Timestamp(0),
        };
        match ran.ended {
            Ended::Emitted(emissions) => {
                for (ordinal, emission) in emissions.into_iter().enumerate() {
                    let topic = wiring
                        .outputs
                        .get(&emission.port)
                        .expect("ports were checked against the wiring");
                    task.output_hash
                        .add(&speaker.emission(work, ordinal, emission, topic).0);
                }
            }
            Ended::DeadLetter(failed) => task.output_hash.add(&speaker.dead_letter(work, &work.source, &failed)),
            Ended::Parked => {}
            Ended::Stuck(why) => return Err(Stopped::Differs(format!("{} does not conclude: {why}", work.identity))),
        }
        task.settle();
        self.executed += 1;
        if self.recut.as_mut().is_some_and(|random| random.random_ratio(1, 4)) {
            self.commit(task);
        }
        Ok(())
    }

    fn commit(&self, task: &mut Task) {
        let (mut changes, mut metrics) = (Vec::new(), Vec::new());
        task.settle_state();
        task.drain(&mut changes, &mut metrics);
        self.state.apply(changes);
    }
}

fn is_fused(event: &Event, topic: &str, identity: impl Fn(&str) -> bool) -> bool {
    matches!(&event.what, Some(What::Fused(fused)) if fused.topic == topic && identity(&fused.identity))
}
