//! Settings of topics by Kafka's names, and when one that was found is as good as the one that was asked for.

use crate::TopicName;
use std::collections::BTreeMap;
use std::time::Duration;

/// `delete`, `compact`, or both with a comma.
pub const CLEANUP: &str = "cleanup.policy";
/// Milliseconds; -1: for ever.
pub const RETENTION: &str = "retention.ms";
/// Bytes of a partition; -1: any number.
pub const RETENTION_BYTES: &str = "retention.bytes";
/// Milliseconds for which a tombstone stays readable.
pub const DELETE_RETENTION: &str = "delete.retention.ms";
/// Milliseconds for which a record is not compacted away.
pub const COMPACTION_LAG: &str = "min.compaction.lag.ms";
pub const SEGMENT_BYTES: &str = "segment.bytes";
/// Bytes of a batch of records, as it lies on the log.
pub const MAX_MESSAGE: &str = "max.message.bytes";
pub const MIN_IN_SYNC: &str = "min.insync.replicas";
/// `CreateTime` or `LogAppendTime`.
pub const TIMESTAMPS: &str = "message.timestamp.type";

/// A tombstone of the changelog stays so long. A local store that is older than half of it may have missed one, and a
/// deleted entry would rise again: it is wiped.
pub const TOMBSTONES: Duration = Duration::from_secs(7 * 86_400);

/// A topic as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub partitions: u32,
    /// Copies of each partition.
    pub replicas: u32,
    /// What holds for it, defaults of the broker among them; `None`: we may not look.
    pub settings: Option<BTreeMap<String, String>>,
}

impl Found {
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.as_ref()?.get(name).map(String::as_str)
    }
    pub fn number(&self, name: &str) -> Option<i64> {
        self.setting(name)?.parse().ok()
    }
}

/// Topics as the log has them, by name.
pub type Inventory = BTreeMap<TopicName, Found>;

/// Is `found` as good as `wanted`? What keeps more, for longer or larger, is; `-1` is more than any number.
pub fn fits(name: &str, wanted: &str, found: &str) -> bool {
    match name {
        CLEANUP => policies(wanted) == policies(found),
        RETENTION | RETENTION_BYTES => match (number(wanted), number(found)) {
            (_, Some(-1)) => true,
            (Some(-1), _) => false,
            (Some(wanted), Some(found)) => found >= wanted,
            _ => false,
        },
        DELETE_RETENTION | COMPACTION_LAG | MAX_MESSAGE | MIN_IN_SYNC => {
            matches!((number(wanted), number(found)), (Some(wanted), Some(found)) if found >= wanted)
        }
        _ => wanted == found,
    }
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

fn policies(text: &str) -> Vec<&str> {
    let mut all: Vec<&str> = text.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_more_is_as_good_and_what_keeps_less_is_not() {
        for (name, wanted, good, bad) in [
            (
                CLEANUP,
                "delete",
                &["delete", " delete "][..],
                &["compact", "compact,delete", ""][..],
            ),
            (CLEANUP, "compact", &["compact"], &["compact,delete", "delete"]),
            (CLEANUP, "compact,delete", &["delete, compact"], &["compact"]),
            (RETENTION, "1000", &["1000", "1001", "-1"], &["999", "", "-2"]),
            (RETENTION, "-1", &["-1"], &["9223372036854775807"]),
            (RETENTION_BYTES, "-1", &["-1"], &["1073741824"]),
            (DELETE_RETENTION, "100", &["100", "101"], &["99", "-1"]),
            (MAX_MESSAGE, "1048576", &["1048588"], &["1048575", "many"]),
            (MIN_IN_SYNC, "2", &["2", "3"], &["1"]),
            (TIMESTAMPS, "LogAppendTime", &["LogAppendTime"], &["CreateTime"]),
        ] {
            for found in good {
                assert!(fits(name, wanted, found), "{name}: {found} for {wanted}");
            }
            for found in bad {
                assert!(!fits(name, wanted, found), "{name}: {found} for {wanted}");
            }
        }
    }
}
