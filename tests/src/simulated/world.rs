//! Everything there is in a simulated run, and how transactions end.

use super::{
    clock::SimClock,
    faults::{Faults, Injected},
    groups::{Groups, SessionId},
    partition::{Partition, Txn},
    state::State,
};
use fermata_core::{
    NewRecord, Offset, PipelineName, Shard, TopicName, changelog,
    ports::{Clock, LogError, StateChange},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// After this long an open transaction is aborted by the log.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Which log's durability and state habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// What is committed is durable; state changes are shown by `apply`.
    Kafka,
    /// Durability comes later and a crash loses what lacks it; state changes are shown by the commit.
    Embedded,
}

/// Topics that are read to restore: those whose markers may be late.
fn restorable(topic: &TopicName) -> bool {
    topic.as_str().ends_with(".changelog") || topic.as_str().ends_with(".journal")
}

pub type Position = (String, TopicName, Shard);

pub struct World {
    pub rng: ChaCha8Rng,
    pub mode: Mode,
    pub faults: Faults,
    pub injected: Injected,
    pub clock: Arc<SimClock>,
    pub topics: BTreeMap<TopicName, Vec<Partition>>,
    pub positions: BTreeMap<Position, Offset>,
    pub groups: Groups,
    pub state: State,
    /// The last commit, and the last durable one.
    pub last: u64,
    pub durable: u64,
    open: BTreeMap<Txn, Open>,
    transactions: u64,
    /// How many of them have ended.
    pub ended: u64,
    /// As of `durable`.
    durable_positions: BTreeMap<Position, Offset>,
    durable_state: State,
    /// Behind `durable`.
    undurable: Vec<(u64, Effects)>,
    /// Whose state changes become records of its changelog.
    pub changelog: Option<PipelineName>,
    late: Vec<Late>,
}

/// A marker on its way to one partition.
struct Late {
    calls: u32,
    place: (TopicName, Shard),
    txn: Txn,
    id: u64,
}

/// What a commit does beside its records.
#[derive(Clone, Default)]
pub struct Effects {
    pub positions: Vec<(Position, Offset)>,
    pub changes: Vec<StateChange>,
}

/// A transaction that has not ended.
struct Open {
    /// Group and member that may end it.
    owner: Option<(String, String)>,
    partitions: BTreeSet<(TopicName, Shard)>,
    deadline: Duration,
    /// A stranger's: it ends after so many calls.
    calls: Option<u32>,
}

