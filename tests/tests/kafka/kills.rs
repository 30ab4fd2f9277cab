//! SIGKILL in a loop under load, at any moment and at named ones.

use fermata_tests::harness::number;
use fermata_tests::kafka::{Scene, shared};

/// Of one run; `FERMATA_KAFKA_KILLS` asks for another number.
const KILLS: u64 = 6;
/// Where the process stands still until it is killed: anywhere, with records in an open transaction, before a commit.
const MOMENTS: [Option<&str>; 3] = [None, Some("append"), Some("commit")];

#[test]
fn kills_of_the_only_instance_lose_nothing_and_double_nothing() {
    let kills = number("FERMATA_KAFKA_KILLS", KILLS);
    let scene = Scene::new("kills", shared().bootstrap());
    let node = scene.node("a");
    let mut server = node.start();
    let witness = scene.witness();
    let load = scene.load("kills", 300);
    witness.more(100);
    witness.reset_gap();
    for kill in 0..kills {
        server.kill();
        let Some(moment) = MOMENTS[kill as usize % MOMENTS.len()] else {
            server = node.spawn();
            witness.more(50 + 31 * (kill as usize % 10));
            continue;
        };
        // Into a batch under way, another one each time.
        let pass = 10 + 7 * (kill % 10);
        server = node.clone().env("FERMATA_HOLD_AT", &format!("{moment}:{pass}")).spawn();
        server.says(&format!("held at {moment}"));
    }
    server.kill();
    let mut server = node.start();
    witness.more(100);
    let cli = server.cli();
    let figures = scene.settle(load, &witness, &cli);
    assert!(cli.ok(&["verify"]).contains("OK"));
    println!("{} SIGKILLs of the only instance: {figures}", kills + 1);
    server.ready();
    server.stop();
}

#[test]
fn kills_of_one_of_three_instances_lose_nothing_and_double_nothing() {
    let kills = number("FERMATA_KAFKA_KILLS", KILLS);
    let scene = Scene::new("three", shared().bootstrap());
    let nodes = ["a", "b", "c"].map(|name| scene.node(name).workers(1));
    let mut servers = nodes.each_ref().map(|node| Some(node.start()));
    let witness = scene.witness();
    let load = scene.load("three", 300);
    witness.more(100);
    witness.reset_gap();
    for kill in 0..kills as usize {
        let victim = kill % nodes.len();
        servers[victim].take().expect("it was started again").kill();
        // At once, as a supervisor does it, or only when the others have taken over.
        if kill % 2 == 0 {
            witness.more(100 + 31 * (kill % 10));
        }
        servers[victim] = Some(nodes[victim].spawn());
        witness.more(100);
    }
    for server in servers.iter_mut().flatten() {
        server.ready();
    }
    let cli = servers[0].as_ref().expect("all were started again").cli();
    let figures = scene.settle(load, &witness, &cli);
    assert!(cli.ok(&["verify"]).contains("OK"));
    println!("{kills} SIGKILLs of one of three instances: {figures}");
}
