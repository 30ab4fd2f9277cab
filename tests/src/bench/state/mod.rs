//! Local state by size: how fast commits are applied, how fast it is restored, and how long a restart takes with a disk
//! that survived. The changelog lies in memory: what is measured is the store.

mod log;

use super::Outcome;
use super::machine::{Moment, Used};
use fermata_core::ports::{Clock, Namespace, Restored, StateChange, StateStore, SystemClock};
use fermata_core::{PipelineName, Sequence, Shard, StageName, changelog};
use fermata_store::{Local, LocalOptions};
use log::Changelog;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Entries of one shard, few and many.
const SIZES: [u64; 2] = [100_000, 2_000_000];
/// Changes in a commit.
const BATCH: u64 = 1_000;
/// Commits made elsewhere before a restart.
const MISSED: u64 = 10;
const VALUE: usize = 48;
const SHARD: Shard = Shard(0);
/// As the worker restores.
const SLICE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, Serialize)]
pub struct State {
    pub entries: u64,
    pub applied_per_s: f64,
    /// Every entry written once more.
    pub rewritten_per_s: f64,
    pub restored_per_s: f64,
    /// Restart with a disk that survived: nothing missed, and [`MISSED`] commits.
    pub restart_ms: f64,
    pub behind_ms: f64,
    pub disk_bytes: u64,
    /// Processors that others kept busy.
    pub others: f64,
}

pub fn measure() -> Outcome<Vec<State>> {
    SIZES.into_iter().map(of).collect()
}

fn of(entries: u64) -> Outcome<State> {
    eprintln!("local state of {entries} entries");
    let home = tempfile::tempdir()?;
    let log = Arc::new(Changelog::new(pipeline()?));
    let folder = home.path().join("state");
    let began = Moment::now()?;
    let local = open(&folder, &log)?;
    restore(&local, 0)?;
    let mut sequence = 0;
    let applied = write(&log, &local, &mut sequence, entries)?;
    let rewritten = write(&log, &local, &mut sequence, entries)?;
    let disk_bytes = local.disk_bytes()?;
    // As a store that tends itself has done by then.
    for _ in 0..2 {
        local.tend()?;
    }
    drop(local);
    let (restart, local) = timed(|| {
        let local = open(&folder, &log)?;
        restore(&local, sequence)?;
        Ok(local)
    })?;
    drop(local);
    for commit in 0..MISSED {
        log.commit(&changes(commit * BATCH, sequence + 1)?);
        sequence += 1;
    }
    let (behind, local) = timed(|| {
        let local = open(&folder, &log)?;
        restore(&local, sequence)?;
        Ok(local)
    })?;
    drop(local);
    let fresh = open(&home.path().join("fresh"), &log)?;
    let (restored, ()) = timed(|| restore(&fresh, sequence))?;
    let records = log.records();
    Ok(State {
        entries,
        applied_per_s: entries as f64 / applied,
        rewritten_per_s: entries as f64 / rewritten,
        restored_per_s: records as f64 / restored.seconds,
        restart_ms: restart.seconds * 1e3,
        behind_ms: behind.seconds * 1e3,
        disk_bytes,
        others: began.until(&Moment::now()?).others,
    })
}

fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(Used, T)> {
    let began = Moment::now()?;
    let done = work()?;
    Ok((began.until(&Moment::now()?), done))
}

/// Writes every entry, a commit at a time; the seconds that applying took.
fn write(log: &Changelog, local: &Local, sequence: &mut u64, entries: u64) -> Outcome<f64> {
    let clock = SystemClock::default();
    let mut took = Duration::ZERO;
    for first in (0..entries).step_by(BATCH as usize) {
        *sequence += 1;
        let changes = changes(first, *sequence)?;
        let id = log.commit(&changes);
        let began = clock.elapsed();
        local.apply(id, &changes)?;
        took += clock.elapsed() - began;
    }
    Ok(took.as_secs_f64())
}

/// Spread over the keys, as accounts are.
fn changes(first: u64, sequence: u64) -> Outcome<Vec<StateChange>> {
    let namespace = Arc::new(Namespace {
        stage: stage()?,
        store: "balances".into(),
        schema: 1,
    });
    let entry = |n: u64| StateChange {
        namespace: Arc::clone(&namespace),
        shard: SHARD,
        key: format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into(),
        value: Some(vec![sequence as u8; VALUE].into()),
    };
    let note = StateChange {
        namespace: changelog::shard_namespace(),
        shard: SHARD,
        key: changelog::SEQUENCE_KEY.into(),
        value: Some(sequence.to_be_bytes().to_vec().into()),
    };
    Ok((first..first + BATCH).map(entry).chain([note]).collect())
}

fn open(folder: &Path, log: &Arc<Changelog>) -> Outcome<Arc<Local>> {
    let mut options = LocalOptions::new(pipeline()?, 1, "bench");
    options.tend_every = None;
    Ok(Local::open(folder, options, log.clone())?)
}

fn restore(local: &Local, sequence: u64) -> Outcome<()> {
    while local.restore(SHARD, Sequence(sequence), SLICE)? != Restored::Ready {}
    Ok(())
}

fn pipeline() -> Outcome<PipelineName> {
    Ok(PipelineName::new("bench")?)
}

fn stage() -> Outcome<StageName> {
    Ok(StageName::new("account")?)
}
