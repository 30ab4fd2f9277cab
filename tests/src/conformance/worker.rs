//! A small worker that copies a topic and counts, exactly once whatever the log does; and crowds of them.

use super::{Fixture, Subject, kit::*};
use fermata_core::{
    Offset, Record, Shard, TopicName, changelog,
    ports::{Commit, Committed, LogError, Namespace, Polled, Session, SessionSpec, StateChange},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Copies `in` to `out`, partition by partition, and keeps the number of records of each shard as its state.
pub struct Copier {
    log: Arc<dyn Subject>,
    spec: SessionSpec,
    output: TopicName,
    counts: Arc<Namespace>,
    session: Option<Box<dyn Session>>,
    /// Assigned, but where to read from is not known yet.
    unsought: BTreeSet<Shard>,
    wait: Duration,
}

const COUNT: &[u8] = b"count";

impl Copier {
    pub fn new(log: Arc<dyn Subject>, member: &str, input: &TopicName, output: &TopicName, partitions: u32) -> Self {
        let spec = SessionSpec {
            group: GROUP.into(),
            member: member.into(),
            topics: vec![input.clone()],
            partitions,
        };
        Self {
            log,
            spec,
            output: output.clone(),
            counts: namespace("copy", 1),
            session: None,
            unsought: BTreeSet::new(),
            wait: Duration::ZERO,
        }
    }

    /// One poll and what follows from it.
    pub fn step(&mut self) {
        match self.attempt() {
            Ok(()) | Err(LogError::Away(_)) => {}
            Err(LogError::Fenced(_)) => {
                self.session = None;
                self.unsought.clear();
            }
            Err(found) => panic!("{} failed: {found}", self.spec.member),
        }
    }

    fn attempt(&mut self) -> Result<(), LogError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.log.join(self.spec.clone())?,
        };
        let result = self.turn(&mut *session);
        self.session = Some(session);
        result
    }

    fn turn(&mut self, session: &mut dyn Session) -> Result<(), LogError> {
        let input = &self.spec.topics[0];
        while let Some(shard) = self.unsought.first().copied() {
            let from = session.committed(input, shard)?.unwrap_or_default();
            session.seek(input, shard, from)?;
            self.unsought.remove(&shard);
        }
        match session.poll(self.wait, 50)? {
            Polled::Idle => Ok(()),
            Polled::Assigned(shards) => {
                self.unsought.extend(shards);
                Ok(())
            }
            Polled::Revoked { shards, .. } => {
                self.unsought.retain(|shard| !shards.contains(shard));
                Ok(())
            }
            Polled::Records(records) => self.copy(session, &records),
        }
    }

    fn copy(&self, session: &mut dyn Session, records: &[Record]) -> Result<(), LogError> {
        let (first, last) = (&records[0], &records[records.len() - 1]);
        let result = self.transact(session, records, last.offset.next());
        if !matches!(result, Ok(true)) {
            // Nothing of it happened: go back.
            session.abort()?;
            session.seek(&first.topic, first.shard, first.offset)?;
        }
        result.map(drop)
    }

    /// As a worker's commits, this one says the how manieth of its shard it is.
    fn note(&self, shard: Shard) -> StateChange {
        let namespace = changelog::shard_namespace();
        let before = self.log.get(&namespace, shard, changelog::SEQUENCE_KEY);
        let before = before.expect("state is readable").and_then(|b| changelog::sequence(&b));
        let next = before.unwrap_or_default().next().0;
        StateChange {
            namespace,
            shard,
            key: changelog::SEQUENCE_KEY.into(),
            value: Some(next.to_be_bytes().to_vec().into()),
        }
    }

    /// Whether it was committed.
    fn transact(&self, session: &mut dyn Session, records: &[Record], next: Offset) -> Result<bool, LogError> {
        let shard = records[0].shard;
        let before = self.log.get(&self.counts, shard, COUNT).expect("state is readable");
        let before: usize = before.map_or(0, |b| std::str::from_utf8(&b).unwrap().parse().unwrap());
        for copied in records {
            session.append(record(&self.output, shard.0, value(copied)))?;
        }
        let batch = Commit {
            positions: vec![(self.spec.topics[0].clone(), shard, next)],
            changes: vec![
                StateChange {
                    namespace: Arc::clone(&self.counts),
                    shard,
                    key: COUNT.into(),
                    value: Some((before + records.len()).to_string().into()),
                },
                self.note(shard),
            ],
        };
        let changes = batch.changes.clone();
        let mut answer = session.commit(batch)?;
        while answer == Committed::Unknown {
            answer = session.resolve()?;
        }
        let Committed::Yes(id) = answer else {
            return Ok(false);
        };
        self.log.apply(id, &changes).expect("a commit can be applied");
        Ok(true)
    }
}

