//! A rebalance storm: instances join and leave again and again.

use fermata_tests::harness::number;
use fermata_tests::kafka::{Scene, shared};

/// Instances that join; `FERMATA_KAFKA_STORM` asks for another number.
const JOINS: u64 = 6;

#[test]
fn instances_that_come_and_go_lose_nothing_and_double_nothing() {
    let joins = number("FERMATA_KAFKA_STORM", JOINS);
    let scene = Scene::new("storm", shared().bootstrap());
    let mut stays = scene.node("stays").start();
    let witness = scene.witness();
    let load = scene.load("storm", 200);
    witness.more(100);
    witness.reset_gap();
    let names = ["x", "y", "z"];
    for join in 0..joins as usize {
        let guest = scene.node(names[join % names.len()]).workers(1).spawn();
        witness.more(60 + 20 * (join % 4));
        // Cleanly, or not.
        if join % 2 == 0 { guest.stop() } else { guest.kill() }
    }
    witness.more(100);
    stays.ready();
    let figures = scene.settle(load, &witness, &stays.cli());
    assert!(stays.cli().ok(&["verify"]).contains("OK"));
    println!("{joins} instances that came and went: {figures}");
}
