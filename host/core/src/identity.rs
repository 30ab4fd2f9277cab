//! The name of a record that is known before any offset is: the same in every replay.

use crate::{Digest, Offset, Shard, StageName, Timestamp, TopicName};
use std::fmt;

/// `topic/partition/offset` of the root, then `#` and one step `stage.ordinal` for each emission that led to it.
///
/// For a timer the root is its tick: `pipeline.ticks/3/@1700000000000!stage!timer-id` (a tick's time is strictly
/// growing on a shard, and known before the tick has an offset). A chain that has grown past
/// [`Identity::MAX`] bytes folds its steps into a hash, so that identities fit their header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(String);

impl Identity {
    /// Longest identity in bytes; longer paths are folded to `root#~<32 hex digits>`.
    pub const MAX: usize = 200;

    /// A record that no stage emitted, or that came without the header.
    pub fn root(topic: &TopicName, shard: Shard, offset: Offset) -> Self {
        Self(format!("{topic}/{shard}/{offset}"))
    }

    /// A tick itself.
    pub fn tick(ticks: &TopicName, shard: Shard, at: Timestamp) -> Self {
        Self(format!("{ticks}/{shard}/@{at}"))
    }

    /// A timer that fires at `tick`.
    pub fn timer(tick: &Self, stage: &StageName, timer: &str) -> Self {
        Self(folded(format!("{}!{stage}!{timer}", tick.0)))
    }

    /// The `ordinal`-th (from 0) emission of `stage` from the record named by `self`.
    pub fn emission(&self, stage: &StageName, ordinal: usize) -> Self {
        let joint = if self.0.contains('#') { '/' } else { '#' };
        Self(folded(format!("{}{joint}{stage}.{ordinal}", self.0)))
    }

    /// As found in the header `fermata-id`.
    pub fn from_header(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn folded(text: String) -> String {
    if text.len() <= Identity::MAX {
        return text;
    }
    let hash = hex::encode(&Digest::of(text.as_bytes()).0[..16]);
    // The root stays readable as far as it fits; names are ASCII, so any cut is a character boundary of it.
    let root = text.split(['#', '!']).next().unwrap_or_default();
    let kept = root.len().min(Identity::MAX - 40);
    format!("{}#~{hash}", &root[..kept])
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_by_steps_and_folds_when_long() {
        let stage = StageName::new("account").unwrap();
        let root = Identity::root(&TopicName::new("payment.incoming").unwrap(), Shard(3), Offset(12));
        let one = root.emission(&stage, 0);
        assert_eq!(one.as_str(), "payment.incoming/3/12#account.0");
        assert_eq!(
            one.emission(&stage, 2).as_str(),
            "payment.incoming/3/12#account.0/account.2"
        );
        let mut long = root.clone();
        let mut seen = std::collections::HashSet::new();
        for n in 0..1000 {
            long = long.emission(&stage, n % 3);
            assert!(long.as_str().len() <= Identity::MAX);
            assert!(seen.insert(long.clone()), "folding must keep identities apart");
        }
        assert!(long.as_str().starts_with("payment.incoming/3/12#~"));
    }
}
