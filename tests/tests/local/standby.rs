//! Shards that others hold are kept warm.

use super::ground::{Ground, SHARD};
use fermata_core::Shard;
use fermata_core::ports::{Restored, StateRead, StateStore};
use fermata_tests::harness::{PATIENCE, until};
use std::collections::BTreeMap;
use std::time::Duration;

const SLICE: Duration = Duration::from_secs(1);

#[test]
fn a_followed_shard_is_taken_over_at_once() {
    let mut ground = Ground::new(1);
    for n in 0..400 {
        ground.commit(&format!("{}", n % 50), Some(&n.to_string()));
    }
    let local = ground.open("a");
    assert_eq!(local.warmth(), BTreeMap::new());
    local.follow([SHARD, Shard(9)]);
    assert_eq!(local.standby(SLICE).expect("follows"), BTreeMap::from([(SHARD, 0)]));
    for n in 0..10 {
        ground.commit(&format!("{n}"), None);
    }
    assert_eq!(local.warmth(), BTreeMap::from([(SHARD, 0)]), "as far as was last seen");
    let read = ground.restore(&*local);
    assert_eq!(read, 20, "the ten that it had not seen yet, with their notes");
    ground.assert_same(&local);
}

#[test]
fn following_goes_on_in_slices() {
    let mut ground = Ground::new(1);
    ground.fill(6_000);
    let local = ground.open("a");
    local.follow([SHARD]);
    let (mut slices, mut before) = (0, u64::MAX);
    loop {
        let behind = local.standby(Duration::ZERO).expect("follows")[&SHARD];
        assert_eq!(local.warmth()[&SHARD], behind);
        if behind == 0 {
            break;
        }
        assert!(behind <= before, "{behind} after {before}");
        (before, slices) = (behind, slices + 1);
        assert!(slices < 100);
    }
    assert!(slices > 1, "{slices} slices");
    assert_eq!(ground.restore(&*local), 0, "nothing is left to read");
    ground.assert_same(&local);
}

/// The next commit has been read in part. Whoever saw the journal before it asks for the record that is noted still, and
/// must not be given the state.
#[test]
fn a_note_alone_does_not_make_state_whole() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    ground.write(&local, "k", Some("old"));
    let asked = ground.writer.sequence(SHARD);
    local.release(SHARD);
    ground.fill(20_000);
    let behind = local.standby(Duration::ZERO).expect("follows");
    assert!(
        behind[&SHARD] > 10_000,
        "{behind:?}: the first commit was not read to its end"
    );
    let answer = local.restore(SHARD, asked, Duration::ZERO).expect("patient");
    assert!(matches!(answer, Restored::Behind { .. }), "{answer:?}");
    ground.restore(&*local);
    ground.assert_same(&local);
}

/// Positions lie below what a holder has: reading on there would turn its state back.
#[test]
fn a_held_shard_is_not_followed() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    local.follow([SHARD]);
    ground.restore(&*local);
    for n in 0..20 {
        ground.write(&local, "k", Some(&n.to_string()));
    }
    assert_eq!(local.standby(Duration::ZERO).expect("nothing to do"), BTreeMap::new());
    assert_eq!(local.warmth()[&SHARD], 0);
    let found = local.get(&ground.account, SHARD, b"k").expect("readable");
    assert_eq!(found.as_deref(), Some(&b"19"[..]));
    ground.write(&local, "k", Some("20"));
    ground.assert_same(&local);
}

#[test]
fn a_released_shard_is_followed_without_being_wiped() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..300 {
        ground.write(&local, &format!("{n}"), Some("x"));
    }
    for _ in 0..3 {
        local.tend().expect("the log answers");
    }
    local.release(SHARD);
    for n in 0..5 {
        ground.commit(&format!("{n}"), None);
    }
    assert_eq!(local.standby(SLICE).expect("follows"), BTreeMap::from([(SHARD, 0)]));
    assert_eq!(ground.restore(&*local), 0);
    ground.assert_same(&local);
    local.follow([]);
    local.release(Shard(1));
    assert_eq!(local.standby(SLICE).expect("follows"), BTreeMap::new());
}

/// The store's own thread does all of it.
#[test]
fn a_store_tends_itself() {
    let mut ground = Ground::new(1);
    for n in 0..100 {
        ground.commit(&format!("{n}"), Some("x"));
    }
    let mut options = ground.options();
    options.tend_every = Some(Duration::from_millis(1));
    let local = ground.open_with("a", options).expect("opens");
    local.follow([SHARD]);
    until("the shard is warm", PATIENCE, || match local.warmth().get(&SHARD) {
        Some(0) => Ok(()),
        other => Err(other.copied()),
    });
    assert_eq!(ground.restore(&*local), 0);
    ground.assert_same(&local);
}
