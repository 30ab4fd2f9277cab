//! A live swap on three instances under load, one of them killed in the middle of it.

use super::instances::nodes;
use fermata_tests::harness::{Cli, PATIENCE, Server, number, until};
use fermata_tests::kafka::{Node, Scene, Witness, shared};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::time::Duration;

/// Of one run; `FERMATA_KAFKA_SWAPS` asks for another number.
const SWAPS: u64 = 3;
/// Payments a second; `FERMATA_KAFKA_RATE` asks for another number.
const RATE: u64 = 300;
/// Where the victim stands still until it is killed; `None`: wherever it is at a random moment.
const MOMENTS: [Option<&str>; 5] = [
    Some("switch"),
    None,
    Some("first-commit"),
    Some("prepare"),
    Some("commit"),
];
const SHARDS: usize = 4;

/// The last deployment, once it has ended.
fn ended(cli: &Cli, number: u64) -> Value {
    until("the deployment has ended", 2 * PATIENCE, || {
        let all = cli.json(&["deployments"]);
        let found = all["deployments"].as_array().into_iter().flatten();
        let found = found.max_by_key(|d| d["number"].as_u64()).cloned().unwrap_or_default();
        if found["number"] == number && found["ended"] == true {
            Ok(found)
        } else {
            Err(all)
        }
    })
}

/// Waits until it has a shard of its own again.
fn holds(server: &Server, name: &str) {
    until("the instance has a shard", 2 * PATIENCE, || {
        let found = nodes(server);
        if found.iter().any(|(node, shards)| node == name && *shards > 0) {
            Ok(())
        } else {
            Err(format!("{found:?}, {}", server.stderr()))
        }
    });
}

/// Kills the victim in the middle of deployment `swap`, and starts it again.
fn killed_in_the_middle(swap: u64, name: &str, node: &Node, victim: Server, other: &Cli, witness: &Witness) -> Server {
    let component = format!("builtin:account@1.{}.0", swap % 2);
    let deploy = ["deploy", "account", &component, "--probation", "1s"];
    match MOMENTS[(swap as usize - 1) % MOMENTS.len()] {
        Some(moment) => {
            victim.kill();
            let pass = if moment == "commit" { 40 + 10 * (swap % 7) } else { 1 };
            let held = node.clone().env("FERMATA_HOLD_AT", &format!("{moment}:{pass}")).start();
            holds(&held, name);
            other.ok(&deploy);
            held.says(&format!("held at {moment}"));
            held.kill();
        }
        None => {
            other.ok(&deploy);
            let millis = ChaCha8Rng::seed_from_u64(swap).random_range(0..1_500);
            // A moment, and not a wait for anything.
            std::thread::park_timeout(Duration::from_millis(millis));
            victim.kill();
        }
    }
    witness.more(100);
    node.spawn()
}

#[test]
fn a_kill_in_the_middle_of_a_swap_leaves_one_digest_on_each_position() {
    let swaps = number("FERMATA_KAFKA_SWAPS", SWAPS);
    let rate = u32::try_from(number("FERMATA_KAFKA_RATE", RATE)).expect("a rate");
    let scene = Scene::new("swaps", shared().bootstrap());
    let names = ["a", "b", "c"];
    let nodes = names.map(|name| scene.node(name).workers(1));
    let mut servers: Vec<Server> = nodes.iter().map(Node::start).collect();
    let witness = scene.witness();
    let load = scene.load("swaps", rate);
    witness.more(200);
    witness.reset_gap();
    let (mut promoted, mut rolled_back) = (0, 0);
    for swap in 1..=swaps {
        // Any of them, so the one that leads as well.
        let index = swap as usize % nodes.len();
        let other = servers[(index + 1) % nodes.len()].cli();
        let victim = servers.remove(index);
        let back = killed_in_the_middle(swap, names[index], &nodes[index], victim, &other, &witness);
        servers.insert(index, back);
        let found = ended(&other, swap);
        match found["state"].as_str() {
            Some("Promoted") => promoted += 1,
            Some("RolledBack") => rolled_back += 1,
            other => panic!("deployment {swap} ended as {other:?}: {found}"),
        }
        holds(&servers[index], names[index]);
        if found["state"] == "Promoted" {
            for server in &servers {
                let receipts = server.cli().json(&["receipts", &swap.to_string()]);
                let receipts = receipts["receipts"].as_array().expect("receipts").len();
                assert_eq!(receipts, SHARDS, "one of each shard, whichever instance is asked");
            }
        }
        witness.more(200);
    }
    assert!(promoted > 0, "no swap came through");
    let figures = scene.settle(load, &witness, &servers[0].cli());
    assert!(servers[1].cli().ok(&["verify"]).contains("OK"));
    println!(
        "{swaps} swaps at {rate}/s on three instances, one killed in the middle of each ({promoted} promoted, \
         {rolled_back} rolled back): {figures}"
    );
}
