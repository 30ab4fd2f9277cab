//! SIGSTOP past the session timeout, then SIGCONT: whoever comes back must not commit what somebody else has done.

use fermata_tests::harness::{PATIENCE, number, until};
use fermata_tests::kafka::{Client, Scene, shared};

/// Of one run; `FERMATA_KAFKA_ZOMBIES` asks for another number.
const ROUNDS: u64 = 1;

#[test]
fn a_zombie_commits_nothing_that_its_successor_has_done() {
    let rounds = number("FERMATA_KAFKA_ZOMBIES", ROUNDS);
    let scene = Scene::new("zombie", shared().bootstrap());
    let nodes = ["a", "b"].map(|name| scene.node(name));
    let mut servers = nodes.each_ref().map(|node| node.start());
    let witness = scene.witness();
    let load = scene.load("zombie", 300);
    witness.more(200);
    witness.reset_gap();
    for round in 0..rounds as usize {
        let sleeper = round % 2;
        servers[sleeper].pause();
        // All ids of the sleeper's shards can only end once its shards are somebody else's.
        let acknowledged = load.acknowledged();
        until("the other instance has taken over every shard", PATIENCE, || {
            let ended = witness.ended();
            if ended > acknowledged {
                Ok(())
            } else {
                Err((ended, acknowledged))
            }
        });
        servers[sleeper].resume();
        witness.more(300);
        servers[sleeper].ready();
    }
    let figures = scene.settle(load, &witness, &servers[1].cli());
    assert!(servers[1].cli().ok(&["verify"]).contains("OK"));
    println!("{rounds} zombies with a successor: {figures}");
}

#[test]
fn an_instance_that_slept_past_its_session_goes_on_where_it_was() {
    let rounds = number("FERMATA_KAFKA_ZOMBIES", ROUNDS);
    let scene = Scene::new("sleeper", shared().bootstrap());
    let client = Client::new(scene.bootstrap());
    let mut server = scene.node("a").start();
    let witness = scene.witness();
    let load = scene.load("sleeper", 300);
    witness.more(200);
    witness.reset_gap();
    for _ in 0..rounds {
        server.pause();
        until("the group has lost its only member", PATIENCE, || {
            match client.group(&scene.group()) {
                Some((state, 0)) if state == "Empty" => Ok(()),
                seen => Err(seen),
            }
        });
        server.resume();
        witness.more(300);
        server.ready();
    }
    let figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("{rounds} sleeps past the session of the only instance: {figures}");
}
