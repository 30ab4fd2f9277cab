//! What a run did, to show that it did something.

use super::disks::Counted;
use super::plane::Decided;
use crate::simulated::Injected;
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub commits: u64,
    pub accepted: u64,
    pub confirmed: u64,
    pub failed: u64,
    pub rejected: u64,
    pub dead: u64,
    pub skipped: u64,
    pub timers: u64,
    /// Processes begun, killed, and put aside while another took their place.
    pub starts: u64,
    pub kills: u64,
    pub freezes: u64,
    /// Leaders that found out that another one leads.
    pub deposed: u64,
    /// Facts recorded by a leader that died before it heard so.
    pub unheard: u64,
    pub worker_kills: u64,
    pub decided: Decided,
    pub disks: Counted,
    pub injected: Injected,
}

impl AddAssign for Ran {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.accepted += other.accepted;
        self.confirmed += other.confirmed;
        self.failed += other.failed;
        self.rejected += other.rejected;
        self.dead += other.dead;
        self.skipped += other.skipped;
        self.timers += other.timers;
        self.starts += other.starts;
        self.kills += other.kills;
        self.freezes += other.freezes;
        self.deposed += other.deposed;
        self.unheard += other.unheard;
        self.worker_kills += other.worker_kills;
        self.decided += other.decided;
        self.disks += other.disks;
        self.injected += other.injected;
    }
}

impl AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.compared += other.compared;
        self.wiped += other.wiped;
        self.cut += other.cut;
        self.rolled_back += other.rolled_back;
        self.compacted += other.compacted;
    }
}

impl AddAssign for Decided {
    fn add_assign(&mut self, other: Self) {
        self.commands += other.commands;
        self.refused += other.refused;
        self.stale += other.stale;
        self.pauses += other.pauses;
        self.drained += other.drained;
        self.not_drained += other.not_drained;
        self.promoted += other.promoted;
        self.rolled_back += other.rolled_back;
        self.turned_down += other.turned_down;
        self.taken_back += other.taken_back;
        self.receipts += other.receipts;
        self.void += other.void;
    }
}
