//! Samples, played on instances that are kept or made anew, from empty state.

use super::said::Said;
use crate::verify::MemoryState;
use crate::worker::lineage::{Speaker, Work};
use crate::worker::task::{Ended, Instances, Loaded, Task};
use crate::worker::wiring::Wiring;
use fermata_core::names::Purpose;
use fermata_core::{Identity, Shard, Timestamp, TopicName};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Timers of one shard that are let fire behind the samples, and how far ahead they may be set.
const TIMERS: usize = 8;
const AHEAD_MS: i64 = 24 * 3_600 * 1_000;

/// Why a trial goes no further.
pub enum Halted {
    Differs(String),
    /// No verdict is possible on a sample.
    Untold(String),
}

/// One life of a stage: its tasks, and the instances that they run on.
pub struct Player<'a> {
    wiring: &'a Arc<Wiring>,
    loaded: &'a Arc<Loaded>,
    instances: &'a mut Instances,
    now: Timestamp,
    ticks: TopicName,
    tasks: BTreeMap<Shard, (Task, Arc<MemoryState>)>,
}

/// Goes once through the samples and then through the timers, on both.
pub fn compare(works: &[(Shard, Work)], kept: &mut Player<'_>, fresh: &mut Player<'_>) -> Result<(), Halted> {
    for (shard, work) in works {
        let (on_kept, on_fresh) = (kept.play(*shard, work)?, fresh.play(*shard, work)?);
        hold(&work.identity, &on_kept, &on_fresh)?;
    }
    let shards: Vec<Shard> = fresh.tasks.keys().copied().collect();
    for shard in shards {
        // Their states are equal so far, so both have the same timers.
        for (at, id) in fresh.set(shard)? {
            let (on_kept, on_fresh) = (kept.fire(shard, at, &id)?, fresh.fire(shard, at, &id)?);
            hold(&format!("timer {id:?} of shard {shard}"), &on_kept, &on_fresh)?;
        }
    }
    Ok(())
}

fn hold(on: &impl std::fmt::Display, kept: &Said, fresh: &Said) -> Result<(), Halted> {
    match kept.differs(fresh) {
        None => Ok(()),
        Some((kept, fresh)) => Err(Halted::Differs(format!(
            "on {on} an instance that has worked before {kept}, where a fresh one {fresh}"
        ))),
    }
}

fn untold(why: impl ToString) -> Halted {
    Halted::Untold(why.to_string())
}

impl<'a> Player<'a> {
    pub fn new(wiring: &'a Arc<Wiring>, loaded: &'a Arc<Loaded>, instances: &'a mut Instances, now: Timestamp) -> Self {
        Self {
            wiring,
            loaded,
            instances,
            now,
            ticks: Purpose::Ticks.topic(&wiring.pipeline),
            tasks: BTreeMap::new(),
        }
    }

    fn play(&mut self, shard: Shard, work: &Work) -> Result<Said, Halted> {
        let (wiring, loaded, now) = (self.wiring, self.loaded, self.now);
        let (task, state) = self.tasks.entry(shard).or_insert_with(|| {
            let state: Arc<MemoryState> = Arc::default();
            let mut task = Task::new(wiring.clone(), shard, loaded.clone(), state.clone());
            task.set_now(now);
            (task, state)
        });
        let ran = task.take_in(work, &work.source, self.instances, None).map_err(untold)?;
        let speaker = Speaker {
            wiring,
            shard,
            digest: loaded.id().component,
            now,
        };
        let mut said = Said::default();
        match ran.ended {
            Ended::Emitted(emissions) => {
                for (ordinal, emission) in emissions.into_iter().enumerate() {
                    let topic = wiring.outputs.get(&emission.port);
                    let topic = topic.expect("ports were checked against the wiring");
                    said.records.push(speaker.emission(work, ordinal, emission, topic).0);
                }
            }
            Ended::DeadLetter(failed) => said.records.push(speaker.dead_letter(work, &work.source, &failed)),
            Ended::Parked => {}
            Ended::Stuck(why) => return Err(untold(why)),
        }
        task.settle();
        task.settle_state();
        let mut all = Vec::new();
        task.drain(&mut all, &mut Vec::new());
        state.apply(all.clone());
        // What the host keeps of a failure is the host's.
        said.changes = all;
        said.changes.retain(|change| *change.namespace != *wiring.parked);
        Ok(said)
    }

    /// Timers that are set, the first ones.
    fn set(&self, shard: Shard) -> Result<Vec<(Timestamp, String)>, Halted> {
        let Some((task, _)) = self.tasks.get(&shard).filter(|_| self.loaded.stores.description.timers) else {
            return Ok(Vec::new());
        };
        let mut due = task
            .due(Timestamp(task.now().0.saturating_add(AHEAD_MS)))
            .map_err(untold)?;
        due.truncate(TIMERS);
        Ok(due)
    }

    /// Nothing, where one that fired before has cancelled or moved it.
    fn fire(&mut self, shard: Shard, at: Timestamp, id: &str) -> Result<Said, Halted> {
        let Some((task, _)) = self.tasks.get_mut(&shard) else {
            return Ok(Said::default());
        };
        task.set_now(task.now().max(at));
        let tick = Identity::tick(&self.ticks, shard, task.now());
        match task.take_timer(at, id).map_err(untold)? {
            Some(timer) => {
                let work = Work::of_timer(timer, &self.wiring.stage, &tick, &self.ticks, shard);
                self.play(shard, &work)
            }
            None => Ok(Said::default()),
        }
    }
}
