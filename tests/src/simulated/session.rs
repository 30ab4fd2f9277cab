//! One member's session on the simulated log.

use super::{
    groups::{Dead, SessionId},
    partition::Txn,
    world::{Effects, World},
};
use fermata_core::{
    CommitId, NewRecord, Offset, Shard, TopicName,
    ports::{Commit, Committed, LogError, Polled, Session, SessionSpec},
};
use parking_lot::Mutex;
use rand::Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub struct SimSession {
    world: Arc<Mutex<World>>,
    spec: SessionSpec,
    id: SessionId,
    next: BTreeMap<(TopicName, Shard), Offset>,
    paused: BTreeSet<(TopicName, Shard)>,
    served: BTreeMap<TopicName, Shard>,
    txn: Option<Txn>,
    /// What really became of a commit whose answer was lost.
    unresolved: Option<Committed>,
    /// The answer to the commit before.
    last: Option<Committed>,
}

impl SimSession {
    pub fn join(shared: Arc<Mutex<World>>, spec: SessionSpec) -> Result<Self, LogError> {
        let mut world = shared.lock();
        world.call()?;
        for topic in &spec.topics {
            let found = world.topics.get(topic).map(|p| p.len() as u32);
            let found = found.ok_or_else(|| LogError::UnknownTopic(topic.clone()))?;
            if found != spec.partitions {
                return Err(LogError::PartitionCount {
                    topic: topic.clone(),
                    expected: spec.partitions,
                    found,
                });
            }
        }
        let (id, _) = world.groups.join(&spec.group, &spec.member, spec.partitions);
        world.end_of(&spec.group, &spec.member);
        drop(world);
        Ok(Self {
            world: shared,
            spec,
            id,
            next: BTreeMap::new(),
            paused: BTreeSet::new(),
            served: BTreeMap::new(),
            txn: None,
            unresolved: None,
            last: None,
        })
    }

    fn resolved(&self) -> Result<(), LogError> {
        match self.unresolved {
            None => Ok(()),
            Some(_) => Err(broken("a commit is unknown: resolve it before anything else")),
        }
    }

    fn forget(&mut self, shards: &[Shard]) {
        self.next.retain(|(_, shard), _| !shards.contains(shard));
    }

    fn records(&mut self, world: &mut World, max: usize) -> Result<Option<Polled>, LogError> {
        let held = world.groups.believed(&self.spec.group, self.id);
        for topic in &self.spec.topics {
            let served = self.served.get(topic).copied();
            let first = held.partition_point(|shard| Some(*shard) <= served);
            for shard in held[first..].iter().chain(&held[..first]) {
                let place = (topic.clone(), *shard);
                let Some(from) = self.next.get(&place).copied() else {
                    continue;
                };
                if self.paused.contains(&place) {
                    continue;
                }
                let limit = match world.roll(world.faults.short_poll) {
                    true => world.rng.random_range(1..=max.max(1)),
                    false => max,
                };
                let records = world.partition(topic, *shard)?.read(from, limit);
                if let Some(last) = records.last() {
                    self.next.insert(place, last.offset.next());
                    self.served.insert(topic.clone(), *shard);
                    return Ok(Some(Polled::Records(records)));
                }
            }
        }
        Ok(None)
    }

    fn decide(&mut self, world: &mut World, batch: Commit) -> Result<Committed, LogError> {
        let group = self.spec.group.clone();
        world.rebalance(&group, self.id);
        let named: BTreeSet<Shard> = batch.positions.iter().map(|(_, shard, _)| *shard).collect();
        if let Some(change) = batch.changes.iter().find(|c| !named.contains(&c.shard)) {
            let shard = change.shard;
            return Err(broken(&format!(
                "the commit changes shard {shard} without its positions"
            )));
        }
        let txn = self.txn.take();
        let refused = world.groups.refuses(&group, self.id, named.iter().copied());
        let refused = match refused {
            Ok(refused) => refused,
            Err(Dead) => return Err(fenced(world, txn)),
        };
        if let Some(shard) = refused {
            world.injected.refused += 1;
            if world.faults.lose > 0.0 && world.rng.random_bool(0.3) {
                world.groups.leave(&group, self.id);
                return Err(fenced(world, txn));
            }
            abort(world, txn);
            return Ok(no(&format!("illegal generation: shard {shard} is held by another")));
        }
        // On Kafka the log's own time-out may have ended it.
        if txn.is_some_and(|txn| !world.is_open(txn)) {
            return Ok(no("the transaction took too long and was aborted"));
        }
        if txn.is_none() && batch.positions.is_empty() && batch.changes.is_empty() {
            return Ok(Committed::Yes(CommitId(world.last)));
        }
        let txn = match txn {
            None if world.changelog.is_some() && !batch.changes.is_empty() => {
                Some(world.begin(Some((group.clone(), self.spec.member.clone()))))
            }
            txn => txn,
        };
        if let Some(txn) = txn
            && let Err(found) = world.append_changes(txn, &batch.changes)
        {
            world.end(txn, None);
            return Err(found);
        }
        if world.roll(world.faults.abort) {
            world.injected.aborted += 1;
            abort(world, txn);
            return Ok(no("the simulated coordinator aborted the transaction"));
        }
        let unknown = world.roll(world.faults.unknown);
        if unknown && world.rng.random_bool(0.5) {
            world.injected.unknown_aborted += 1;
            abort(world, txn);
            self.unresolved = Some(no("the transaction was aborted"));
            return Ok(Committed::Unknown);
        }
        let position = |(topic, shard, next)| ((group.clone(), topic, shard), next);
        let effects = Effects {
            positions: batch.positions.into_iter().map(position).collect(),
            changes: batch.changes,
        };
        let done = Committed::Yes(CommitId(world.commit(txn, effects)));
        if unknown {
            world.injected.unknown_committed += 1;
            self.unresolved = Some(done);
            return Ok(Committed::Unknown);
        }
        Ok(done)
    }
}

