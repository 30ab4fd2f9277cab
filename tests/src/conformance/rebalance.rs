//! Shards that move between members.

use super::{Fixture, Subject, kit::*};
use fermata_core::{
    Offset, Shard,
    ports::{Committed, LogError, Polled, Session},
};
use std::collections::BTreeSet;

/// Polls all until they hold so many and nobody hears anything more; what each holds.
pub fn settle(sessions: &mut [&mut Box<dyn Session>], held: &mut [BTreeSet<Shard>], want: &[usize]) {
    wait_for("a settled group", || {
        let mut quiet = true;
        for (session, held) in sessions.iter_mut().zip(held.iter_mut()) {
            match poll(&mut ***session) {
                Polled::Idle => continue,
                Polled::Assigned(shards) => held.extend(shards),
                Polled::Revoked { shards, .. } => held.retain(|s| !shards.contains(s)),
                Polled::Records(records) => panic!("nothing was sought: {records:?}"),
            }
            quiet = false;
        }
        (quiet && sizes(held) == want).then_some(())
    });
}

/// Sends shard 0 to a member whose name comes before its holder's: some groups do it by themselves.
fn send(log: &dyn Subject, member: &str) {
    assert_ne!(log.move_shard(GROUP, Shard(0), member), log.divides_by_name());
}

/// The next assignment, while another member is polled as well and hears nothing.
fn gained(session: &mut dyn Session, other: &mut dyn Session) -> Vec<Shard> {
    wait_for("an assignment", || {
        assert_eq!(poll(other), Polled::Idle);
        match poll(session) {
            Polled::Assigned(shards) => Some(shards),
            Polled::Idle => None,
            heard => panic!("expected an assignment, got {heard:?}"),
        }
    })
}

fn sizes(held: &[BTreeSet<Shard>]) -> Vec<usize> {
    let mut sizes: Vec<_> = held.iter().map(BTreeSet::len).collect();
    sizes.sort_unstable();
    sizes
}

pub fn shards_are_shared_evenly(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 7);
    let mut one = join(&*log, "one", &[&a], 7);
    let mut two = join(&*log, "two", &[&a], 7);
    let mut held = vec![BTreeSet::new(); 2];
    settle(&mut [&mut one, &mut two], &mut held, &[3, 4]);
    assert!(held[0].is_disjoint(&held[1]), "{held:?}");
}

pub fn few_shards_move_when_a_third_joins(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 6);
    let mut one = join(&*log, "one", &[&a], 6);
    let mut two = join(&*log, "two", &[&a], 6);
    let mut held = vec![BTreeSet::new(); 3];
    settle(&mut [&mut one, &mut two], &mut held, &[0, 3, 3]);
    let before = held.clone();
    let mut three = join(&*log, "three", &[&a], 6);
    settle(&mut [&mut one, &mut two, &mut three], &mut held, &[2, 2, 2]);
    assert!(
        held[0].is_subset(&before[0]) && held[1].is_subset(&before[1]),
        "{before:?} to {held:?}"
    );
    let all: BTreeSet<_> = held.iter().flatten().collect();
    assert_eq!(all.len(), 6);
}

pub fn a_revoked_shard_is_held_until_the_next_poll(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 1), make(&*log, "out", 1));
    let mut one = reader(&*log, "second", &[&a], 1);
    let mut two = join(&*log, "first", &[&a], 1);
    idle(&mut *two);
    one.append(record(&out, 0, "of the batch")).unwrap();
    send(&*log, "first");
    assert_eq!(revoked(&mut *one), [Shard(0)]);
    idle(&mut *two);
    commit(&mut *one, at(&a, 0, 3));
    idle(&mut *two);
    assert_eq!(gained(&mut *two, &mut *one), [Shard(0)]);
    assert_eq!(two.committed(&a, Shard(0)).unwrap(), Some(Offset(3)));
    assert_eq!(values(&read(&*log, &out, 0, 1)), ["of the batch"]);
}

pub fn what_is_no_longer_held_cannot_commit(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 1), make(&*log, "out", 1));
    let mut one = reader(&*log, "second", &[&a], 1);
    let mut two = join(&*log, "first", &[&a], 1);
    send(&*log, "first");
    revoked(&mut *one);
    poll(&mut *one);
    one.append(record(&out, 0, "refused")).unwrap();
    refused(&mut *one, &a);
    // Nor before the new holder has heard of it.
    two.append(record(&out, 0, "too early")).unwrap();
    refused(&mut *two, &a);
    gained(&mut *two, &mut *one);
    two.append(record(&out, 0, "kept")).unwrap();
    commit(&mut *two, at(&a, 0, 1));
    assert_eq!(values(&read(&*log, &out, 0, 1)), ["kept"]);
}

fn refused(session: &mut dyn Session, a: &fermata_core::TopicName) {
    match session.commit(at(a, 0, 99)) {
        Ok(Committed::No { reason }) => assert!(!reason.is_empty()),
        Err(LogError::Fenced(_)) => {}
        other => panic!("expected a refusal, got {other:?}"),
    }
}

pub fn shards_of_one_that_leaves_go_on(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 4);
    let mut one = join(&*log, "one", &[&a], 4);
    let mut two = join(&*log, "two", &[&a], 4);
    let mut held = vec![BTreeSet::new(); 2];
    settle(&mut [&mut one, &mut two], &mut held, &[2, 2]);
    drop(one);
    settle(&mut [&mut two], &mut held[1..], &[4]);
    drop(two);
    let mut three = join(&*log, "three", &[&a], 4);
    assert_eq!(assigned(&mut *three).len(), 4);
}

pub fn who_joins_again_replaces_itself(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 1), make(&*log, "out", 1));
    let mut old = reader(&*log, "m", &[&a], 1);
    old.append(record(&out, 0, "refused")).unwrap();
    let mut new = reader(&*log, "m", &[&a], 1);
    refused(&mut *old, &a);
    let heard = old.poll(std::time::Duration::ZERO, 1);
    assert!(matches!(heard, Err(LogError::Fenced(_))), "{heard:?}");
    drop(old);
    new.append(record(&out, 0, "kept")).unwrap();
    commit(&mut *new, at(&a, 0, 1));
    assert_eq!(values(&read(&*log, &out, 0, 1)), ["kept"]);
    assert_eq!(new.committed(&a, Shard(0)).unwrap(), Some(Offset(1)));
}

pub fn a_shard_can_be_sent_to_a_member(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 4);
    let mut one = join(&*log, "one", &[&a], 4);
    let mut two = join(&*log, "two", &[&a], 4);
    let mut held = vec![BTreeSet::new(); 2];
    settle(&mut [&mut one, &mut two], &mut held, &[2, 2]);
    let moving = *held[0].first().expect("one holds two shards");
    assert_ne!(log.move_shard(GROUP, moving, "two"), log.divides_by_name());
    if !log.divides_by_name() {
        settle(&mut [&mut one, &mut two], &mut held, &[1, 3]);
        assert!(held[1].contains(&moving), "{held:?}");
    }
    assert!(!log.move_shard(GROUP, moving, "nobody"));
    assert!(!log.move_shard(GROUP, Shard(4), "one"));
    assert!(!log.move_shard("no group", Shard(0), "one"));
}
