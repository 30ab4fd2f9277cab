//! Views over the fakes of the control plane's tests.

use super::ViewFailure;
use crate::control::tests::world::{World, name};
use crate::worker::{SEQUENCE_KEY, shard_namespace};
use fermata_core::ports::Namespace;
use fermata_core::{Sequence, Shard, partition};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

#[test]
fn parts_of_all_shards_are_merged_with_their_positions() {
    let world = World::new();
    world.open_payment(Shard(0), "p-1");
    world.open_payment(Shard(1), "p-2");
    world.store.put(
        (*shard_namespace()).clone(),
        Shard(1),
        SEQUENCE_KEY,
        &41u64.to_be_bytes(),
    );
    let views = world.controller.views();
    let answer = views.query("inflight", None, Value::Null).unwrap();
    assert_eq!(
        (&answer.data["count"], &answer.data["open"]),
        (&json!(2), &json!(["p-1", "p-2"]))
    );
    assert_eq!(answer.positions[&Shard(1)], Sequence(41));
    assert_eq!(answer.positions[&Shard(0)], Sequence(0));
    assert!(!answer.partial);
    let parts = views.shard_answers("inflight", Value::Null).unwrap();
    assert_eq!((&parts[0].2["count"], &parts[1].2["count"]), (&json!(1), &json!(1)));
    world.board.forget(0, Shard(1));
    assert!(
        views.query("inflight", None, Value::Null).unwrap().partial,
        "a shard without an owner may be behind"
    );
}

#[test]
fn a_view_of_one_shard_asks_the_shard_of_its_key() {
    let world = World::new();
    let namespace = Namespace {
        stage: name("account"),
        store: "balances".into(),
        schema: 3,
    };
    let home = partition::shard_of(b"acct-7", 2);
    world.store.put(namespace.clone(), home, b"acct-7", b"100");
    let views = world.controller.views();
    let answer = views.query("entry", Some("acct-7"), json!({})).unwrap();
    assert_eq!(
        (&answer.data["key"], &answer.data["found"]),
        (&json!("acct-7"), &json!(true))
    );
    assert_eq!(answer.positions.keys().collect::<Vec<_>>(), [&home]);
}

#[test]
fn misuse_is_told_apart() {
    let world = World::new();
    let views = world.controller.views();
    let ask = |view, key, params| views.query(view, key, params).unwrap_err();
    let error = ask("inflght", None, Value::Null);
    assert!(error.to_string().contains("did you mean \"inflight\"?"), "{error}");
    assert!(matches!(ask("entry", None, Value::Null), ViewFailure::BadParams { .. }));
    assert!(matches!(
        ask("inflight", Some("k"), Value::Null),
        ViewFailure::BadParams { .. }
    ));
    assert!(matches!(
        ask("inflight", None, json!([1])),
        ViewFailure::BadParams { .. }
    ));
    let error = ask("writes", None, Value::Null);
    assert!(
        error.to_string().contains("fault-contract") && error.to_string().contains("views only read"),
        "{error}"
    );
    assert!(ask("loops", None, Value::Null).to_string().contains("fault-fuel"));
}

#[test]
fn a_worn_instance_is_only_suspected() {
    let world = World::new();
    for _ in 0..5 {
        world.controller.views().query("tired", None, Value::Null).unwrap();
    }
}

#[test]
fn the_live_version_answers() {
    let mut world = World::new();
    let by = |world: &World| {
        world
            .controller
            .views()
            .query("inflight", None, Value::Null)
            .unwrap()
            .data["by"]
            .clone()
    };
    assert_eq!(by(&world), "1.0.0");
    world.deploy("account@1.1.0");
    world.settle();
    assert_eq!(by(&world), "1.1.0");
    world.rollback();
    world.settle();
    assert_eq!(by(&world), "1.0.0");
}

#[test]
fn no_answer_leaves_before_its_snapshot_is_durable() {
    let world = World::new();
    world.store.commit.store(1_000, Ordering::SeqCst);
    let error = world
        .controller
        .views()
        .query("inflight", None, Value::Null)
        .unwrap_err();
    assert!(matches!(error, ViewFailure::NotDurable { .. }), "{error}");
}
