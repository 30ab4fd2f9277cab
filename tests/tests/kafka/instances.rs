//! Two instances of the payment pipeline on one broker: either answers for both, and either goes on without the other.

use fermata_tests::harness::{PATIENCE, Server, until};
use fermata_tests::kafka::{self, Scene};
use serde_json::Value;

/// Payments a second.
const RATE: u32 = 100;
/// Enough that every shard has some.
const SOME: usize = 200;

/// Names of the instances that are alive, with the number of shards of each.
pub(super) fn nodes(server: &Server) -> Vec<(String, usize)> {
    let found = server.cli().json(&["nodes", "list"]);
    let alive = found["nodes"].as_array().expect("a list").iter();
    let alive = alive.filter(|node| node["state"] != "Gone" && node["state"] != "Silent");
    alive
        .map(|node| {
            let name = node["node"].as_str().expect("a name").to_owned();
            (name, node["shards"].as_array().map_or(0, Vec::len))
        })
        .collect()
}

/// Waits until each of these answers that these instances hold so many shards.
pub(super) fn held(servers: &[&Server], wanted: &[(&str, usize)]) {
    let wanted: Vec<(String, usize)> = wanted.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    for server in servers {
        until("the instances hold what they should", 2 * PATIENCE, || {
            let found = nodes(server);
            if found == wanted {
                Ok(())
            } else {
                Err(format!("{found:?}, {}", server.stderr()))
            }
        });
    }
}

/// Every shard has a part in the answer.
pub(super) fn whole(server: &Server, view: &[&str]) -> Value {
    until("a whole answer", PATIENCE, || {
        let answer = server.cli().json(&[&["view", "get"], view].concat());
        if answer["partial"] == false {
            Ok(answer)
        } else {
            Err(answer.to_string())
        }
    })
}

#[test]
fn two_share_the_work_answer_alike_and_take_over() {
    let scene = Scene::new("two", kafka::shared().bootstrap());
    let (a, b) = (scene.node("a"), scene.node("b"));
    let first = a.start();
    let witness = scene.witness();
    let second = b.start();
    held(&[&first, &second], &[("a", 2), ("b", 2)]);
    let load = scene.load("p", RATE);
    witness.more(SOME);

    for server in [&first, &second] {
        let answer = whole(server, &["inflight"]);
        assert_eq!(answer["positions"].as_object().expect("positions").len(), 4);
        let status = server.cli().json(&["status"]);
        assert_eq!(
            (&status["shards"]["held"], &status["nodes"]),
            (&4.into(), &2.into()),
            "{status}"
        );
    }
    // Whatever instance is asked, and whichever leads: a deployment reaches the tasks of both.
    second.cli().ok(&[
        "deploy",
        "account",
        "builtin:account@1.1.0",
        "--probation",
        "1s",
        "--wait",
    ]);
    let receipts = first.cli().json(&["receipts", "1"]);
    assert_eq!(
        receipts["receipts"].as_array().expect("receipts").len(),
        4,
        "{receipts}"
    );

    first.kill();
    held(&[&second], &[("b", 4)]);
    witness.more(SOME);
    let first = a.start();
    held(&[&first, &second], &[("a", 2), ("b", 2)]);
    first
        .cli()
        .ok(&["nodes", "evacuate", "b", "--timeout", "20s", "--wait"]);
    held(&[&first, &second], &[("a", 4), ("b", 0)]);
    witness.more(SOME);
    whole(&second, &["inflight"]);
    let refused = first.cli().fails(&["nodes", "evacuate", "a"], 4);
    assert!(refused.contains("no other instance"), "{refused}");

    let figures = scene.settle(load, &witness, &second.cli());
    eprintln!("{figures}");
    let report = second.cli().ok(&["verify"]);
    assert!(!report.is_empty());
    first.stop();
    second.stop();
}
