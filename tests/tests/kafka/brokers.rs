//! Brokers that restart or are killed under load.

use fermata_tests::harness::number;
use fermata_tests::kafka::{Cluster, Scene};

/// Of one run; `FERMATA_KAFKA_BROKERS` asks for another number.
const ROUNDS: u64 = 1;

#[test]
fn a_broker_that_restarts_or_is_killed_costs_time_and_nothing_else() {
    let rounds = number("FERMATA_KAFKA_BROKERS", ROUNDS);
    let kafka = Cluster::start(1);
    let scene = Scene::new("restarts", kafka.bootstrap());
    let mut server = scene.node("a").start();
    let witness = scene.witness();
    let load = scene.load("restarts", 200);
    witness.more(100);
    witness.reset_gap();
    for _ in 0..rounds {
        kafka.stop(1);
        kafka.restart(1);
        witness.more(200);
        kafka.kill(1);
        kafka.restart(1);
        witness.more(200);
    }
    server.ready();
    let figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("{rounds} restarts and {rounds} SIGKILLs of the only broker: {figures}");
}
