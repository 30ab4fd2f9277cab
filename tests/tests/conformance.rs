//! Every log does what the suite says.

use fermata_store::Options;
use fermata_tests::{
    conformance::{CASES, EmbeddedFixture, Fixture, KafkaFixture, LocalFixture, SimulatedFixture, compare},
    kafka,
    simulated::{Faults, Mode},
};

/// What a log may do without anybody having failed.
const HABITS: Faults = Faults {
    gap: 0.5,
    hidden: 0.1,
    short_poll: 0.5,
    ..Faults::NONE
};

/// As little memory as possible: everything is read from the disk.
fn small() -> Options {
    Options {
        tail_bytes: 0,
        ..Options::default()
    }
}

#[test]
fn every_case_on_every_log() {
    let embedded = || Box::new(EmbeddedFixture::new(Options::default())) as Box<dyn Fixture>;
    let on_disk = || Box::new(EmbeddedFixture::new(small())) as Box<dyn Fixture>;
    let simulated = |mode, faults| move || Box::new(SimulatedFixture::new(1, mode, faults)) as Box<dyn Fixture>;
    let local = |faults| move || Box::new(LocalFixture::new(1, faults)) as Box<dyn Fixture>;
    let late = Faults {
        late_marker: 0.3,
        ..HABITS
    };
    let kafka = || {
        Box::new(KafkaFixture::new(
            kafka::shared().bootstrap(),
            &kafka::unique("conform"),
        )) as Box<dyn Fixture>
    };
    compare(&[
        ("Kafka", &kafka),
        ("embedded", &embedded),
        ("embedded, no tail", &on_disk),
        ("simulated", &simulated(Mode::Embedded, Faults::NONE)),
        ("simulated Kafka", &simulated(Mode::Kafka, Faults::NONE)),
        ("with gaps and hidden", &simulated(Mode::Kafka, HABITS)),
        ("local state", &local(Faults::NONE)),
        ("and late markers", &local(late)),
    ]);
}

/// Cases that must hold whatever goes wrong.
#[test]
fn copies_are_exact_under_every_fault() {
    let hardy = [
        "two_members_copy_exactly_once",
        "many_sessions_at_once_lose_and_double_nothing",
    ];
    for case in CASES.iter().filter(|c| hardy.contains(&c.name)) {
        for seed in 0..20 {
            let mode = [Mode::Kafka, Mode::Embedded][seed as usize % 2];
            println!("{} with seed {seed}", case.name);
            (case.run)(&SimulatedFixture::new(seed, mode, Faults::HARSH));
            if seed % 4 == 0 {
                let faults = Faults {
                    late_marker: 0.3,
                    ..Faults::HARSH
                };
                (case.run)(&LocalFixture::new(seed, faults));
            }
        }
    }
}
