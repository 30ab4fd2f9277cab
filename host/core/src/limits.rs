//! What a stage may use. One home for every default.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Limits of one stage; each can be set in the manifest (`[stage.x.limits]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Linear memory of one instance, all memories together, in bytes.
    pub memory: u64,
    /// Fuel for one record or timer.
    pub fuel: u64,
    /// Wall time after which a call is interrupted; it never condemns the record.
    pub wall: Duration,
    /// Emissions of one record or timer.
    pub outputs: u32,
    /// Bytes of all emissions of one record or timer.
    pub output_bytes: u64,
    /// State of one task, in bytes: keys and values of its stores, and its timers. A record that would leave more behind,
    /// and more than there was before it, is a fault.
    pub state: u64,
    /// So many faults of a task in a row make the stage suspect: the last record that it passed is tried again.
    pub faults_in_a_row: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            fuel: 5_000_000,
            wall: Duration::from_secs(1),
            outputs: 1_000,
            output_bytes: 1 << 20,
            state: 1 << 30,
            faults_in_a_row: 5,
        }
    }
}

/// Bytes of a key of a record or of a store.
pub const MAX_KEY: usize = 4 << 10;
/// Bytes of a value of a record or of a store.
pub const MAX_VALUE: usize = 1 << 20;
/// Bytes of all headers of a record, names and values.
pub const MAX_HEADERS: usize = 16 << 10;
/// Bytes of a whole record on the log, the host's headers included: what topics must take. Emissions and what intake
/// takes are far below; a dead letter is its input and a few host headers, whatever the input's producer sent.
pub const MAX_RECORD: usize = 8 << 20;
/// Entries that one scan may answer.
pub const MAX_SCAN_ENTRIES: u32 = 1_000;
/// Bytes that one scan may answer.
pub const MAX_SCAN_BYTES: usize = 1 << 20;
/// Bytes of a rejection's code.
pub const MAX_CODE: usize = 64;
/// Bytes of a rejection's or fault's text kept on a dead letter.
pub const MAX_REASON: usize = 1 << 10;
/// Bytes of a timer's id and of its payload.
pub const MAX_TIMER_ID: usize = 256;
pub const MAX_TIMER_PAYLOAD: usize = 64 << 10;
/// A timer is due no sooner than so long after the tick at which it is set: one that sets itself again for the past
/// must not keep its shard ticking.
pub const MIN_TIMER_DELAY: Duration = Duration::from_millis(10);
/// Headers of one emission.
pub const MAX_HEADER_COUNT: usize = 1_000;
/// Changes of metrics by one record or timer, and bytes of one label.
pub const MAX_METRIC_CHANGES: usize = 1_000;
pub const MAX_LABEL: usize = 256;
/// Label values of one metric that are told apart; what comes later is counted together.
pub const MAX_SERIES: usize = 1_000;
/// Bytes of all texts that `describe` answers.
pub const MAX_DESCRIPTION: usize = 256 << 10;
/// Bytes of a component.
pub const MAX_COMPONENT: usize = 64 << 20;
/// Bytes of a log line, and lines a second for a task.
pub const MAX_LOG_LINE: usize = 1 << 10;
pub const LOG_LINES_PER_SECOND: u32 = 100;
/// Fuel of `describe` and `init`, and of a view.
pub const INIT_FUEL: u64 = 500_000_000;
pub const VIEW_FUEL: u64 = 100_000_000;
/// Rates and latencies are known this far back: the longest window of a goal.
pub const MAX_GOAL_WINDOW: Duration = Duration::from_secs(600);
/// Ticks while records flow are at least this far apart.
pub const TICK_INTERVAL: Duration = Duration::from_millis(100);
/// The probation of a deployment when neither the manifest nor the command names one.
pub const PROBATION: Duration = Duration::from_secs(30);
