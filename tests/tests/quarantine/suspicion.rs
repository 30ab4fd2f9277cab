//! A stage that fails on what it passed before is itself at fault: it stops, and its records are spared.

use super::bench::{Bench, QUARANTINE, stage};
use fermata_core::{Shard, partition};
use fermata_runtime::board::WorkerEvent;

fn at_fault(bench: &Bench) -> Vec<(String, u64, String)> {
    let events = bench.board.events().try_iter();
    let told = events.filter_map(|event| match event {
        WorkerEvent::StageAtFault {
            stage,
            deployment,
            because,
            ..
        } => Some((stage.to_string(), deployment, because)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_broken_deployment_stops_after_some_faults() {
    let mut bench = Bench::new("");
    for _ in 0..3 {
        bench.send("a", "ok");
    }
    bench.settle();
    bench.deploy("first", 2);
    bench.settle();
    for _ in 0..20 {
        bench.send("a", "ok");
    }
    bench.settle();
    assert_eq!(bench.read("dlq").len(), 5, "so many faults in a row, and no more");
    let paused = bench.task("first", 0).paused.expect("it stands still");
    assert!(
        paused.contains("5 records in a row") && paused.contains("in/0/2"),
        "{paused}"
    );
    assert_eq!(at_fault(&bench), [("first".to_owned(), 1, paused)]);
    assert_eq!(bench.values("end").len(), 3);
    bench.verify();
    // Going back spares the rest; the dead letters stay what they are.
    bench.deploy("first", 0);
    bench.settle();
    assert_eq!((bench.values("end").len(), bench.read("dlq").len()), (18, 5));
    bench.verify();
}

#[test]
fn bad_records_are_no_broken_stage() {
    let mut bench = Bench::new("");
    bench.send("a", "ok");
    for _ in 0..12 {
        bench.send("a", "first-fault");
    }
    bench.send("a", "ok");
    bench.settle();
    assert_eq!(bench.read("dlq").len(), 12);
    assert_eq!(bench.values("end"), ["a=1:ok", "a=14:ok"]);
    assert!(at_fault(&bench).is_empty() && bench.task("first", 0).paused.is_none());
    // The last good record was tried again and left nothing behind.
    bench.verify();
}

#[test]
fn the_number_is_the_stages_own() {
    let mut bench = Bench::new("limits = { faults-in-a-row = 2 }");
    bench.send("a", "ok");
    bench.settle();
    bench.deploy("first", 2);
    for _ in 0..6 {
        bench.send("a", "ok");
    }
    bench.settle();
    assert_eq!(bench.read("dlq").len(), 2);
}

#[test]
fn where_all_is_parked_nothing_becomes_a_dead_letter() {
    let mut bench = Bench::new(QUARANTINE);
    bench.send("a", "ok");
    bench.settle();
    bench.deploy("first", 2);
    for n in 0..9 {
        bench.send(&format!("k{n}"), "ok");
    }
    bench.settle();
    assert!(bench.read("dlq").is_empty());
    assert_eq!(bench.parked().len(), 5);
    assert!(bench.task("first", 0).paused.is_some());
    bench.deploy("first", 1);
    bench.settle();
    assert_eq!(bench.values("end").len(), 5, "what had not been read goes on by itself");
    bench.release(None, None);
    bench.settle();
    assert_eq!(bench.values("end").len(), 10);
    bench.verify();
}

#[test]
fn a_new_owner_knows_it_still() {
    let mut bench = Bench::new("");
    bench.send("a", "ok");
    bench.settle();
    bench.deploy("first", 2);
    for _ in 0..8 {
        bench.send("a", "ok");
    }
    bench.settle();
    assert_eq!(bench.read("dlq").len(), 5);
    at_fault(&bench);
    // Killed before the control plane had heard: whoever comes next tries the good record before anything else.
    bench.kill(0);
    bench.start(0);
    bench.settle();
    assert_eq!(bench.read("dlq").len(), 5, "not one more");
    assert_eq!(at_fault(&bench).len(), 1);
    bench.order(|orders| {
        orders.at_fault.insert(stage("first"), "known".into());
    });
    bench.kill(0);
    bench.start(0);
    bench.settle();
    assert_eq!(bench.task("first", 0).paused.as_deref(), Some("known"));
    assert_eq!(bench.read("dlq").len(), 5);
    // A resume lets it try again: once more as many, then it stops again.
    bench.order(|orders| {
        orders.at_fault.clear();
        orders.retries += 1;
    });
    bench.settle();
    assert_eq!(
        bench.read("dlq").len(),
        8,
        "only three are left, and nothing is suspected yet"
    );
    bench.verify();
}

#[test]
fn every_shard_of_the_stage_stands_still() {
    let mut bench = Bench::wide(3, 2, 1, "");
    bench.start(0);
    for n in 0..20 {
        bench.send(&format!("k{n}"), "ok");
    }
    bench.settle();
    let before = bench.values("end").len();
    bench.order(|orders| {
        orders.at_fault.insert(stage("first"), "found on another shard".into());
    });
    for n in 0..20 {
        bench.send(&format!("k{n}"), "ok");
    }
    bench.settle();
    assert_eq!(bench.values("end").len(), before);
    for shard in [0, 1] {
        assert!(bench.task("first", shard).paused.is_some());
        assert!(bench.task("second", shard).paused.is_none());
    }
    bench.order(|orders| {
        orders.at_fault.clear();
        orders.retries += 1;
    });
    bench.settle();
    assert_eq!(bench.values("end").len(), 40);
    bench.verify();
}

/// A key of each of two shards.
fn keys() -> [String; 2] {
    [0, 1].map(|shard| {
        let mut keys = (0..).map(|n| format!("k{n}"));
        let of_shard = |key: &String| partition::shard_of(key.as_bytes(), 2) == Shard(shard);
        keys.find(of_shard).expect("there are endless keys")
    })
}

#[test]
fn where_nothing_was_ever_passed_another_shard_tells() {
    let mut bench = Bench::wide(3, 2, 1, "");
    bench.start(0);
    let [here, there] = keys();
    for _ in 0..3 {
        bench.send(&there, "ok");
    }
    bench.settle();
    bench.deploy("first", 2);
    bench.settle();
    for _ in 0..20 {
        bench.send(&here, "ok");
    }
    bench.settle();
    assert_eq!(bench.read("dlq").len(), 5, "so many faults in a row, and no more");
    let told = at_fault(&bench);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].2.contains("in/1/2"),
        "the last good record of the other shard: {told:?}"
    );
    assert!(bench.task("first", 0).paused.is_some());
    bench.verify();
}

#[test]
fn bad_records_where_nothing_was_ever_passed_are_no_broken_stage() {
    let mut bench = Bench::wide(3, 2, 1, "");
    bench.start(0);
    let [here, there] = keys();
    for _ in 0..12 {
        bench.send(&here, "first-fault");
    }
    bench.settle();
    // Nobody has passed anything.
    assert_eq!((bench.read("dlq").len(), at_fault(&bench).len()), (12, 0));
    bench.send(&there, "ok");
    bench.settle();
    for _ in 0..12 {
        bench.send(&here, "first-fault");
    }
    bench.send(&here, "ok");
    bench.settle();
    assert_eq!((bench.read("dlq").len(), at_fault(&bench).len()), (24, 0));
    assert_eq!(
        bench.values("end").len(),
        2,
        "what was tried on the other shard left nothing behind"
    );
    bench.verify();
}