impl World {
    pub fn new(seed: u64, mode: Mode, faults: Faults, clock: Arc<SimClock>) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            mode,
            faults,
            injected: Injected::default(),
            clock,
            topics: BTreeMap::new(),
            positions: BTreeMap::new(),
            groups: Groups::default(),
            state: State::default(),
            last: 0,
            durable: 0,
            open: BTreeMap::new(),
            transactions: 0,
            ended: 0,
            durable_positions: BTreeMap::new(),
            durable_state: State::default(),
            undurable: Vec::new(),
            changelog: None,
            late: Vec::new(),
        }
    }

    pub fn roll(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability)
    }

    /// Every call begins here: time-outs, strangers' transactions, syncs, outages.
    pub fn call(&mut self) -> Result<(), LogError> {
        let now = self.clock.elapsed();
        let mut ended = Vec::new();
        for (txn, open) in &mut self.open {
            if let Some(calls) = &mut open.calls {
                *calls -= 1;
            }
            if open.calls == Some(0) || open.deadline <= now {
                ended.push(*txn);
            }
        }
        for txn in ended {
            self.end(txn, None);
        }
        self.land();
        if self.mode == Mode::Embedded && self.rng.random_ratio(1, 4) {
            self.sync();
        }
        if self.roll(self.faults.away) {
            self.injected.away += 1;
            return Err(LogError::Away("the simulated broker does not answer".into()));
        }
        Ok(())
    }

    pub fn partition(&mut self, topic: &TopicName, shard: Shard) -> Result<&mut Partition, LogError> {
        let partitions = self.topics.get_mut(topic);
        let partitions = partitions.ok_or_else(|| LogError::UnknownTopic(topic.clone()))?;
        let found = partitions.len() as u32;
        partitions
            .get_mut(shard.0 as usize)
            .ok_or_else(|| LogError::PartitionCount {
                topic: topic.clone(),
                expected: shard.0 + 1,
                found,
            })
    }

    pub fn begin(&mut self, owner: Option<(String, String)>) -> Txn {
        self.transactions += 1;
        let txn = Txn(self.transactions);
        let open = Open {
            owner,
            partitions: BTreeSet::new(),
            deadline: self.clock.elapsed() + TRANSACTION_TIMEOUT,
            calls: None,
        };
        self.open.insert(txn, open);
        txn
    }
    pub fn is_open(&self, txn: Txn) -> bool {
        self.open.contains_key(&txn)
    }

    pub fn append(&mut self, txn: Txn, record: NewRecord) -> Result<Offset, LogError> {
        let place = (record.topic.clone(), record.shard);
        self.partition(&place.0, place.1)?;
        // Nobody but the one that leads writes facts.
        if !place.0.as_str().ends_with(".status") && self.roll(self.faults.hidden) {
            self.intrude(&record);
        }
        let offset = self.partition(&place.0, place.1)?.append(record, txn);
        if let Some(open) = self.open.get_mut(&txn) {
            open.partitions.insert(place);
        }
        Ok(offset)
    }

    /// A stranger's transaction on the same partition, to be aborted in a while.
    fn intrude(&mut self, beside: &NewRecord) {
        let calls = self.rng.random_range(1..30);
        let txn = self.begin(None);
        let record = NewRecord {
            value: Some("of a transaction that will be aborted".into()),
            ..beside.clone()
        };
        let place = (beside.topic.clone(), beside.shard);
        if let Ok(partition) = self.partition(&place.0, place.1) {
            partition.append(record, txn);
            self.injected.hidden += 1;
        }
        if let Some(open) = self.open.get_mut(&txn) {
            open.partitions.insert(place);
            open.calls = Some(calls);
        }
    }

    /// Commits as `id`, or aborts; the markers take offsets.
    pub fn end(&mut self, txn: Txn, id: Option<u64>) {
        let Some(open) = self.open.remove(&txn) else {
            return;
        };
        self.ended += 1;
        for (topic, shard) in open.partitions {
            let gap = self.roll(self.faults.gap);
            if let Some(id) = id
                && restorable(&topic)
                && self.roll(self.faults.late_marker)
            {
                let calls = self.rng.random_range(1..8);
                let place = (topic, shard);
                self.late.push(Late { calls, place, txn, id });
                self.injected.late_markers += 1;
                continue;
            }
            if let Ok(partition) = self.partition(&topic, shard) {
                match id {
                    Some(id) => partition.commit(txn, id),
                    None => partition.abort(txn),
                }
                if gap {
                    partition.mark();
                    self.injected.gaps += 1;
                }
            }
        }
    }
    /// Markers that were late arrive.
    fn land(&mut self) {
        for late in &mut self.late {
            late.calls -= 1;
        }
        let (landed, late) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|l: &Late| l.calls == 0);
        self.late = late;
        for Late { place, txn, id, .. } in landed {
            self.ended += 1;
            if let Ok(partition) = self.partition(&place.0, place.1) {
                partition.commit(txn, id);
            }
        }
    }

    /// The changes of a commit as records of its transaction.
    pub fn append_changes(&mut self, txn: Txn, changes: &[StateChange]) -> Result<(), LogError> {
        let Some(pipeline) = self.changelog.clone() else {
            return Ok(());
        };
        let at = self.clock.now();
        for change in changes {
            self.append(txn, changelog::record(&pipeline, change, at))?;
        }
        Ok(())
    }

    /// What a member's earlier sessions left open is aborted when it joins again.
    pub fn end_of(&mut self, group: &str, member: &str) {
        let mine = |open: &Open| {
            let owner = open.owner.as_ref();
            owner.is_some_and(|(g, m)| g == group && m == member)
        };
        let left: Vec<_> = self.open.iter().filter(|(_, o)| mine(o)).map(|(t, _)| *t).collect();
        for txn in left {
            self.end(txn, None);
        }
    }

    /// Commits: records, positions and changes at once.
    pub fn commit(&mut self, txn: Option<Txn>, effects: Effects) -> u64 {
        self.last += 1;
        let id = self.last;
        if let Some(txn) = txn {
            self.end(txn, Some(id));
        }
        self.positions.extend(effects.positions.iter().cloned());
        match self.mode {
            Mode::Kafka if self.changelog.is_some() => {
                // Nobody reads it but who compares: the truth of the moment.
                self.state.show(id, &effects.changes);
                self.durable = id;
            }
            Mode::Kafka => {
                self.state.commit(id, effects.changes);
                self.durable = id;
            }
            Mode::Embedded => {
                self.state.show(id, &effects.changes);
                self.undurable.push((id, effects));
            }
        }
        id
    }

    pub fn sync(&mut self) {
        for (id, effects) in std::mem::take(&mut self.undurable) {
            self.durable_positions.extend(effects.positions);
            self.durable_state.show(id, &effects.changes);
        }
        for partition in self.topics.values_mut().flatten() {
            partition.sync();
        }
        self.durable = self.last;
    }

    pub fn crash(&mut self) {
        self.groups.clear();
        if self.mode == Mode::Kafka {
            return;
        }
        self.undurable.clear();
        self.open.clear();
        self.positions.clone_from(&self.durable_positions);
        self.state = self.durable_state.clone();
        for partition in self.topics.values_mut().flatten() {
            partition.lose(self.durable);
        }
        self.last = self.durable;
    }

    /// Shards move between two polls, and in the middle of a batch.
    pub fn rebalance(&mut self, group: &str, id: SessionId) {
        let held = self.groups.believed(group, id);
        if held.is_empty() {
            return;
        }
        let shard = held[self.rng.random_range(0..held.len())];
        if self.roll(self.faults.revoke) {
            let others = self.groups.others(group, id);
            if !others.is_empty() {
                let to = &others[self.rng.random_range(0..others.len())];
                self.groups.send(group, shard, to);
                self.injected.revoked += 1;
            }
        }
        if self.roll(self.faults.lose) {
            let told = self.rng.random_bool(0.5);
            self.groups.take(group, shard, told);
            if told {
                self.injected.lost += 1;
            } else {
                self.injected.zombies += 1;
            }
        }
    }
}
