//! Replay: every task's journal is executed again, from empty state, by the code that runs it live.
//!
//! Each journal record says how many records the task had processed and put out by then, and the hash of all of it;
//! the replay must arrive at the same numbers at the same places. Replays may drop the instance after every call and
//! cut their batches elsewhere than the worker did: then equal hashes prove that guests keep nothing in memory.

mod inputs;
mod state;
mod task;
mod versions;

use std::sync::Arc;

use fermata_core::ports::{Artifacts, Executor, LogError};

pub use self::state::MemoryState;
use self::task::{Replayed, Stopped};
use self::versions::Versions;
use super::VerifySpec;
use super::cut::Cut;
use super::report::{Check, Findings};
use crate::worker::wiring::Wiring;

/// How to execute the journals again.
pub struct Replay<'a> {
    pub executor: &'a dyn Executor,
    pub artifacts: &'a dyn Artifacts,
    /// No instance lives longer than one call.
    pub drop_instances: bool,
    /// Seed for batches cut at random; `None`: as the journal has them.
    pub recut: Option<u64>,
}

impl<'a> Replay<'a> {
    pub fn new(executor: &'a dyn Executor, artifacts: &'a dyn Artifacts) -> Self {
        Self {
            executor,
            artifacts,
            drop_instances: false,
            recut: None,
        }
    }
}

/// Executes every task of the cut again. The first difference of each task is named; what follows from it is not.
pub fn tasks(spec: &VerifySpec<'_>, replay: &Replay<'_>, cut: &Cut, findings: &mut Findings) -> Result<(), LogError> {
    let mut versions = Versions::new(replay);
    for ledger in cut.shards() {
        if !ledger.complete {
            findings.limited(format!(
                "shard {} is not replayed: its journal does not begin with sequence 1, or has a hole",
                ledger.shard
            ));
            continue;
        }
        for stage in &spec.manifest.stages {
            let wiring = Arc::new(Wiring::new(spec.manifest, stage));
            let mut replayed = Replayed::new(spec, replay, cut, ledger, wiring, &mut versions);
            let outcome = replayed.run();
            findings.figures.replayed += replayed.executed;
            let place = format!("stage {} on shard {}", stage.name, ledger.shard);
            match outcome {
                Ok(()) => {}
                Err(Stopped::Log(error)) => return Err(error),
                Err(Stopped::Differs(what)) => findings.problem(Check::Replay, format!("{place}, {what}")),
                Err(Stopped::Trimmed(what)) => findings.limited(format!("{place} is not replayed: {what}")),
            }
        }
    }
    Ok(())
}
