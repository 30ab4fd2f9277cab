//! A rebalance storm: instances join and leave again and again.

use fermata_tests::harness::{PATIENCE, number, until};
use fermata_tests::kafka::{Client, Scene, shared};

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

/// A static member that only closed would stay in the group until its session is over, and keep its shards.
#[test]
fn an_instance_that_stops_leaves_the_group_at_once() {
    let scene = Scene::new("leaves", shared().bootstrap());
    let client = Client::new(scene.bootstrap());
    // Longer than this test waits.
    let server = scene.node("a").set("session.timeout.ms", "600000").start();
    server.stop();
    until("the group is empty", PATIENCE, || match client.group(&scene.group()) {
        Some((state, 0)) if state == "Empty" => Ok(()),
        seen => Err(seen),
    });
}
