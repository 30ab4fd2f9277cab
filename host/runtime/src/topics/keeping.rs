//! How each kind of topic is kept, and why.

use super::kind::Kind;
use super::plan::{Binding, Setting};
use fermata_core::limits::{MAX_HEADERS, MAX_KEY, MAX_RECORD, MAX_VALUE};
use fermata_core::names::{Purpose, headers};
use fermata_core::topics as names;
use std::time::Duration;

/// Records of sources, ticks and what stages write are kept so long unless `[topics]` says otherwise. A pipeline that
/// stands still for longer finds records gone, and says so.
const DATA: Duration = Duration::from_secs(7 * 86_400);
/// How far back a journal is kept whole, so that it can be replayed; the last record of each shard stays for ever.
const REPLAY: Duration = Duration::from_secs(7 * 86_400);
/// What a doctor wrote is of no use a day later.
const PROBE: Duration = Duration::from_secs(86_400);
/// Around the key, value and headers of a record: its own fields and those of its batch.
const FRAME: usize = 1 << 10;
/// A dead letter or a parked record is its input, what the host knows of it, and a frame.
pub const AROUND_INPUT: i64 = 64 << 10;
/// The newest segment is never compacted, and all of it is read at a restore: Kafka Streams makes it as small.
const SEGMENT: i64 = 50 << 20;
/// Instances say often how they are; only the last word of each counts.
const SMALL_SEGMENT: i64 = 4 << 20;
const FOR_EVER: &str = "-1";

/// The largest record that a stage may emit, or an intake take in.
pub fn emission() -> i64 {
    (MAX_KEY + MAX_VALUE + MAX_HEADERS + headers::MAX_HOST_BYTES + FRAME).next_multiple_of(64 << 10) as i64
}

/// Everything but the copies. `kept`: what `[topics.retention]` says of this topic; `input`: bytes of the largest batch
/// that any input may hold.
pub fn settings(kind: Kind, kept: Option<Duration>, input: i64) -> Vec<Setting> {
    let always = |name, value: String| Setting::new(name, value, Binding::Always);
    let first = |name, value: String| Setting::new(name, value, Binding::AtCreation);
    // What somebody wrote down is meant; a default is not held against topics that are there.
    let explicit = |name, default: Duration| match kept {
        Some(kept) => always(name, millis(kept)),
        None => first(name, millis(default)),
    };
    match kind {
        // Compaction would take records away that nobody has read yet.
        Kind::Source => vec![
            always(names::CLEANUP, "delete".into()),
            explicit(names::RETENTION, DATA),
            first(names::MAX_MESSAGE, emission().to_string()),
        ],
        Kind::Internal => vec![
            always(names::CLEANUP, "delete".into()),
            always(names::RETENTION, millis(kept.unwrap_or(DATA))),
            // A limit of bytes drops what a slow stage has not read, whatever its age.
            always(names::RETENTION_BYTES, FOR_EVER.into()),
            always(names::MAX_MESSAGE, emission().to_string()),
        ],
        Kind::End => vec![
            first(names::CLEANUP, "delete".into()),
            explicit(names::RETENTION, DATA),
            always(names::MAX_MESSAGE, emission().to_string()),
        ],
        Kind::Own(Purpose::Ticks) => vec![
            always(names::CLEANUP, "delete".into()),
            always(names::RETENTION, millis(kept.unwrap_or(DATA))),
            always(names::RETENTION_BYTES, FOR_EVER.into()),
        ],
        Kind::Own(Purpose::Journal) => vec![
            always(names::CLEANUP, "compact".into()),
            always(names::COMPACTION_LAG, millis(kept.unwrap_or(REPLAY))),
            always(names::MAX_MESSAGE, MAX_RECORD.to_string()),
            first(names::SEGMENT_BYTES, SEGMENT.to_string()),
        ],
        // Wishes and facts are folded from the first to the last. No fact has a key that a later one would repeat, so
        // compaction would lose some: they are all kept.
        Kind::Own(Purpose::Control | Purpose::Status) => vec![
            always(names::CLEANUP, "delete".into()),
            always(names::RETENTION, FOR_EVER.into()),
            always(names::RETENTION_BYTES, FOR_EVER.into()),
            always(names::MAX_MESSAGE, MAX_RECORD.to_string()),
        ],
        Kind::Own(Purpose::DeadLetters) => vec![
            always(names::CLEANUP, "delete".into()),
            always(names::RETENTION, kept.map_or(FOR_EVER.into(), millis)),
            always(names::RETENTION_BYTES, FOR_EVER.into()),
            always(names::MAX_MESSAGE, (input + AROUND_INPUT).to_string()),
        ],
        Kind::Own(Purpose::Nodes) => vec![
            always(names::CLEANUP, "compact".into()),
            always(names::MAX_MESSAGE, emission().to_string()),
            first(names::SEGMENT_BYTES, SMALL_SEGMENT.to_string()),
        ],
        Kind::Own(Purpose::Artifacts) => vec![
            always(names::CLEANUP, "compact".into()),
            always(names::MAX_MESSAGE, emission().to_string()),
        ],
        Kind::Changelog => vec![
            always(names::CLEANUP, "compact".into()),
            always(names::DELETE_RETENTION, millis(names::TOMBSTONES)),
            // A parked record is state, and as large as its input.
            always(names::MAX_MESSAGE, (input + AROUND_INPUT).to_string()),
            first(names::SEGMENT_BYTES, SEGMENT.to_string()),
        ],
        // The broker's clock is read from what it stamps.
        Kind::Probe => vec![
            always(names::CLEANUP, "delete".into()),
            first(names::RETENTION, millis(PROBE)),
            always(names::TIMESTAMPS, "LogAppendTime".into()),
        ],
    }
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}
