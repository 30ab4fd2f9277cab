//! Each fault is really injected, and a worker that keeps the rules survives all of them together.

use fermata_core::{
    Offset, Shard,
    ports::{Committed, Log, LogError, Polled, StateRead, StateStore, TopicSpec},
};
use fermata_tests::{
    conformance::{
        Subject,
        kit::{
            GROUP, assigned, at, commit, join, namespace, poll, put, read_now, reader, record, topic, values, wait_for,
        },
        worker::{Copier, check, done, feed, topics},
    },
    simulated::{Faults, Mode, Simulated, TRANSACTION_TIMEOUT},
};
use std::{sync::Arc, time::Duration};

const SHARDS: u32 = 3;
const COUNT: usize = 300;

struct Run {
    log: Simulated,
    subject: Arc<dyn Subject>,
    members: Vec<Copier>,
    crashes: u64,
}

/// Copies under faults until everything has arrived; with `crash`, the process dies every so many turns.
fn copy(seed: u64, mode: Mode, faults: Faults, crash: Option<usize>) -> Run {
    let log = Simulated::new(seed, mode, faults);
    let subject: Arc<dyn Subject> = Arc::new(log.clone());
    let (input, output) = topics(&*subject, SHARDS);
    for shard in 0..SHARDS {
        feed(&*subject, &input, shard, COUNT);
    }
    // What was fed is not what is to be lost.
    log.sync();
    let start = || {
        ["one", "two"]
            .map(|m| Copier::new(Arc::clone(&subject), m, &input, &output, SHARDS))
            .into()
    };
    let mut members: Vec<Copier> = start();
    let mut crashes = 0;
    for turn in 1..20_000 {
        members.iter_mut().for_each(Copier::step);
        if crash.is_some_and(|every| turn % every == 0) && crashes < 20 {
            crashes += 1;
            log.crash();
            members = start();
        }
        if done(&*subject, &output, SHARDS, COUNT) {
            log.set_faults(Faults::NONE);
            // Answers that are still on their way, and what was left to apply.
            for _ in 0..20 {
                members.iter_mut().for_each(Copier::step);
            }
            check(&*subject, &output, SHARDS, COUNT);
            return Run {
                log,
                subject,
                members,
                crashes,
            };
        }
    }
    panic!(
        "seed {seed} {mode:?}: not done after 20,000 turns: {:?}",
        log.injected()
    );
}

#[test]
fn a_copy_is_exact_whatever_the_log_does() {
    for seed in 0..100 {
        for mode in [Mode::Kafka, Mode::Embedded] {
            let run = copy(seed, mode, Faults::HARSH, None);
            drop(run.members);
            assert!(run.subject.durable() <= run.log.committed());
        }
    }
}

#[test]
fn a_copy_is_exact_through_crashes() {
    for seed in 0..60 {
        for mode in [Mode::Kafka, Mode::Embedded] {
            let run = copy(seed, mode, Faults::HARSH, Some(9));
            assert!(run.crashes > 0);
        }
    }
}

#[test]
fn one_seed_is_one_run() {
    let (one, again) = (
        copy(7, Mode::Kafka, Faults::HARSH, None),
        copy(7, Mode::Kafka, Faults::HARSH, None),
    );
    assert_eq!(one.log.injected(), again.log.injected());
    let all = |run: &Run| {
        (0..SHARDS)
            .map(|s| read_now(&*run.subject, &topic("out"), s))
            .collect::<Vec<_>>()
    };
    assert_eq!(all(&one), all(&again));
    let other = copy(8, Mode::Kafka, Faults::HARSH, None);
    assert_ne!(one.log.injected(), other.log.injected());
}

fn simulated(faults: Faults) -> Simulated {
    let log = Simulated::new(1, Mode::Kafka, Faults::NONE);
    let spec = |name| TopicSpec {
        name: topic(name),
        partitions: 1,
    };
    log.ensure(&[spec("a"), spec("out")]).unwrap();
    log.set_faults(faults);
    log
}

#[test]
fn every_fault_strikes() {
    let injected = (0..20).fold(Vec::new(), |mut all: Vec<u64>, seed| {
        let i = copy(seed, Mode::Kafka, Faults::HARSH, None).log.injected();
        let kinds = [
            i.gaps,
            i.hidden,
            i.revoked,
            i.lost,
            i.zombies,
            i.aborted,
            i.unknown_committed,
            i.unknown_aborted,
            i.unknown_again,
            i.away,
            i.refused,
        ];
        all.resize(kinds.len(), 0);
        all.iter_mut().zip(kinds).for_each(|(sum, n)| *sum += n);
        all
    });
    assert!(injected.iter().all(|n| *n > 0), "{injected:?}");
}

