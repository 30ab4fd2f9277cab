//! Three instances: shards move when one leaves, dies or joins; each answers for all, and nothing is lost or doubled.

use super::instances::{nodes, whole};
use fermata_tests::harness::{PATIENCE, Server, until};
use fermata_tests::kafka::{Scene, Tool, Witness, shared};
use std::time::Duration;

const RATE: u32 = 200;
const SHARDS: usize = 4;
/// Enough that every shard has some.
const SOME: usize = 200;

/// Waits until each of these knows of all of them, none of them is without a shard, and no shard without one of them.
fn shared_out(servers: &[&Server], names: &[&str]) {
    for server in servers {
        until("the instances share all shards", 2 * PATIENCE, || {
            let found = nodes(server);
            let all: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            let held: usize = found.iter().map(|(_, shards)| shards).sum();
            let idle = found.iter().any(|(_, shards)| *shards == 0);
            if all == names && held == SHARDS && !idle {
                Ok(())
            } else {
                Err(format!("{found:?}, {}", server.stderr()))
            }
        });
    }
}

/// Whichever is asked, the answer is that of all shards.
fn answer_alike(servers: &[&Server]) {
    for server in servers {
        let answer = whole(server, &["inflight"]);
        let positions = answer["positions"].as_object().expect("positions");
        assert_eq!(positions.len(), SHARDS, "{answer}");
    }
}

/// The longest time in which a shard took nothing in, from `begun` until all flows again.
fn pause(witness: &Witness, what: impl FnOnce()) -> Duration {
    witness.reset_gap();
    what();
    witness.more(SOME);
    witness.longest_pause()
}

#[test]
fn three_go_on_when_one_leaves_one_dies_and_one_joins() {
    let scene = Scene::new("three", shared().bootstrap());
    let [a, b, c] = ["a", "b", "c"].map(|name| scene.node(name).workers(1));
    let (first, second, third) = (a.start(), b.start(), c.start());
    shared_out(&[&first, &second, &third], &["a", "b", "c"]);
    let witness = scene.witness();
    let load = scene.load("three", RATE);
    witness.more(SOME);
    answer_alike(&[&first, &second, &third]);

    let planned = pause(&witness, || {
        let evacuate = ["nodes", "evacuate", "c", "--timeout", "30s", "--wait"];
        first.cli().ok(&evacuate);
    });
    third.stop();
    shared_out(&[&first, &second], &["a", "b"]);
    answer_alike(&[&first, &second]);
    let third = c.start();
    shared_out(&[&first, &second, &third], &["a", "b", "c"]);

    // Until its shards have another owner, an answer without them says so.
    let held = |server: &Server| nodes(server).iter().map(|(_, shards)| shards).sum::<usize>();
    let mut asked = Vec::new();
    let unplanned = pause(&witness, || {
        second.kill();
        until("the shards of the one that died are others'", 2 * PATIENCE, || {
            let answer = first.cli().json(&["view", "get", "inflight"]);
            let parts = answer["positions"].as_object().map_or(0, |p| p.len());
            asked.push((parts, answer["partial"] == true));
            let now = nodes(&first);
            if held(&first) == SHARDS && now.len() == 2 {
                Ok(())
            } else {
                Err(now)
            }
        });
    });
    assert!(
        asked.iter().all(|(parts, partial)| *partial == (*parts < SHARDS)),
        "a part is missing exactly where the answer says so: {asked:?}"
    );
    answer_alike(&[&first, &third]);
    let joining = pause(&witness, || {
        let fourth = scene.node("d").workers(1).start();
        shared_out(&[&first, &third, &fourth], &["a", "c", "d"]);
        answer_alike(&[&first, &third, &fourth]);
        fourth.stop();
    });

    let figures = scene.settle(load, &witness, &third.cli());
    assert!(first.cli().ok(&["verify"]).contains("OK"));
    let seconds = |pause: Duration| pause.as_secs_f64();
    println!(
        "three instances: longest pause of a shard {:.1} s in a planned move, {:.1} s after SIGKILL, {:.1} s when one \
         joined and left; {figures}",
        seconds(planned),
        seconds(unplanned),
        seconds(joining)
    );
}

/// Its transaction hides the journal of its shards; nobody waits until the brokers time it out.
#[test]
fn what_a_vanished_instance_left_open_is_ended_by_its_successor() {
    let kafka = shared();
    let scene = Scene::new("left", kafka.bootstrap());
    let [a, b] = ["a", "b"].map(|name| scene.node(name).workers(1));
    let mut stays = a.start();
    let witness = scene.witness();
    let held = b.env("FERMATA_HOLD_AT", "commit:40").start();
    let load = scene.load("left", RATE);
    held.says("held at commit");
    let unplanned = pause(&witness, || {
        held.kill();
        shared_out(&[&stays], &["a"]);
    });
    let ids = (0..3).map(|lane| format!("{}.b.0.{lane}", scene.group()));
    for id in ids {
        until("the transactional id was initialised again", PATIENCE, || {
            let told = kafka.console(Tool::Transactions, &["describe", "--transactional-id", &id]);
            // After a time-out it would be CompleteAbort.
            if told.contains("Empty") { Ok(()) } else { Err(told) }
        });
    }
    stays.ready();
    let figures = scene.settle(load, &witness, &stays.cli());
    assert!(stays.cli().ok(&["verify"]).contains("OK"));
    println!(
        "1 instance vanished in the middle of a transaction: longest pause of a shard {:.1} s; {figures}",
        unplanned.as_secs_f64()
    );
}
