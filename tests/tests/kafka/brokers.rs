//! Brokers that restart or are killed under load.

use fermata_tests::harness::number;
use fermata_tests::kafka::{Client, Cluster, Scene};

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

#[test]
fn a_leader_that_is_killed_hands_over_to_another() {
    let rounds = number("FERMATA_KAFKA_BROKERS", ROUNDS);
    let kafka = Cluster::start(3);
    let scene = Scene::new("leaders", kafka.bootstrap());
    let client = Client::new(kafka.bootstrap());
    let mut server = scene.node("a").start();
    let witness = scene.witness();
    let load = scene.load("leaders", 100);
    witness.more(100);
    witness.reset_gap();
    for round in 0..rounds {
        let partition = round as i32 % 4;
        let leader = client.leader(&scene.topic("payment.incoming"), partition);
        kafka.kill(leader);
        witness.more(200);
        kafka.restart(leader);
        client.in_sync(&scene.topic("payment.incoming"), 3);
        witness.more(100);
    }
    server.ready();
    let figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("{rounds} leaders of three brokers killed: {figures}");
}