#[test]
fn an_unknown_commit_is_one_or_the_other() {
    let faults = Faults {
        unknown: 1.0,
        unknown_again: 0.5,
        ..Faults::NONE
    };
    let log = simulated(faults);
    let (a, out) = (topic("a"), topic("out"));
    let mut session = reader(&log, "m", &[&a], 1);
    let (mut yes, mut no) = (0, 0);
    for n in 0..50 {
        session.append(record(&out, 0, format!("{n}"))).unwrap();
        assert_eq!(session.commit(at(&a, 0, n)).unwrap(), Committed::Unknown);
        let early = session.poll(Duration::ZERO, 1);
        assert!(matches!(early, Err(LogError::Fatal(_))), "{early:?}");
        let answer = wait_for("an answer", || match session.resolve().unwrap() {
            Committed::Unknown => None,
            answer => Some(answer),
        });
        match answer {
            Committed::Yes(id) => {
                log.apply(id, &[]).unwrap();
                yes += 1;
            }
            _ => no += 1,
        }
        assert_eq!(read_now(&log, &out, 0).len(), yes);
    }
    assert!(yes > 5 && no > 5, "{yes} yes, {no} no");
}

#[test]
fn what_lies_behind_an_open_transaction_waits() {
    let log = simulated(Faults::NONE);
    let (a, out) = (topic("a"), topic("out"));
    let mut session = reader(&log, "m", &[&a], 1);
    log.append(vec![record(&out, 0, "before")]).unwrap();
    session.append(record(&out, 0, "open")).unwrap();
    log.append(vec![record(&out, 0, "behind")]).unwrap();
    assert_eq!(values(&read_now(&log, &out, 0)), ["before"]);
    assert_eq!(log.bounds(&out, Shard(0)).unwrap().end, Offset(1));
    // Its process dies; nobody joins again under its name: the log ends it after a while.
    assert!(log.kill_session(GROUP, "m"));
    assert!(matches!(
        session.append(record(&out, 0, "late")),
        Err(LogError::Fenced(_))
    ));
    let mut other = reader(&log, "n", &[&a], 1);
    other.append(record(&out, 0, "orphan")).unwrap();
    log.kill_session(GROUP, "n");
    assert_eq!(values(&read_now(&log, &out, 0)), ["before", "behind"]);
    log.append(vec![record(&out, 0, "last")]).unwrap();
    assert_eq!(values(&read_now(&log, &out, 0)), ["before", "behind"]);
    log.clock().advance(TRANSACTION_TIMEOUT);
    assert_eq!(values(&read_now(&log, &out, 0)), ["before", "behind", "last"]);
}

#[test]
fn of_two_that_believe_they_own_a_shard_one_commits() {
    let log = simulated(Faults::NONE);
    let (a, out) = (topic("a"), topic("out"));
    let mut old = reader(&log, "old", &[&a], 1);
    let mut new = join(&log, "new", &[&a], 1);
    assert!(log.make_zombie(GROUP, Shard(0)));
    assert_eq!(poll(&mut *old), Polled::Idle, "it hears nothing");
    assert_eq!(assigned(&mut *new), [Shard(0)]);
    old.append(record(&out, 0, "old")).unwrap();
    new.append(record(&out, 0, "new")).unwrap();
    assert!(matches!(old.commit(at(&a, 0, 1)), Ok(Committed::No { .. })));
    commit(&mut *new, at(&a, 0, 1));
    assert_eq!(values(&read_now(&log, &out, 0)), ["new"]);
    let shards = vec![Shard(0)];
    assert_eq!(poll(&mut *old), Polled::Revoked { shards, lost: true });
}

#[test]
fn state_that_was_never_applied_is_found_at_the_assignment() {
    let log = simulated(Faults::NONE);
    let a = topic("a");
    let n = namespace("stage", 1);
    let mut session = reader(&log, "m", &[&a], 1);
    let mut batch = at(&a, 0, 1);
    batch.changes.push(put(&n, 0, "k", "v"));
    let id = commit(&mut *session, batch.clone());
    assert_eq!(log.get(&n, Shard(0), b"k").unwrap(), None, "not applied yet");
    log.crash();
    let mut again = join(&log, "m", &[&a], 1);
    assert_eq!(log.get(&n, Shard(0), b"k").unwrap(), None);
    assigned(&mut *again);
    assert_eq!(log.get(&n, Shard(0), b"k").unwrap().as_deref(), Some(&b"v"[..]));
    // A late apply by the one before changes nothing any more.
    log.apply(id, &batch.changes).unwrap();
}

#[test]
fn a_change_without_its_positions_breaks_the_contract() {
    let log = simulated(Faults::NONE);
    let mut session = reader(&log, "m", &[&topic("a")], 1);
    let mut batch = at(&topic("a"), 0, 1);
    batch.positions.clear();
    batch.changes.push(put(&namespace("stage", 1), 0, "k", "v"));
    assert!(matches!(session.commit(batch), Err(LogError::Fatal(_))));
}

#[test]
fn a_crash_loses_what_was_not_durable() {
    let log = Simulated::new(3, Mode::Embedded, Faults::NONE);
    let spec = TopicSpec {
        name: topic("a"),
        partitions: 1,
    };
    log.ensure(&[spec]).unwrap();
    let mut lost = 0;
    for n in 0..100 {
        log.append(vec![record(&topic("a"), 0, format!("{n}"))]).unwrap();
        log.append(vec![record(&topic("a"), 0, format!("{n}"))]).unwrap();
        let (durable, committed) = (log.durable(), log.committed());
        log.crash();
        lost += committed.0 - durable.0;
        assert_eq!(log.committed(), durable);
        let left = read_now(&log, &topic("a"), 0);
        assert_eq!(left.len() as u64, durable.0);
    }
    assert!(lost > 0 && lost < 200, "{lost} of 200 were lost");
}
