//! Tombstones leave the compacted changelog in the end: state that may have missed them is made anew.

use super::ground::{Ground, KEEP, SHARD};
use fermata_core::Timestamp;
use fermata_core::ports::{StateRead, StateStore};
use fermata_store::Local;
use std::sync::Arc;
use std::time::Duration;

/// A store with `k`, which is deleted elsewhere; the tombstone is gone after `away`.
fn forgotten(ground: &mut Ground, away: Duration) -> Arc<Local> {
    let local = ground.open("a");
    ground.restore(&*local);
    ground.write(&local, "k", Some("v"));
    ground.write(&local, "kept", Some("v"));
    for _ in 0..3 {
        local.tend().expect("the log answers");
    }
    local.release(SHARD);
    ground.commit("k", None);
    ground.commit("other", Some("v"));
    ground.log.log.clock().advance(away);
    let all = Timestamp(i64::MAX);
    ground.log.log.compact(&ground.changelog(), SHARD, all);
    local
}

fn has_k(ground: &Ground, local: &Local) -> bool {
    local.get(&ground.account, SHARD, b"k").expect("readable").is_some()
}

#[test]
fn a_shard_that_was_not_followed_for_too_long_is_made_anew() {
    let mut ground = Ground::new(1);
    let local = forgotten(&mut ground, KEEP + Duration::from_secs(1));
    ground.restore(&*local);
    assert!(!has_k(&ground, &local), "a deleted entry came back");
    ground.assert_same(&local);
}

#[test]
fn a_folder_that_is_too_old_is_made_anew() {
    let mut ground = Ground::new(1);
    drop(forgotten(&mut ground, KEEP + Duration::from_secs(1)));
    let local = ground.open("a");
    assert!(!has_k(&ground, &local), "at once");
    ground.restore(&*local);
    ground.assert_same(&local);
}

/// Its tombstones are still there: nothing need be made anew.
#[test]
fn younger_state_is_caught_up() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..100 {
        ground.write(&local, &format!("{n}"), Some("v"));
    }
    for _ in 0..3 {
        local.tend().expect("the log answers");
    }
    drop(local);
    ground.commit("7", None);
    ground.log.log.clock().advance(KEEP - Duration::from_secs(1));
    let local = ground.open("a");
    let read = ground.restore(&*local);
    assert!(read < 10, "{read} records were read");
    ground.assert_same(&local);
}

/// A standby that reads on meets every tombstone.
#[test]
fn a_followed_shard_does_not_grow_old() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..100 {
        ground.write(&local, &format!("{n}"), Some("v"));
    }
    local.release(SHARD);
    for n in 0..5 {
        ground.commit(&format!("{n}"), None);
        local.standby(Duration::from_secs(1)).expect("the log answers");
        ground.log.log.clock().advance(KEEP / 2);
        ground.log.log.compact(&ground.changelog(), SHARD, ground_age(&ground));
    }
    let read = ground.restore(&*local);
    assert!(read < 10, "{read} records were read");
    ground.assert_same(&local);
}

fn ground_age(ground: &Ground) -> Timestamp {
    use fermata_core::ports::Clock;
    let kept = i64::try_from(2 * KEEP.as_millis()).expect("small");
    Timestamp(ground.log.log.clock().now().0 - kept)
}

/// While it is held, however idle.
#[test]
fn a_held_shard_does_not_grow_old() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..100 {
        ground.write(&local, &format!("{n}"), Some("v"));
    }
    for _ in 0..20 {
        ground.log.log.clock().advance(KEEP / 2);
        local.tend().expect("the log answers");
    }
    drop(local);
    ground.commit("7", None);
    let local = ground.open("a");
    let read = ground.restore(&*local);
    assert!(read < 10, "{read} records were read");
    ground.assert_same(&local);
}

/// A clock that was set back hides how old state is.
#[test]
fn state_from_the_future_is_made_anew() {
    let mut ground = Ground::new(1);
    ground
        .log
        .log
        .clock()
        .jump(i64::try_from(2 * KEEP.as_millis()).expect("small"));
    let local = forgotten(&mut ground, Duration::from_secs(1));
    ground
        .log
        .log
        .clock()
        .jump(-i64::try_from(2 * KEEP.as_millis()).expect("small"));
    ground.restore(&*local);
    assert!(!has_k(&ground, &local), "a deleted entry came back");
}

/// Equal to the journal, it has missed nothing: age does not matter.
#[test]
fn state_at_the_journals_end_is_kept_at_any_age() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    ground.write(&local, "k", Some("v"));
    local.release(SHARD);
    ground.log.log.clock().advance(3 * KEEP);
    assert_eq!(ground.restore(&*local), 0);
    ground.assert_same(&local);
}

#[test]
fn state_of_another_cluster_is_made_anew() {
    let mut other = Ground::new(1);
    let local = other.open("a");
    other.restore(&*local);
    other.write(&local, "k", Some("of another cluster"));
    drop(local);
    let mut ground = Ground::new(2);
    ground.commit("l", Some("v"));
    let mut options = ground.options();
    options.identity = "cluster-2".into();
    // As far as the other, and as young: only its name tells.
    fermata_store::surgery::copy_folder(&other.folder("a"), &ground.folder("a")).expect("copied");
    let local = ground.open_with("a", options).expect("opens");
    ground.restore(&*local);
    ground.assert_same(&local);
}
