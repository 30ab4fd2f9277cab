//! One session's transactions: all or nothing, and when they are seen.

use super::{Fixture, kit::*, rebalance::settle};
use fermata_core::{
    Offset, Shard,
    ports::{Commit, Committed},
};
use std::collections::BTreeSet;

pub fn nothing_shows_before_the_commit(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 1), make(&*log, "out", 1));
    let mut session = reader(&*log, "m", &[&a], 1);
    session.append(record(&out, 0, "1")).unwrap();
    assert_eq!(read_now(&*log, &out, 0), vec![]);
    assert_eq!(log.last(&out, Shard(0)).unwrap(), None);
    assert_eq!(log.bounds(&out, Shard(0)).unwrap().end, Offset(0));
    assert_eq!(session.committed(&a, Shard(0)).unwrap(), None);
    commit(&mut *session, at(&a, 0, 5));
    assert_eq!(values(&read(&*log, &out, 0, 1)), ["1"]);
}

pub fn a_commit_shows_everything(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out, other) = (make(&*log, "a", 2), make(&*log, "out", 2), make(&*log, "other", 1));
    let mut session = reader(&*log, "m", &[&a], 2);
    let entries = namespace("stage", 1);
    for (topic, shard, text) in [(&out, 0, "1"), (&out, 1, "2"), (&other, 0, "3"), (&out, 0, "4")] {
        session.append(record(topic, shard, text)).unwrap();
    }
    let batch = Commit {
        positions: vec![(a.clone(), Shard(0), Offset(3)), (a.clone(), Shard(1), Offset(8))],
        changes: vec![put(&entries, 0, "k", "v"), put(&entries, 1, "k", "w")],
    };
    let id = commit(&mut *session, batch.clone());
    log.apply(id, &batch.changes).unwrap();
    assert_eq!(values(&read(&*log, &out, 0, 2)), ["1", "4"]);
    assert_eq!(values(&read(&*log, &out, 1, 1)), ["2"]);
    assert_eq!(values(&read(&*log, &other, 0, 1)), ["3"]);
    assert_eq!(session.committed(&a, Shard(0)).unwrap(), Some(Offset(3)));
    assert_eq!(session.committed(&a, Shard(1)).unwrap(), Some(Offset(8)));
    assert_eq!(log.get(&entries, Shard(0), b"k").unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(log.get(&entries, Shard(1), b"k").unwrap().as_deref(), Some(&b"w"[..]));
}

pub fn an_abort_leaves_nothing(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 1), make(&*log, "out", 1));
    let mut session = reader(&*log, "m", &[&a], 1);
    session.append(record(&out, 0, "dropped")).unwrap();
    session.abort().unwrap();
    session.append(record(&out, 0, "kept")).unwrap();
    commit(&mut *session, at(&a, 0, 1));
    session.append(record(&out, 0, "left open")).unwrap();
    drop(session);
    log.append(vec![record(&out, 0, "behind")]).unwrap();
    // Whoever joins again under this name ends what was left open.
    let _again = join(&*log, "m", &[&a], 1);
    assert_eq!(values(&read(&*log, &out, 0, 2)), ["kept", "behind"]);
}

pub fn an_offset_that_is_told_is_true(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 1), make(&*log, "out", 1));
    let mut session = reader(&*log, "m", &[&a], 1);
    let mut told = Vec::new();
    for n in 0..20 {
        told.push(session.append(record(&out, 0, format!("{n}"))).unwrap());
    }
    commit(&mut *session, at(&a, 0, 1));
    let found = read(&*log, &out, 0, 20);
    for (told, found) in told.iter().zip(&found) {
        assert!(
            told.is_none_or(|t| t == found.offset),
            "{told:?} is at {}",
            found.offset
        );
    }
    assert_eq!(values(&found), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

pub fn a_commit_of_nothing_succeeds(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let mut session = reader(&*log, "m", &[&a], 1);
    let first = commit(&mut *session, at(&a, 0, 1));
    assert_eq!(commit(&mut *session, Commit::default()), first);
}

pub fn commit_numbers_grow(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let mut session = reader(&*log, "m", &[&a], 1);
    let mut last = log.append(vec![record(&a, 0, "1")]).unwrap().commit;
    for n in 0..5 {
        for id in [
            commit(&mut *session, at(&a, 0, n)),
            log.append(vec![record(&a, 0, "1")]).unwrap().commit,
        ] {
            assert!(id > last, "{id} does not follow {last}");
            last = id;
        }
    }
}

pub fn sessions_share_a_partition(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 2), make(&*log, "out", 1));
    let mut one = join(&*log, "one", &[&a], 2);
    let mut two = join(&*log, "two", &[&a], 2);
    let mut held = vec![BTreeSet::new(); 2];
    settle(&mut [&mut one, &mut two], &mut held, &[1, 1]);
    let [of_one, of_two] = [0, 1].map(|member: usize| *held[member].first().expect("each holds one"));
    for n in 0..4 {
        one.append(record(&out, 0, format!("one {n}"))).unwrap();
        two.append(record(&out, 0, format!("two {n}"))).unwrap();
    }
    commit(&mut *two, at(&a, of_two.0, 1));
    commit(&mut *one, at(&a, of_one.0, 1));
    let found = values(&read(&*log, &out, 0, 8));
    for name in ["one", "two"] {
        let own: Vec<_> = found.iter().filter(|v| v.starts_with(name)).cloned().collect();
        assert_eq!(own, (0..4).map(|n| format!("{name} {n}")).collect::<Vec<_>>());
    }
    assert_eq!(found.len(), 8);
}

pub fn positions_need_no_records(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let mut session = reader(&*log, "m", &[&a], 1);
    commit(&mut *session, at(&a, 0, 4));
    commit(&mut *session, at(&a, 0, 9));
    assert_eq!(session.committed(&a, Shard(0)).unwrap(), Some(Offset(9)));
}

pub fn resolve_repeats_the_answer(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let mut session = reader(&*log, "m", &[&a], 1);
    let id = commit(&mut *session, at(&a, 0, 1));
    assert_eq!(session.resolve().unwrap(), Committed::Yes(id));
}
