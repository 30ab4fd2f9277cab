//! Short words for what cases do again and again. Everything waits for its fact, with a deadline.

use fermata_core::{
    Header, NewRecord, Offset, Record, Shard, StageName, Timestamp, TopicName,
    ports::{Commit, Committed, Log, Namespace, Polled, Session, SessionSpec, StateChange, TopicSpec},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub const GROUP: &str = "fermata.test";
const DEADLINE: Duration = Duration::from_secs(30);

pub fn topic(name: &str) -> TopicName {
    TopicName::new(name).expect("cases use valid names")
}

/// Makes a topic and returns its name.
pub fn make(log: &(impl Log + ?Sized), name: &str, partitions: u32) -> TopicName {
    let name = topic(name);
    let spec = TopicSpec {
        name: name.clone(),
        partitions,
    };
    log.ensure(&[spec]).expect("the topic can be made");
    name
}

pub fn record(topic: &TopicName, shard: u32, value: impl Into<String>) -> NewRecord {
    NewRecord {
        topic: topic.clone(),
        shard: Shard(shard),
        timestamp: Timestamp(1_000),
        key: Some("key".into()),
        value: Some(value.into().into()),
        headers: vec![Header::new("h", "1")],
    }
}

pub fn value(record: &Record) -> String {
    let bytes = record.value.as_deref().expect("cases give records values");
    String::from_utf8(bytes.to_vec()).expect("values of cases are text")
}
pub fn values(records: &[Record]) -> Vec<String> {
    records.iter().map(value).collect()
}

/// Asks until there is an answer.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} for {what}");
        std::thread::yield_now();
    }
}

/// All of a partition, once it has as many records.
pub fn read(log: &(impl Log + ?Sized), topic: &TopicName, shard: u32, count: usize) -> Vec<Record> {
    let mut seen = 0;
    wait_for(&format!("{count} records of {topic}/{shard}"), || {
        let records = read_now(log, topic, shard);
        assert!(records.len() >= seen, "committed records vanished from {topic}/{shard}");
        seen = records.len();
        (records.len() >= count).then_some(records)
    })
}
/// What a partition shows now.
pub fn read_now(log: &(impl Log + ?Sized), topic: &TopicName, shard: u32) -> Vec<Record> {
    let shard = Shard(shard);
    let start = log.bounds(topic, shard).expect("bounds").start;
    log.read(topic, shard, start, 100_000).expect("a read")
}

pub fn join(log: &(impl Log + ?Sized), member: &str, topics: &[&TopicName], partitions: u32) -> Box<dyn Session> {
    let spec = SessionSpec {
        group: GROUP.into(),
        member: member.into(),
        topics: topics.iter().map(|t| (*t).clone()).collect(),
        partitions,
    };
    log.join(spec).expect("the member joins")
}

pub fn poll(session: &mut dyn Session) -> Polled {
    session.poll(Duration::ZERO, 1_000).expect("a poll")
}

/// The next assignment. Records and revocations before it are wrong.
pub fn assigned(session: &mut dyn Session) -> Vec<Shard> {
    wait_for("an assignment", || match poll(session) {
        Polled::Assigned(shards) => Some(shards),
        Polled::Idle => None,
        other => panic!("expected an assignment, got {other:?}"),
    })
}
/// The next revocation.
pub fn revoked(session: &mut dyn Session) -> Vec<Shard> {
    wait_for("a revocation", || match poll(session) {
        Polled::Revoked { shards, lost: false } => Some(shards),
        Polled::Idle => None,
        other => panic!("expected a revocation, got {other:?}"),
    })
}
/// The next records.
pub fn records(session: &mut dyn Session) -> Vec<Record> {
    wait_for("records", || match poll(session) {
        Polled::Records(records) => Some(records),
        Polled::Idle => None,
        other => panic!("expected records, got {other:?}"),
    })
}
/// Polls a few times and expects nothing.
pub fn idle(session: &mut dyn Session) {
    for _ in 0..5 {
        assert_eq!(poll(session), Polled::Idle);
    }
}
/// Joins, takes its shards and seeks to the beginning of all of them.
pub fn reader(log: &(impl Log + ?Sized), member: &str, topics: &[&TopicName], partitions: u32) -> Box<dyn Session> {
    let mut session = join(log, member, topics, partitions);
    for shard in assigned(&mut *session) {
        for topic in topics {
            session.seek(topic, shard, Offset(0)).expect("a seek");
        }
    }
    session
}

pub fn commit(session: &mut dyn Session, batch: Commit) -> fermata_core::CommitId {
    match session.commit(batch).expect("a commit") {
        Committed::Yes(id) => id,
        other => panic!("expected the commit to succeed, got {other:?}"),
    }
}
/// The next offset of one topic and shard.
pub fn at(topic: &TopicName, shard: u32, next: u64) -> Commit {
    Commit {
        positions: vec![(topic.clone(), Shard(shard), Offset(next))],
        changes: Vec::new(),
    }
}

pub fn namespace(stage: &str, schema: u32) -> Arc<Namespace> {
    Arc::new(Namespace {
        stage: StageName::new(stage).expect("cases use valid names"),
        store: "entries".into(),
        schema,
    })
}
pub fn put(namespace: &Arc<Namespace>, shard: u32, key: &str, value: &str) -> StateChange {
    StateChange {
        namespace: Arc::clone(namespace),
        shard: Shard(shard),
        key: key.to_string().into(),
        value: Some(value.to_string().into()),
    }
}
pub fn delete(namespace: &Arc<Namespace>, shard: u32, key: &str) -> StateChange {
    StateChange {
        value: None,
        ..put(namespace, shard, key, "")
    }
}
