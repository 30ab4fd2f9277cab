//! A log and state store in memory, with Kafka's habits and seeded faults.
//!
//! Nothing here starts a thread, sleeps or asks the machine for the time: one seed gives one run, as long as it is
//! driven from one thread. What it does that an innocent log would not:
//!
//! - offsets have gaps, because transaction markers take some;
//! - records of an open transaction already lie in their partitions: nobody sees them, nor what lies behind them,
//!   until that transaction has ended; one left behind by a dead member ends when the member joins again, or after
//!   [`TRANSACTION_TIMEOUT`];
//! - shards are taken away between two polls, with or without notice ([`Faults`]);
//! - a commit may answer `Unknown`, and so may the question what became of it;
//! - state changes of a commit are committed with it but shown only after `apply`; whoever is assigned a shard finds
//!   it caught up;
//! - or, when it keeps a changelog ([`Simulated::keep_changelog`]): state changes are records of the transaction, whose
//!   markers may be late, and stores restore themselves from them; its own state is then what was committed, to compare;
//! - a commit that changes the state of a shard without sending that shard's positions is refused as a broken
//!   contract: Kafka would not fence it.

mod clock;
mod faults;
mod groups;
mod log;
mod partition;
mod session;
mod state;
mod world;
mod writer;

pub use clock::SimClock;
pub use faults::{Faults, Injected};
pub use world::{Mode, TRANSACTION_TIMEOUT};
pub use writer::{Made, Writer, entry, note};

use fermata_core::ports::Namespace;
use fermata_core::{CommitId, Offset, PipelineName, Record, Shard, Timestamp, TopicName};
use parking_lot::Mutex;
use std::sync::Arc;
use world::World;

/// The simulated log; clones share it. Also the handle by which a simulator breaks things.
#[derive(Clone)]
pub struct Simulated {
    world: Arc<Mutex<World>>,
    clock: Arc<SimClock>,
}

impl Simulated {
    pub fn new(seed: u64, mode: Mode, faults: Faults) -> Self {
        let clock = Arc::new(SimClock::default());
        Self {
            world: Arc::new(Mutex::new(World::new(seed, mode, faults, Arc::clone(&clock)))),
            clock,
        }
    }

    /// State changes of the pipeline become records of its changelog, as on Kafka.
    pub fn keep_changelog(&self, pipeline: &PipelineName) {
        self.world.lock().changelog = Some(pipeline.clone());
    }
    /// Forgets the records of a partition before `start`.
    pub fn trim(&self, topic: &TopicName, shard: Shard, start: Offset) {
        if let Ok(partition) = self.world.lock().partition(topic, shard) {
            partition.trim(start);
        }
    }
    /// Keeps the newest record of each key; tombstones written before that time are gone, as after
    /// `delete.retention.ms`.
    pub fn compact(&self, topic: &TopicName, shard: Shard, before: Timestamp) {
        if let Ok(partition) = self.world.lock().partition(topic, shard) {
            partition.compact(before);
        }
    }

    pub fn clock(&self) -> Arc<SimClock> {
        Arc::clone(&self.clock)
    }
    pub fn set_faults(&self, faults: Faults) {
        self.world.lock().faults = faults;
    }
    /// How often each fault has struck.
    pub fn injected(&self) -> Injected {
        self.world.lock().injected
    }
    pub fn committed(&self) -> CommitId {
        CommitId(self.world.lock().last)
    }
    /// Namespaces that hold or held state.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.world.lock().state.namespaces()
    }
    /// Is there anything to read from `from` on?
    pub fn lies_behind(&self, topic: &TopicName, shard: Shard, from: Offset) -> bool {
        let mut world = self.world.lock();
        world.partition(topic, shard).is_ok_and(|p| !p.read(from, 1).is_empty())
    }
    /// Makes no trouble for as long as the call lasts.
    pub fn undisturbed<T>(&self, call: impl FnOnce() -> T) -> T {
        let faults = std::mem::replace(&mut self.world.lock().faults, Faults::NONE);
        let answer = call();
        self.set_faults(faults);
        answer
    }
    /// Changes whenever readers may see something new.
    pub fn stamp(&self) -> (u64, u64) {
        let world = self.world.lock();
        (world.last, world.ended)
    }
    /// What a reader may read from `from` on. No call of a client: it cannot fail, and no fault strikes.
    pub fn look(&self, topic: &TopicName, shard: Shard, from: Offset) -> Vec<Record> {
        let mut world = self.world.lock();
        let partition = world.partition(topic, shard);
        partition.map(|p| p.read(from, usize::MAX)).unwrap_or_default()
    }

    /// Sends a shard to another member; its holder is told first. `false`: no such member or shard.
    pub fn move_shard(&self, group: &str, shard: Shard, member: &str) -> bool {
        self.world.lock().groups.send(group, shard, member)
    }
    /// Takes a shard from its holder and gives it to another member at once (to itself again when it is alone).
    /// The holder hears that it was lost.
    pub fn lose_shard(&self, group: &str, shard: Shard) -> bool {
        self.world.lock().groups.take(group, shard, true)
    }
    /// As [`Self::lose_shard`], but the holder hears nothing: two sessions believe that they own the shard.
    pub fn make_zombie(&self, group: &str, shard: Shard) -> bool {
        self.world.lock().groups.take(group, shard, false)
    }
    /// The member's process dies: its session answers `Fenced` from now on, its open transaction stays open.
    pub fn kill_session(&self, group: &str, member: &str) -> bool {
        self.world.lock().groups.kill(group, member)
    }
    /// Every session dies. Committed things stay; in [`Mode::Embedded`] only what was durable does.
    pub fn crash(&self) {
        self.world.lock().crash();
    }
    /// Makes everything committed durable ([`Mode::Embedded`]; on Kafka it always is).
    pub fn sync(&self) {
        self.world.lock().sync();
    }
    /// The member that the group counts as the holder of each shard.
    pub fn owners(&self, group: &str) -> Vec<Option<String>> {
        self.world.lock().groups.owners(group)
    }
}
