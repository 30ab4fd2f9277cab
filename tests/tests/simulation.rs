//! Workers and the control plane pass many seeds on the simulated log, invariants checked at every step.

use fermata_tests::simulated::Faults;
use fermata_tests::simulation::{Plan, Ran, kept, run, shrink};
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seeds of one run; `FERMATA_SEEDS` asks for another number, `FERMATA_SEED` for a single one.
const SEEDS: u64 = 1_000;
/// Of those in which each worker restores a store of its own: they write to disks.
const SEEDS_WITH_STORES: u64 = 30;
/// Parts of a failing run that are tried to find its smallest.
const PARTS: u32 = 2_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|v| v.parse().unwrap_or_else(|_| panic!("{name}={v} is not a number")))
}

/// All seeds up to the first that fails, in all threads there are; what they did together.
fn run_all(plan: fn(u64) -> Plan, seeds: std::ops::Range<u64>) -> Result<Ran, (u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let end = AtomicU64::new(seeds.end);
    let sum = Mutex::new(Ran::default());
    let first = Mutex::new(None);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end.load(Ordering::SeqCst) {
                return;
            }
            match run(&plan(seed)) {
                Ok(ran) => *sum.lock().unwrap_or_else(PoisonError::into_inner) += ran,
                Err(violation) => {
                    // Smaller seeds are under way still.
                    end.fetch_min(seed, Ordering::SeqCst);
                    let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                    if first.as_ref().is_none_or(|(other, _)| seed < *other) {
                        *first = Some((seed, violation.what));
                    }
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failed) => Err(failed),
        None => Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// What all seeds did, and how many they were.
fn pass(plan: fn(u64) -> Plan, most: u64) -> (Ran, u64) {
    let seeds = match number("FERMATA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("FERMATA_SEEDS").unwrap_or(most),
    };
    let count = seeds.end - seeds.start;
    match run_all(plan, seeds) {
        Ok(sum) => {
            println!("{count} seeds without a violation: {sum:?}");
            (sum, count)
        }
        Err((seed, what)) => {
            // `cargo xtask guards` reads this line.
            println!("first failing seed: {seed}");
            println!("{what}");
            let least = shrink(&plan(seed), PARTS, |part| run(part).is_err());
            let says = run(&least).err().map(|v| v.what).unwrap_or_default();
            let json = serde_json::to_string(&least).expect("plans have string keys only");
            panic!(
                "seed {seed}: {what}\n\nreproduce: FERMATA_SEED={seed}\nits smallest part: {says}\n\
                 to be kept as a line of tests/seeds/<what-it-is>.txt:\n{json}"
            );
        }
    }
}

#[test]
fn every_seed_passes() {
    let (sum, count) = pass(Plan::of, SEEDS);
    if count >= 500 {
        all_of_it_happened(&sum);
    }
}

/// Shards move between workers with disks of their own, which are wiped, cut off from power and rolled back: whatever a
/// worker holds is what was committed.
#[test]
fn every_seed_passes_with_stores() {
    let (sum, count) = pass(Plan::with_stores, SEEDS_WITH_STORES);
    if count >= SEEDS_WITH_STORES {
        let d = sum.disks;
        let happened = [d.compared, d.wiped, d.cut, d.rolled_back, d.compacted];
        assert!(happened.iter().all(|n| *n > 0), "{d:?}");
        let i = sum.injected;
        let injected = [i.late_markers, i.hidden, i.zombies, i.unknown_committed, i.away];
        assert!(injected.iter().all(|n| *n > 0), "{i:?}");
        assert!(sum.confirmed > 0 && sum.worker_kills > 0, "{sum:?}");
    }
}

/// A run in which nothing went wrong proves nothing.
fn all_of_it_happened(sum: &Ran) {
    let payments = [
        sum.confirmed,
        sum.failed,
        sum.rejected,
        sum.dead,
        sum.skipped,
        sum.timers,
    ];
    assert!(payments.iter().all(|n| *n > 0), "{sum:?}");
    let lives = [sum.kills, sum.freezes, sum.deposed, sum.unheard, sum.worker_kills];
    assert!(lives.iter().all(|n| *n > 0), "{sum:?}");
    let d = sum.decided;
    let decided = [
        d.refused,
        d.stale,
        d.pauses,
        d.drained,
        d.not_drained,
        d.promoted,
        d.rolled_back,
        d.turned_down,
        d.taken_back,
        d.receipts,
        d.void,
    ];
    assert!(decided.iter().all(|n| *n > 0), "{d:?}");
    let i = sum.injected;
    let injected = [
        i.gaps,
        i.hidden,
        i.away,
        i.unknown_again,
        i.aborted,
        i.unknown_committed,
        i.unknown_aborted,
        i.zombies,
        i.lost,
        i.revoked,
    ];
    assert!(injected.iter().all(|n| *n > 0), "{i:?}");
}

#[test]
fn what_failed_once_passes() {
    let cases = kept();
    assert!(!cases.is_empty(), "tests/seeds keeps what was found");
    for case in cases {
        if let Err(violation) = run(&case.plan) {
            panic!("{}: {}", case.place, violation.what);
        }
    }
}

/// Without it a seed would say nothing.
#[test]
fn one_seed_gives_one_run() {
    for seed in 1..21 {
        let [first, second] = [(), ()].map(|()| run(&Plan::of(seed)).map_err(|v| v.what));
        assert_eq!(first, second, "seed {seed}");
    }
    for seed in 1..6 {
        let [first, second] = [(), ()].map(|()| run(&Plan::with_stores(seed)).map_err(|v| v.what));
        assert_eq!(first, second, "seed {seed} with stores");
    }
}

/// The part that is left fails as the whole does, and nothing of it can be spared.
#[test]
fn shrinking_leaves_what_a_failure_needs() {
    let plan = Plan::of(1);
    let (first, last) = (plan.actions[7].clone(), plan.actions[plan.actions.len() - 3].clone());
    assert_ne!(
        first, last,
        "seed 1 has another plan by now: take two of its actions that differ"
    );
    let fails = |part: &Plan| {
        let at = |wanted| part.actions.iter().position(|action| action == wanted);
        at(&first).is_some() && at(&last).is_some() && part.faults.gap == plan.faults.gap
    };
    let least = shrink(&plan, PARTS, fails);
    assert!(fails(&least) && least.actions.len() == 2, "{least:?}");
    assert_eq!(least.workers, 1);
    let mut needed = Faults::NONE;
    needed.gap = plan.faults.gap;
    assert_eq!(least.faults, needed);
}
