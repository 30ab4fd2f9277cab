//! Several workers of a process share its store, and one may hear late what the others know.

use super::ground::{Ground, SHARD, pipeline};
use fermata_core::ports::{Restored, StateRead, StateStore};
use fermata_core::{CommitId, Sequence, changelog};
use fermata_store::Local;
use fermata_tests::simulated::{entry, note};
use std::sync::Arc;
use std::time::Duration;

fn worker(local: &Local) -> Arc<dyn StateStore> {
    local.for_worker().expect("it knows its holders")
}

fn k(local: &Local, ground: &Ground) -> Option<String> {
    let found = local.get(&ground.account, SHARD, b"k").expect("readable");
    found.map(|v| String::from_utf8(v.to_vec()).expect("text"))
}

/// One that lost a shard to another says so after the other went on.
#[test]
fn what_another_holds_is_not_given_up() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    let (old, new) = (worker(&local), worker(&local));
    ground.restore(&*old);
    for n in 0..5 {
        let made = ground.commit("k", Some(&n.to_string()));
        old.apply(made.id, &made.changes).expect("applied");
    }
    ground.restore(&*new);
    old.release(SHARD);
    // It would turn the state back, read by read.
    local.standby(Duration::ZERO).expect("nothing to do");
    assert_eq!(k(&local, &ground).as_deref(), Some("4"));
    let made = ground.commit("k", Some("5"));
    new.apply(made.id, &made.changes).expect("applied");
    assert_eq!(k(&local, &ground).as_deref(), Some("5"));
    new.release(SHARD);
    assert!(
        !local.standby(Duration::ZERO).expect("follows").is_empty(),
        "nobody holds it"
    );
}

#[test]
fn a_worker_that_is_gone_holds_nothing() {
    let ground = Ground::new(1);
    let local = ground.open("a");
    let own = worker(&local);
    ground.restore(&*own);
    local.follow([SHARD]);
    assert!(local.standby(Duration::ZERO).expect("nothing to do").is_empty());
    drop(own);
    assert!(!local.standby(Duration::ZERO).expect("follows").is_empty());
}

/// The answer to a commit comes after the shard's next owner met it on the log, and went on.
#[test]
fn a_late_answer_changes_nothing() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    let (old, new) = (worker(&local), worker(&local));
    ground.restore(&*old);
    let late = ground.commit("k", Some("late"));
    ground.restore(&*new);
    assert_eq!(k(&local, &ground).as_deref(), Some("late"));
    let made = ground.commit("k", Some("newer"));
    new.apply(made.id, &made.changes).expect("applied");
    old.apply(late.id, &late.changes).expect("known already");
    assert_eq!(k(&local, &ground).as_deref(), Some("newer"));
    new.apply(made.id, &made.changes).expect("once more is nothing");
    ground.assert_same(&local);
}

/// The answer comes while the shard's next owner, another worker here, restores what it is about.
#[test]
fn a_late_answer_into_a_restoration_is_left_to_it() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    let (old, new) = (worker(&local), worker(&local));
    ground.restore(&*old);
    let late = ground.commit("k", Some("late"));
    let next = ground.writer.sequence(SHARD).next();
    let under_way = new.restore(SHARD, next, Duration::from_secs(1)).expect("it reads");
    assert_ne!(
        under_way,
        Restored::Ready,
        "the journal shows what the changelogs do not"
    );
    old.apply(late.id, &late.changes).expect("it is being read");
    ground.commit("k", Some("newer"));
    ground.restore(&*new);
    assert_eq!(k(&local, &ground).as_deref(), Some("newer"));
    ground.assert_same(&local);
}

/// The shard was lost with the answer still to come, and is followed by now: the changelog brings what is missing.
#[test]
fn a_late_answer_for_a_lost_shard_is_left_to_the_changelog() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    let own = worker(&local);
    ground.restore(&*own);
    let late = ground.commit("k", Some("late"));
    ground.commit("k", Some("newer"));
    own.release(SHARD);
    local.standby(Duration::from_secs(1)).expect("follows");
    own.apply(late.id, &late.changes).expect("not its any more");
    assert_eq!(k(&local, &ground).as_deref(), Some("newer"));
    ground.restore(&*own);
    ground.assert_same(&local);
}

/// Who holds a shard and leaves out a commit of it would process on state that there never was.
#[test]
fn a_gap_is_an_error_to_whoever_holds_the_shard() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    let own = worker(&local);
    ground.restore(&*own);
    ground.commit("k", Some("1"));
    let made = ground.commit("k", Some("2"));
    let refused = own.apply(made.id, &made.changes).expect_err("a gap");
    assert!(refused.to_string().contains("sequence 2"), "{refused}");
    assert_eq!(k(&local, &ground), None);
}

/// All shards of a commit, or none.
#[test]
fn one_batch_holds_all_shards_of_a_commit() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    let other = fermata_core::Shard(1);
    while local
        .restore(other, Sequence(0), Duration::from_secs(1))
        .expect("restores")
        != fermata_core::ports::Restored::Ready
    {}
    let one = ground.commit("k", Some("1"));
    let account = ground.account.clone();
    let two = ground
        .writer
        .commit(other, vec![entry(&account, other, "k", Some("2"))]);
    let both = [one.changes, two.changes].concat();
    local.apply(two.id, &both).expect("applied");
    assert_eq!(k(&local, &ground).as_deref(), Some("1"));
    let found = local.get(&ground.account, other, b"k").expect("readable");
    assert_eq!(found.as_deref(), Some(&b"2"[..]));
    // Of one shard known already and of another not, only the other's count.
    let three = ground
        .writer
        .commit(other, vec![entry(&account, other, "k", Some("3"))]);
    let late = [
        entry(&account, SHARD, "k", Some("turned back")),
        note(SHARD, Sequence(1)),
    ];
    local
        .apply(three.id, &[&late[..], &three.changes].concat())
        .expect("applied");
    assert_eq!(k(&local, &ground).as_deref(), Some("1"));
    let found = local.get(&ground.account, other, b"k").expect("readable");
    assert_eq!(found.as_deref(), Some(&b"3"[..]));
}

#[test]
fn a_note_is_what_the_worker_writes() {
    let written = changelog::record(&pipeline(), &note(SHARD, Sequence(7)), fermata_core::Timestamp(1));
    assert_eq!(written.topic.as_str(), "payments.changelog");
    let ground = Ground::new(1);
    let refused = ground
        .open("a")
        .apply(CommitId(99), &[note(SHARD, Sequence(1))])
        .expect_err("never made");
    assert!(refused.to_string().contains("never made"), "{refused}");
}
