//! What a record that loops without end costs the others of its worker: at most twice its fuel in time, and one
//! instantiation. Measured in real time, and printed; the machine's own noise is in it.

use super::fixture::Fixture;
use super::pipeline::{BAD, Bench, manifest, prepare};
use fermata_core::Offset;
use fermata_tests::harness::quantiles;
use std::time::{Duration, Instant};

const ROUNDS: usize = 400;
/// One round in so many has a record that loops.
const LOOPS: usize = 20;
/// After this a call is interrupted whatever fuel it has: a looping record must never come so far.
const WALL: Duration = Duration::from_secs(1);

#[test]
fn a_record_that_loops_costs_its_neighbours_twice_its_fuel_and_an_instance() {
    let fixtures = Fixture::all();
    let fixture = fixtures.iter().find(|f| f.name == "endless-loop").expect("it is there");
    let instance = instance(fixture);
    let fuel = fuel(fixture, instance);
    let without = rounds(fixture, false);
    let with = rounds(fixture, true);
    let looping: Vec<u64> = with.iter().copied().step_by(LOOPS).collect();
    println!("neighbours without a looping record: {}", quantiles(&without));
    println!("neighbours with one in {LOOPS} rounds:     {}", quantiles(&with));
    println!("those rounds alone:                  {}", quantiles(&looping));
    let apart = p99(&with).saturating_sub(p99(&without));
    let bound = 2 * fuel + instance;
    println!("p99 apart {apart:?}; the record's fuel lasts {fuel:?}, an instance takes {instance:?}: bound {bound:?}");
    // The bound itself is for a quiet machine: what a busy one adds is not the record's doing.
    assert!(
        apart < WALL,
        "{apart:?} apart: the loop was not ended by its fuel, which lasts {fuel:?}"
    );
}

fn p99(micros: &[u64]) -> Duration {
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() - 1) as f64 * 0.99;
    Duration::from_micros(sorted[at.round() as usize])
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// How long an instance takes to be made.
fn instance(fixture: &Fixture) -> Duration {
    let version = prepare(fixture).unwrap_or_else(|e| panic!("{}", e.because));
    let timed = || {
        let begun = Instant::now();
        drop(version.instantiate().expect("an instance"));
        begun.elapsed()
    };
    median((0..21).map(|_| timed()).collect())
}

/// How long the fuel of one record lasts. After a fault there is no used instance: one verdict, on a fresh one.
fn fuel(fixture: &Fixture, instance: Duration) -> Duration {
    let mut bench = Bench::new(manifest(fixture), fixture);
    let mut timed = || {
        let begun = Instant::now();
        bench.put("work", BAD, BAD);
        bench.rest();
        begun.elapsed()
    };
    timed();
    median((0..11).map(|_| timed()).collect()).saturating_sub(instance)
}

/// Microseconds from a neighbour's arrival to its end, on the same shard.
fn rounds(fixture: &Fixture, looping: bool) -> Vec<u64> {
    let mut bench = Bench::new(manifest(fixture), fixture);
    let neighbour = bench.key_beside(BAD);
    let mut seen = 0;
    let mut round = |n: usize| {
        let begun = Instant::now();
        if looping && n.is_multiple_of(LOOPS) {
            bench.put("work", BAD, BAD);
        }
        bench.put("work", &neighbour, "value");
        loop {
            bench.step();
            let found = bench.ended(&neighbour, Offset(seen));
            if found > 0 {
                seen += found as u64;
                return u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            }
        }
    };
    round(1);
    (0..ROUNDS).map(round).collect()
}
