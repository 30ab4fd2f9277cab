//! What the simulated workers recorded stands up to verification, and gives the same bytes when executed again.

use fermata_core::manifest::Manifest;
use fermata_core::ports::{Artifacts, Executor};
use fermata_runtime::verify::{Replay, Report, VerifySpec, verify};
use fermata_tests::simulated::Simulated;
use fermata_tests::simulation::{Plan, Shelf, Simulation};
use std::sync::Arc;

/// Recorded runs, each with kills, moves, swaps and time-outs of its own.
const SEEDS: std::ops::Range<u64> = 1..41;

fn recorded(seed: u64) -> (Simulated, Arc<Manifest>, Shelf) {
    let simulation = Simulation::new(Plan::of(seed));
    let (log, manifest, shelf) = (simulation.log().clone(), simulation.manifest(), simulation.shelf());
    if let Err(violation) = simulation.run() {
        panic!("seed {seed}: {}", violation.what);
    }
    (log, manifest, shelf)
}

fn books(seed: u64, how: impl Fn(&mut Replay<'_>)) -> Report {
    let (log, manifest, shelf) = recorded(seed);
    let mut replay = Replay::new(&*shelf.executor as &dyn Executor, &*shelf.artifacts as &dyn Artifacts);
    how(&mut replay);
    let report = verify(&VerifySpec {
        manifest: &manifest,
        log: &log,
        views: None,
        replay: Some(replay),
    });
    let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert!(report.ok, "seed {seed}: {:#?}", report.problems);
    let figures = &report.figures;
    assert!(figures.replayed > 0 && figures.records > 0, "seed {seed}: {figures:?}");
    report
}

#[test]
fn recorded_runs_verify_and_replay() {
    let mut sum = [0; 4];
    for seed in SEEDS {
        let figures = books(seed, |_| {}).figures;
        sum = [
            sum[0] + figures.receipts,
            sum[1] + figures.dead_letters,
            sum[2] + figures.replayed,
            sum[3] + figures.fused,
        ];
    }
    println!("receipts, dead letters, executed again, fused: {sum:?}");
    assert!(sum.iter().all(|&n| n > 0), "{sum:?}");
}

/// Guests keep nothing: instances dropped after every call and batches cut at random change no byte.
#[test]
fn replays_depend_neither_on_instances_nor_on_batches() {
    for seed in SEEDS {
        books(seed, |replay| {
            (replay.drop_instances, replay.recut) = (true, Some(seed))
        });
    }
}
