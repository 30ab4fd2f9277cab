//! Workers pass many seeds on the simulated log, the payments' invariants checked at every step.

use fermata_tests::simulation::{Plan, Ran, Simulation};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Seeds of one run; `FERMATA_SEEDS` asks for another number, `FERMATA_SEED` for a single one.
const SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|v| v.parse().unwrap_or_else(|_| panic!("{name}={v} is not a number")))
}

fn one(seed: u64) -> Result<Ran, String> {
    let run = catch_unwind(AssertUnwindSafe(|| Simulation::new(Plan::of(seed)).run()));
    match run {
        Ok(ran) => ran.map_err(|v| v.what),
        Err(_) => Err(format!("seed {seed}: panicked (reproduce: FERMATA_SEED={seed})")),
    }
}

#[test]
fn workers_pass_every_seed() {
    let seeds = match number("FERMATA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("FERMATA_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let mut sum = Ran::default();
    let mut failed = Vec::new();
    for seed in seeds {
        match one(seed) {
            Ok(ran) => {
                sum.commits += ran.commits;
                sum.kills += ran.kills;
                sum.swaps += ran.swaps;
                sum.accepted += ran.accepted;
                sum.confirmed += ran.confirmed;
                sum.failed += ran.failed;
                sum.rejected += ran.rejected;
                sum.dead += ran.dead;
                sum.skipped += ran.skipped;
                sum.timers += ran.timers;
                sum.injected.gaps += ran.injected.gaps;
                sum.injected.hidden += ran.injected.hidden;
                sum.injected.away += ran.injected.away;
                sum.injected.refused += ran.injected.refused;
                sum.injected.unknown_again += ran.injected.unknown_again;
                sum.injected.aborted += ran.injected.aborted;
                sum.injected.unknown_committed += ran.injected.unknown_committed;
                sum.injected.unknown_aborted += ran.injected.unknown_aborted;
                sum.injected.zombies += ran.injected.zombies;
                sum.injected.lost += ran.injected.lost;
                sum.injected.revoked += ran.injected.revoked;
            }
            Err(what) => failed.push(what),
        }
    }
    println!("{count} seeds: {sum:?}");
    assert!(
        failed.is_empty(),
        "{} of {count} seeds failed:\n{}",
        failed.len(),
        failed[..failed.len().min(5)].join("\n")
    );
    if count >= 100 {
        // A run in which nothing went wrong proves nothing.
        assert!(
            sum.kills > 0 && sum.swaps > 0 && sum.skipped > 0 && sum.timers > 0,
            "{sum:?}"
        );
        assert!(
            sum.confirmed > 0 && sum.failed > 0 && sum.rejected > 0 && sum.dead > 0,
            "{sum:?}"
        );
        let i = sum.injected;
        let each = [
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
        assert!(each.iter().all(|n| *n > 0), "{i:?}");
    }
}
