//! What is known of each shard's state, kept in the database beside it.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `local` | `about` | JSON: [`About`] |
//! | `local` | `shard/` + shard u32, big-endian | JSON: [`Book`] |

use fermata_core::{Offset, PipelineName, Sequence, Shard, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

pub(super) const KEYSPACE: &str = "local";
pub(super) const ABOUT: &[u8] = b"about";
const SHARD: &[u8] = b"shard/";

/// Whose state the folder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub format: u32,
    pub pipeline: PipelineName,
    pub partitions: u32,
    pub identity: String,
}

/// 1 was of folders beside one changelog for each stage.
pub(super) const FORMAT: u32 = 2;

/// As people read it.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            format,
            pipeline,
            partitions,
            identity,
        } = self;
        write!(
            f,
            "{pipeline} with {partitions} partitions on {identity:?} (format {format})"
        )
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Book {
    /// Every committed record of the changelog below this offset is in the store. `None`: what the store has goes first,
    /// then the changelog is read from the start.
    pub position: Option<Offset>,
    /// Every record that was written to the changelog before this time is in the store.
    pub in_step: Timestamp,
    /// The state is that of the sequence noted in it, and nothing beyond.
    pub whole: bool,
    /// The newest sequence at which the state was whole before it was read on: reading may turn its note back, but what
    /// it had beyond an older one stays in it.
    #[serde(default)]
    pub reached: Sequence,
}

impl Book {
    /// Tombstones that it has not met may be gone by now. A time ahead of `now` is as wrong as one behind: it says by
    /// how much the clock was set back since.
    pub fn is_stale(&self, now: Timestamp, keep: Duration) -> bool {
        let apart = now.0.abs_diff(self.in_step.0);
        self.position.is_some() && u128::from(apart) > keep.as_millis()
    }
}

pub(super) fn key(shard: Shard) -> Vec<u8> {
    [SHARD, &shard.0.to_be_bytes()].concat()
}

pub(super) fn encode<T: Serialize>(about: &T) -> Vec<u8> {
    serde_json::to_vec(about).expect("names and numbers are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(in_step: i64) -> Book {
        Book {
            position: Some(Offset(1)),
            in_step: Timestamp(in_step),
            whole: true,
            reached: Sequence(3),
        }
    }

    #[test]
    fn age_is_how_far_its_time_and_now_are_apart() {
        let keep = Duration::from_millis(100);
        for (in_step, stale) in [(1_000, false), (900, false), (899, true), (1_100, false), (1_101, true)] {
            assert_eq!(of(in_step).is_stale(Timestamp(1_000), keep), stale, "{in_step}");
        }
        let empty = Book {
            position: None,
            ..of(0)
        };
        assert!(!empty.is_stale(Timestamp(1_000), keep), "nothing in it can be old");
    }

    #[test]
    fn a_book_comes_back_as_it_was_kept() {
        let book = of(7);
        let read: Book = serde_json::from_slice(&encode(&book)).expect("a book");
        assert_eq!(read, book);
        assert!(key(Shard(2)) < key(Shard(256)));
    }
}
