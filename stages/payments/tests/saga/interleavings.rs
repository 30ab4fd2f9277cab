//! A million messages in random order, by random scenarios from consecutive seeds.
//!
//! `FERMATA_MESSAGES` says how many, `FERMATA_SEED` where to begin: a failure names its seed, and with that seed alone
//! it comes again and is made small again.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::play::play;
use crate::scenario::{Mishaps, Scenario, scenario};

/// Messages when nothing else is asked for.
const MESSAGES: u64 = 1_000_000;
/// Of one scenario: enough to get into every state, and few enough that a failure can be made small.
const STEPS: usize = 400;

const KINDS: [Mishaps; 4] = [
    Mishaps {
        faults: false,
        leaps: false,
    },
    Mishaps {
        faults: true,
        leaps: false,
    },
    Mishaps {
        faults: true,
        leaps: false,
    },
    Mishaps {
        faults: true,
        leaps: true,
    },
];

fn from_environment(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

/// While a failure is made small, the same thing fails a thousand times: once is enough to read.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    thread_local! { static QUIET: Cell<bool> = const { Cell::new(false) }; }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = run();
    QUIET.set(false);
    result
}

/// One scenario. The messages that it took.
fn run(seed: u64) -> u64 {
    let mishaps = KINDS[usize::try_from(seed).expect("64 bits") % KINDS.len()];
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let messages = RefCell::new(0);
    let result = quietly(|| {
        runner.run(&scenario(mishaps, STEPS), |scenario| {
            *messages.borrow_mut() = play(&scenario, mishaps);
            Ok(())
        })
    });
    match result {
        Ok(()) => messages.into_inner(),
        Err(TestError::Fail(why, least)) => {
            let Scenario { steps, .. } = &least;
            let steps: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
            let Scenario {
                shards,
                options,
                huge,
                order,
                ..
            } = least;
            panic!(
                "seed {seed}: {why}\n{mishaps:?}\nthe least that fails like this: {shards} shards, {options:?}, \
                 huge amounts: {huge}, order {order}\n{}",
                steps.join("\n")
            )
        }
        Err(TestError::Abort(why)) => panic!("seed {seed}: {why}"),
    }
}

#[test]
fn in_a_million_messages_money_is_conserved_and_each_id_ends_once() {
    let (wanted, first) = (
        from_environment("FERMATA_MESSAGES", MESSAGES),
        from_environment("FERMATA_SEED", 1),
    );
    let (mut messages, mut seed) = (0, first);
    while messages < wanted {
        messages += run(seed);
        seed += 1;
    }
    println!("{messages} messages, seeds {first} to {}", seed - 1);
}