fn broken(what: &str) -> LogError {
    LogError::Fatal(format!("the contract of the log is broken: {what}"))
}
fn no(reason: &str) -> Committed {
    Committed::No { reason: reason.into() }
}
fn abort(world: &mut World, txn: Option<Txn>) {
    if let Some(txn) = txn {
        world.end(txn, None);
    }
}
fn fenced(world: &mut World, txn: Option<Txn>) -> LogError {
    abort(world, txn);
    LogError::Fenced("another session joined under this member's name, or the member is dead".into())
}

impl Session for SimSession {
    fn poll(&mut self, _max_wait: Duration, max_records: usize) -> Result<Polled, LogError> {
        self.resolved()?;
        let shared = Arc::clone(&self.world);
        let mut world = shared.lock();
        world.call()?;
        let group = self.spec.group.clone();
        world.rebalance(&group, self.id);
        let dead = |Dead| LogError::Fenced("the session is no member any more".into());
        let released = world.groups.release(&group, self.id).map_err(dead)?;
        self.forget(&released);
        if let Some(change) = world.groups.next_change(&group, self.id).map_err(dead)? {
            match &change {
                Polled::Assigned(shards) => shards.iter().for_each(|s| world.state.catch_up(*s)),
                Polled::Revoked { shards, lost: true } => self.forget(shards),
                _ => {}
            }
            return Ok(change);
        }
        let records = self.records(&mut world, max_records)?;
        Ok(records.unwrap_or(Polled::Idle))
    }

    fn seek(&mut self, topic: &TopicName, shard: Shard, next: Offset) -> Result<(), LogError> {
        self.resolved()?;
        self.world.lock().partition(topic, shard)?;
        self.next.insert((topic.clone(), shard), next);
        Ok(())
    }

    fn committed(&mut self, topic: &TopicName, shard: Shard) -> Result<Option<Offset>, LogError> {
        let mut world = self.world.lock();
        world.call()?;
        let key = (self.spec.group.clone(), topic.clone(), shard);
        Ok(world.positions.get(&key).copied())
    }

    fn set_paused(&mut self, paused: &[(TopicName, Shard)]) {
        self.paused = paused.iter().cloned().collect();
    }

    fn append(&mut self, record: NewRecord) -> Result<Option<Offset>, LogError> {
        self.resolved()?;
        let mut world = self.world.lock();
        world.call()?;
        if !world.groups.alive(&self.spec.group, self.id) {
            let txn = self.txn.take();
            return Err(fenced(&mut world, txn));
        }
        world.partition(&record.topic, record.shard)?;
        let txn = match self.txn {
            Some(txn) => txn,
            None => {
                let owner = (self.spec.group.clone(), self.spec.member.clone());
                let txn = world.begin(Some(owner));
                self.txn = Some(txn);
                txn
            }
        };
        let offset = world.append(txn, record)?;
        Ok(world.rng.random_bool(0.5).then_some(offset))
    }

    fn commit(&mut self, batch: Commit) -> Result<Committed, LogError> {
        self.resolved()?;
        let shared = Arc::clone(&self.world);
        let mut world = shared.lock();
        let answer = self.decide(&mut world, batch)?;
        self.last = Some(answer.clone());
        Ok(answer)
    }

    fn abort(&mut self) -> Result<(), LogError> {
        self.resolved()?;
        let txn = self.txn.take();
        let mut world = self.world.lock();
        abort(&mut world, txn);
        match world.groups.alive(&self.spec.group, self.id) {
            true => Ok(()),
            false => Err(fenced(&mut world, None)),
        }
    }

    fn resolve(&mut self) -> Result<Committed, LogError> {
        let mut world = self.world.lock();
        let Some(answer) = self.unresolved.clone() else {
            let none = || no("this session has not committed anything");
            return Ok(self.last.clone().unwrap_or_else(none));
        };
        let again = world.faults.unknown_again;
        if world.roll(again) {
            world.injected.unknown_again += 1;
            return Ok(Committed::Unknown);
        }
        self.unresolved = None;
        self.last = Some(answer.clone());
        Ok(answer)
    }
}

impl Drop for SimSession {
    /// Leaves the group; an open transaction is aborted, or left behind as a dead process would.
    fn drop(&mut self) {
        let mut world = self.world.lock();
        world.groups.leave(&self.spec.group, self.id);
        let orphan = world.faults.hidden > 0.0 && world.rng.random_bool(0.5);
        if let Some(txn) = self.txn.take()
            && !orphan
        {
            world.end(txn, None);
        }
    }
}
