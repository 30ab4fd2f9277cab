//! What may go wrong, and how often it did.

use serde::{Deserialize, Serialize};

/// Probabilities between 0 and 1, each time the occasion arises.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    /// A commit leaves a marker in a partition: one offset without a record.
    pub gap: f64,
    /// Somebody else opens a transaction on a partition that is being written; it ends some calls later.
    pub hidden: f64,
    /// A shard moves to another member: at a poll, and in the middle of a batch.
    pub revoke: f64,
    /// The same without waiting for its holder; half of them without a word to it.
    pub lose: f64,
    /// A commit is refused.
    pub abort: f64,
    /// A commit's answer is lost; half of them had committed.
    pub unknown: f64,
    /// `resolve` does not know either.
    pub unknown_again: f64,
    /// The log cannot be reached for this call.
    pub away: f64,
    /// A poll returns fewer records than there are.
    pub short_poll: f64,
    /// The marker of a commit reaches a journal or changelog some calls later than the transaction's other partitions.
    #[serde(default)]
    pub late_marker: f64,
}

impl Faults {
    pub const NONE: Self = Self {
        gap: 0.0,
        hidden: 0.0,
        revoke: 0.0,
        lose: 0.0,
        abort: 0.0,
        unknown: 0.0,
        unknown_again: 0.0,
        away: 0.0,
        short_poll: 0.0,
        late_marker: 0.0,
    };
    /// Frequent enough that a few hundred batches meet everything.
    pub const HARSH: Self = Self {
        gap: 0.5,
        hidden: 0.05,
        revoke: 0.03,
        lose: 0.02,
        abort: 0.05,
        unknown: 0.05,
        unknown_again: 0.3,
        away: 0.02,
        short_poll: 0.3,
        // Only where stores restore themselves.
        late_marker: 0.0,
    };

    /// Every kind that strikes anywhere, by itself, to choose among them.
    pub fn kinds(&mut self) -> [&mut f64; 9] {
        let Self {
            gap,
            hidden,
            revoke,
            lose,
            abort,
            unknown,
            unknown_again,
            away,
            short_poll,
            late_marker: _,
        } = self;
        [
            gap,
            hidden,
            revoke,
            lose,
            abort,
            unknown,
            unknown_again,
            away,
            short_poll,
        ]
    }
}

/// Faults that have struck, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    pub gaps: u64,
    pub hidden: u64,
    pub revoked: u64,
    pub lost: u64,
    pub zombies: u64,
    pub aborted: u64,
    pub unknown_committed: u64,
    pub unknown_aborted: u64,
    pub unknown_again: u64,
    pub away: u64,
    pub refused: u64,
    pub late_markers: u64,
}

impl std::ops::AddAssign for Injected {
    fn add_assign(&mut self, other: Self) {
        self.gaps += other.gaps;
        self.hidden += other.hidden;
        self.revoked += other.revoked;
        self.lost += other.lost;
        self.zombies += other.zombies;
        self.aborted += other.aborted;
        self.unknown_committed += other.unknown_committed;
        self.unknown_aborted += other.unknown_aborted;
        self.unknown_again += other.unknown_again;
        self.away += other.away;
        self.refused += other.refused;
        self.late_markers += other.late_markers;
    }
}
