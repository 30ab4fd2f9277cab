//! What a member of a group reads.

use super::{Fixture, kit::*};
use fermata_core::{
    Offset, Shard,
    ports::{Polled, SessionSpec},
};
use std::{collections::BTreeSet, time::Duration};

pub fn one_member_gets_every_shard(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 5);
    let mut session = join(&*log, "m", &[&a], 5);
    assert_eq!(assigned(&mut *session), (0..5).map(Shard).collect::<Vec<_>>());
    idle(&mut *session);
}

pub fn nothing_is_read_before_seek(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    log.append(vec![record(&a, 0, "1")]).unwrap();
    let mut session = join(&*log, "m", &[&a], 1);
    assigned(&mut *session);
    idle(&mut *session);
    session.seek(&a, Shard(0), Offset(0)).unwrap();
    assert_eq!(values(&records(&mut *session)), ["1"]);
}

pub fn records_come_in_order_and_again_after_seek(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let mut session = reader(&*log, "m", &[&a], 1);
    log.append((0..10).map(|n| record(&a, 0, format!("{n}"))).collect())
        .unwrap();
    let mut seen = Vec::new();
    while seen.len() < 10 {
        seen.extend(records(&mut *session));
    }
    assert_eq!(seen, read(&*log, &a, 0, 10));
    idle(&mut *session);
    session.seek(&a, Shard(0), seen[7].offset).unwrap();
    let again = records(&mut *session);
    assert_eq!(again[0], seen[7]);
}

pub fn a_poll_keeps_to_one_partition_and_its_limit(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 3);
    let mut session = reader(&*log, "m", &[&a], 3);
    for n in 0..30 {
        log.append(vec![record(&a, n % 3, format!("{n}"))]).unwrap();
    }
    let mut count = 0;
    while count < 30 {
        let found = wait_for("records", || match session.poll(Duration::ZERO, 4).unwrap() {
            Polled::Records(records) => Some(records),
            _ => None,
        });
        assert!(found.len() <= 4, "{} records", found.len());
        assert!(found.iter().all(|r| r.shard == found[0].shard));
        count += found.len();
    }
    assert_eq!(count, 30);
}

pub fn paused_partitions_are_passed_over(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, b) = (make(&*log, "a", 2), make(&*log, "b", 2));
    let mut session = reader(&*log, "m", &[&a, &b], 2);
    session.set_paused(&[(a.clone(), Shard(0)), (b.clone(), Shard(1))]);
    for (topic, shard) in [(&a, 0), (&a, 1), (&b, 0), (&b, 1)] {
        log.append(vec![record(topic, shard, format!("{topic}{shard}"))])
            .unwrap();
    }
    let mut seen: Vec<_> = (0..2).flat_map(|_| values(&records(&mut *session))).collect();
    seen.sort();
    assert_eq!(seen, ["a1", "b0"]);
    idle(&mut *session);
    session.set_paused(&[(a.clone(), Shard(0))]);
    seen = values(&records(&mut *session));
    assert_eq!(seen, ["b1"]);
    session.set_paused(&[]);
    assert_eq!(values(&records(&mut *session)), ["a0"]);
}

pub fn the_first_topic_goes_first(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (down, up) = (make(&*log, "down", 2), make(&*log, "up", 2));
    let mut session = reader(&*log, "m", &[&down, &up], 2);
    let mut round = || {
        for (topic, shard) in [(&up, 0), (&up, 1), (&down, 0), (&down, 1)] {
            let before = read_now(&*log, topic, shard).len();
            log.append(vec![record(topic, shard, topic.to_string())]).unwrap();
            read(&*log, topic, shard, before + 1);
        }
        let order: Vec<_> = (0..4).flat_map(|_| values(&records(&mut *session))).collect();
        let right = order == ["down", "down", "up", "up"];
        assert!(right || log.pushes(), "{order:?}");
        right.then_some(())
    };
    wait_for("a round in which everything has come", &mut round);
}

pub fn every_shard_gets_its_turn(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 4);
    let mut session = reader(&*log, "m", &[&a], 4);
    for shard in 0..4 {
        log.append((0..50).map(|n| record(&a, shard, format!("{n}"))).collect())
            .unwrap();
        read(&*log, &a, shard, 50);
    }
    // As much as one shard has alone; nobody may be left out.
    let mut round = || {
        let mut served = BTreeSet::new();
        for _ in 0..4 {
            let found = wait_for("records", || match session.poll(Duration::ZERO, 1).unwrap() {
                Polled::Records(records) => Some(records),
                Polled::Idle if log.pushes() => None,
                other => panic!("expected records, got {other:?}"),
            });
            served.insert(found[0].shard);
        }
        let right = served.len() == 4;
        assert!(right || log.pushes(), "{served:?}");
        for shard in 0..4 {
            session.seek(&a, Shard(shard), Offset(0)).unwrap();
        }
        right.then_some(())
    };
    wait_for("a round in which everything has come", &mut round);
}

pub fn groups_do_not_disturb_each_other(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 2);
    let mut ours = reader(&*log, "m", &[&a], 2);
    let spec = SessionSpec {
        group: "another".into(),
        member: "m".into(),
        topics: vec![a.clone()],
        partitions: 2,
    };
    let mut theirs = log.join(spec).unwrap();
    assert_eq!(assigned(&mut *theirs).len(), 2);
    theirs.seek(&a, Shard(1), Offset(0)).unwrap();
    commit(&mut *theirs, at(&a, 1, 7));
    assert_eq!(ours.committed(&a, Shard(1)).unwrap(), None);
    log.append(vec![record(&a, 1, "1")]).unwrap();
    assert_eq!(values(&records(&mut *ours)), ["1"]);
    assert_eq!(values(&records(&mut *theirs)), ["1"]);
}