/// Asks through outages.
fn patient<T>(what: &str, mut ask: impl FnMut() -> Result<T, LogError>) -> T {
    wait_for(what, || match ask() {
        Ok(found) => Some(found),
        Err(LogError::Away(_)) => None,
        Err(found) => panic!("{what}: {found}"),
    })
}

fn input(shard: u32, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{shard}:{n}")).collect()
}

/// Appends to `in`, in pieces.
pub fn feed(log: &dyn Subject, topic: &TopicName, shard: u32, count: usize) {
    for piece in input(shard, count).chunks(7) {
        patient("an append", || {
            log.append(piece.iter().map(|v| record(topic, shard, v.clone())).collect())
        });
    }
}

/// Whether every shard of `out` has `count` records.
pub fn done(log: &dyn Subject, output: &TopicName, shards: u32, count: usize) -> bool {
    (0..shards).all(|shard| copied(log, output, shard).len() >= count)
}

fn copied(log: &dyn Subject, output: &TopicName, shard: u32) -> Vec<String> {
    let read = || log.read(output, Shard(shard), Offset(0), 1_000_000);
    values(&patient("a read", read))
}

/// Each shard of `out` is `in` in order, and the count agrees.
pub fn check(log: &dyn Subject, output: &TopicName, shards: u32, count: usize) {
    let counts = namespace("copy", 1);
    for shard in 0..shards {
        assert_eq!(copied(log, output, shard), input(shard, count), "shard {shard}");
        let counted = wait_for("the count", || log.get(&counts, Shard(shard), COUNT).unwrap());
        assert_eq!(counted, count.to_string().as_bytes(), "shard {shard}");
    }
}

pub fn topics(log: &dyn Subject, shards: u32) -> (TopicName, TopicName) {
    let spec = |name| fermata_core::ports::TopicSpec {
        name: topic(name),
        partitions: shards,
    };
    patient("topics", || log.ensure(&[spec("in"), spec("out")]));
    (topic("in"), topic("out"))
}

pub fn two_members_copy_exactly_once(fixture: &dyn Fixture) {
    const SHARDS: u32 = 3;
    const COUNT: usize = 60;
    let log = fixture.open();
    let (input, output) = topics(&*log, SHARDS);
    let mut members: Vec<_> = ["one", "two"]
        .map(|name| Copier::new(Arc::clone(&log), name, &input, &output, SHARDS))
        .into();
    let mut turn = 0;
    for shard in 0..SHARDS {
        feed(&*log, &input, shard, COUNT);
        members.iter_mut().for_each(Copier::step);
    }
    wait_for("the copy", || {
        turn += 1;
        let to = ["one", "two"][turn / 5 % 2];
        if turn % 5 == 0 {
            log.move_shard(GROUP, Shard(turn as u32 % SHARDS), to);
        }
        members.iter_mut().for_each(Copier::step);
        done(&*log, &output, SHARDS, COUNT).then_some(())
    });
    check(&*log, &output, SHARDS, COUNT);
}

pub fn many_sessions_at_once_lose_and_double_nothing(fixture: &dyn Fixture) {
    const SHARDS: u32 = 8;
    const COUNT: usize = 200;
    let log = fixture.open();
    let (input, output) = topics(&*log, SHARDS);
    let members = ["one", "two", "three", "four"];
    std::thread::scope(|scope| {
        for shard in 0..SHARDS {
            let (log, input) = (&log, &input);
            scope.spawn(move || feed(&**log, input, shard, COUNT));
        }
        for name in members {
            let mut copier = Copier::new(Arc::clone(&log), name, &input, &output, SHARDS);
            copier.wait = Duration::from_millis(1);
            let (log, output) = (&log, &output);
            scope.spawn(move || {
                wait_for("the copy", || {
                    copier.step();
                    done(&**log, output, SHARDS, COUNT).then_some(())
                });
            });
        }
        let (mut turn, mut moved) = (0, 0);
        wait_for("the copy", || {
            let (now, _) = log.snapshot().expect("a snapshot");
            if now.0 >= moved + 10 {
                (turn, moved) = (turn + 1, now.0);
                log.move_shard(GROUP, Shard(turn % SHARDS), members[turn as usize % 4]);
            }
            done(&*log, &output, SHARDS, COUNT).then_some(())
        });
    });
    check(&*log, &output, SHARDS, COUNT);
}
