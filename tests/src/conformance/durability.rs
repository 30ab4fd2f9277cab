//! The watermark, and what a restart finds.

use super::{Fixture, kit::*};
use fermata_core::{CommitId, Offset, Shard, ports::Commit};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);

pub fn every_commit_becomes_durable(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let mut session = reader(&*log, "m", &[&a], 1);
    for n in 0..5 {
        let id = commit(&mut *session, at(&a, 0, n));
        assert!(log.durable() <= id);
        assert!(log.wait_durable(id, LONG).unwrap());
        assert!(log.durable() >= id);
        let id = log.append(vec![record(&a, 0, "1")]).unwrap().commit;
        assert!(log.wait_durable(id, LONG).unwrap());
    }
}

pub fn what_was_never_committed_is_not_durable(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let id = log.append(vec![record(&a, 0, "1")]).unwrap().commit;
    let future = CommitId(id.0 + 1);
    assert!(!log.wait_durable(future, Duration::ZERO).unwrap());
    assert!(!log.wait_durable(future, Duration::from_millis(5)).unwrap());
    assert!(log.durable() < future);
}

pub fn everything_durable_survives_a_restart(fixture: &dyn Fixture) {
    let n = namespace("stage", 1);
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 2), make(&*log, "out", 2));
    log.append(vec![record(&a, 0, "in")]).unwrap();
    let mut session = reader(&*log, "m", &[&a], 2);
    session.append(record(&out, 0, "1")).unwrap();
    session.append(record(&out, 1, "2")).unwrap();
    let batch = Commit {
        positions: vec![(a.clone(), Shard(0), Offset(1)), (a.clone(), Shard(1), Offset(0))],
        changes: vec![put(&n, 0, "k", "v"), put(&n, 1, "k", "w"), delete(&n, 1, "x")],
    };
    let id = commit(&mut *session, batch.clone());
    log.apply(id, &batch.changes).unwrap();
    assert!(log.wait_durable(id, LONG).unwrap());
    let before: Vec<_> = (0..2).map(|shard| read(&*log, &out, shard, 1)).collect();
    drop(session);
    drop(log);

    let log = fixture.open();
    assert_eq!(log.topics().unwrap().len(), 2);
    assert!(log.durable() >= id);
    for shard in 0..2 {
        assert_eq!(read(&*log, &out, shard, 1), before[shard as usize]);
        assert_eq!(
            log.last(&out, Shard(shard)).unwrap().as_ref(),
            before[shard as usize].last()
        );
    }
    let mut session = join(&*log, "m", &[&a], 2);
    assert_eq!(assigned(&mut *session).len(), 2);
    assert_eq!(session.committed(&a, Shard(0)).unwrap(), Some(Offset(1)));
    assert_eq!(session.committed(&a, Shard(1)).unwrap(), Some(Offset(0)));
    assert_eq!(log.get(&n, Shard(0), b"k").unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(log.get(&n, Shard(1), b"k").unwrap().as_deref(), Some(&b"w"[..]));
    let (contains, _) = log.snapshot().unwrap();
    assert!(contains >= id, "the snapshot says {contains}");
    let next = log.append(vec![record(&out, 0, "3")]).unwrap();
    assert!(next.commit > id, "commit numbers go on");
    assert!(next.offsets[0] > before[0][0].offset, "offsets go on");
    assert_eq!(values(&read(&*log, &out, 0, 2)), ["1", "3"]);
}

pub fn an_open_transaction_does_not_survive(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 1), make(&*log, "out", 1));
    let mut session = reader(&*log, "m", &[&a], 1);
    let id = commit(&mut *session, at(&a, 0, 1));
    session.append(record(&out, 0, "lost")).unwrap();
    assert!(log.wait_durable(id, LONG).unwrap());
    // The process dies: nothing is closed in order.
    drop(session);
    drop(log);
    let log = fixture.open();
    let mut session = join(&*log, "m", &[&a], 1);
    assigned(&mut *session);
    session.append(record(&out, 0, "kept")).unwrap();
    commit(&mut *session, at(&a, 0, 2));
    assert_eq!(values(&read(&*log, &out, 0, 1)), ["kept"]);
}
