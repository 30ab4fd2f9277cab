//! Under which conditions the workers of an instance may work, where several instances share a pipeline.
//!
//! Workers obey the directive that their own instance publishes, and shards move between instances. So that no shard is
//! ever processed by what an instance knew too early:
//!
//! - a shard that was gained is restored only after the instance has read the facts to their end *since* it was gained;
//! - nothing is processed after the lease: an instance that could not tell the others of itself for so long is taken
//!   for gone by them, and they decide without it.
//!
//! The only instance of a log ([`Tenure::sole`]) has neither to wait nor to fear.

use fermata_core::Shard;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Shared by the workers of an instance (what they hold) and its controller (what they may do).
pub struct Tenure {
    shared: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: BTreeMap<Shard, Hold>,
    /// Number of the last hold.
    last: u64,
    /// Holds up to this one may be restored.
    granted: u64,
    /// Monotonic.
    lease: Duration,
    /// Epoch of the directive that each worker in the group obeys.
    obeyed: BTreeMap<usize, u64>,
    /// Workers that should leave the group, or stay out of it.
    dismissed: BTreeSet<usize>,
}

#[derive(Clone, Copy)]
struct Hold {
    worker: usize,
    number: u64,
}

impl Tenure {
    pub fn sole() -> Self {
        Self {
            shared: false,
            state: Mutex::default(),
        }
    }
    /// Nothing may be done before the first grant.
    pub fn shared() -> Self {
        Self {
            shared: true,
            ..Self::sole()
        }
    }
    /// Do several instances share the pipeline?
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    // What workers say and ask.

    pub fn gained(&self, worker: usize, shards: &[Shard]) {
        let mut state = self.state.lock();
        for shard in shards {
            state.last += 1;
            let number = state.last;
            state.held.insert(*shard, Hold { worker, number });
        }
    }
    pub fn lost(&self, worker: usize, shard: Shard) {
        let mut state = self.state.lock();
        if state.held.get(&shard).is_some_and(|hold| hold.worker == worker) {
            state.held.remove(&shard);
        }
    }
    /// The worker's session has ended.
    pub fn left(&self, worker: usize) {
        let mut state = self.state.lock();
        state.held.retain(|_, hold| hold.worker != worker);
        state.obeyed.remove(&worker);
    }
    /// At a batch boundary: from here on the worker does what the directive of `epoch` says.
    pub fn obeys(&self, worker: usize, epoch: u64) {
        self.state.lock().obeyed.insert(worker, epoch);
    }
    pub fn may_restore(&self, shard: Shard) -> bool {
        if !self.shared {
            return true;
        }
        let state = self.state.lock();
        state.held.get(&shard).is_some_and(|hold| hold.number <= state.granted)
    }
    /// `now`: monotonic.
    pub fn may_work(&self, now: Duration) -> bool {
        !self.shared || now < self.state.lock().lease
    }
    /// Before the first lease there was nothing to be over.
    pub fn had_a_lease(&self) -> bool {
        !self.shared || self.state.lock().lease > Duration::ZERO
    }
    pub fn should_leave(&self, worker: usize) -> bool {
        self.shared && self.state.lock().dismissed.contains(&worker)
    }

    // What the controller says and asks.

    /// Number of the hold under which a worker here holds the shard: another one each time that it is gained.
    pub fn hold(&self, shard: Shard) -> Option<u64> {
        self.state.lock().held.get(&shard).map(|hold| hold.number)
    }
    /// Shards that are held here, processed or not, and by which worker.
    pub fn held(&self) -> BTreeMap<Shard, usize> {
        let state = self.state.lock();
        state.held.iter().map(|(shard, hold)| (*shard, hold.worker)).collect()
    }
    /// Does a shard wait to be granted?
    pub fn waits(&self) -> bool {
        let state = self.state.lock();
        state.held.values().any(|hold| hold.number > state.granted)
    }
    /// The last hold so far: to be asked before the facts are read to their end, and granted after.
    pub fn newest(&self) -> u64 {
        self.state.lock().last
    }
    /// Holds up to `newest` may be restored, and workers may work until `lease` (monotonic).
    pub fn grant(&self, newest: u64, lease: Duration) {
        let mut state = self.state.lock();
        state.granted = state.granted.max(newest);
        state.lease = state.lease.max(lease);
    }
    /// The lowest epoch that a worker in the group still obeys. `None`: no worker is in the group.
    pub fn obeyed(&self) -> Option<u64> {
        self.state.lock().obeyed.values().min().copied()
    }
    /// Workers that are in the group.
    pub fn workers(&self) -> BTreeSet<usize> {
        self.state.lock().obeyed.keys().copied().collect()
    }
    /// The worker should leave the group, and not come back.
    pub fn dismiss(&self, worker: usize) {
        self.state.lock().dismissed.insert(worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_comes_back_waits_for_facts_read_since() {
        let tenure = Tenure::shared();
        tenure.gained(0, &[Shard(1)]);
        tenure.grant(tenure.newest(), Duration::from_secs(1));
        assert!(tenure.may_restore(Shard(1)));
        tenure.lost(0, Shard(1));
        assert!(!tenure.may_restore(Shard(1)));
        let before = tenure.newest();
        tenure.gained(1, &[Shard(1)]);
        tenure.grant(before, Duration::from_secs(2));
        assert!(!tenure.may_restore(Shard(1)), "the facts were read before it came");
        tenure.grant(tenure.newest(), Duration::from_secs(2));
        assert!(tenure.may_restore(Shard(1)));
        tenure.lost(0, Shard(1));
        assert_eq!(
            tenure.held(),
            [(Shard(1), 1)].into(),
            "the word of one that held it before"
        );
    }

    #[test]
    fn leases_end_where_instances_share_a_log() {
        let (shared, sole) = (Tenure::shared(), Tenure::sole());
        assert!(!shared.may_work(Duration::ZERO) && sole.may_work(Duration::MAX));
        shared.grant(0, Duration::from_secs(5));
        shared.grant(0, Duration::from_secs(4));
        assert!(shared.may_work(Duration::from_millis(4_999)));
        assert!(!shared.may_work(Duration::from_secs(5)));
    }
}
