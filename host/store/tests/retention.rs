//! A log with a limit forgets its oldest records, but never what a group has yet to read.

use fermata_core::{
    NewRecord, Offset, Shard, Timestamp, TopicName,
    ports::{Commit, Committed, Log, LogError, Polled, Session, SessionSpec, TopicSpec},
};
use fermata_store::{Embedded, Options};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const PARTITIONS: u32 = 2;
const LIMIT: u64 = 1024 * 1024;

fn topic(name: &str) -> TopicName {
    TopicName::new(name).unwrap()
}
fn open(dir: &Path) -> Arc<Embedded> {
    let options = Options {
        retention_bytes: Some(LIMIT),
        kept: BTreeSet::from([topic("control")]),
        ..Options::default()
    };
    let log = Embedded::open(dir, options).unwrap();
    let spec = |name| TopicSpec {
        name: topic(name),
        partitions: PARTITIONS,
    };
    log.ensure(&["data", "journal", "control"].map(spec)).unwrap();
    log
}
fn append(log: &Embedded, name: &str, shard: u32, text: &str) -> Offset {
    let record = NewRecord {
        topic: topic(name),
        shard: Shard(shard),
        timestamp: Timestamp(0),
        key: None,
        value: Some(text.to_string().into()),
        headers: vec![],
    };
    log.append(vec![record]).unwrap().offsets[0]
}
/// About 4 MiB.
fn fill(log: &Embedded, name: &str) -> u64 {
    let text = "x".repeat(4096);
    let mut last = Offset(0);
    for n in 0..1024 {
        last = append(log, name, 0, &text);
        if n % 32 == 0 {
            // As the housekeeping thread would, however busy the machine is.
            log.clean().unwrap();
        }
    }
    last.0 + 1
}
fn join(log: &Embedded) -> Box<dyn Session> {
    let spec = SessionSpec {
        group: "g".into(),
        member: "m".into(),
        topics: vec![topic("data")],
        partitions: PARTITIONS,
    };
    let mut session = log.join(spec).unwrap();
    assert!(matches!(session.poll(Duration::ZERO, 1).unwrap(), Polled::Assigned(_)));
    session
}
fn move_to(session: &mut dyn Session, next: u64) {
    let batch = Commit {
        positions: (0..PARTITIONS)
            .map(|p| (topic("data"), Shard(p), Offset(if p == 0 { next } else { 0 })))
            .collect(),
        changes: vec![],
    };
    assert!(matches!(session.commit(batch).unwrap(), Committed::Yes(_)));
}
fn start(log: &Embedded, name: &str) -> u64 {
    log.bounds(&topic(name), Shard(0)).unwrap().start.0
}
fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < deadline, "waited 30 s for {what}");
        std::thread::yield_now();
    }
}

#[test]
fn old_records_go_when_every_group_is_past_them() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let mut session = join(&log);
    let end = fill(&log, "data");
    assert!(!log.clean().unwrap(), "the reader is at the beginning");
    assert_eq!(start(&log, "data"), 0);
    move_to(&mut *session, end / 2);
    assert!(!log.clean().unwrap());
    let half = start(&log, "data");
    assert!(half > 0 && half <= end / 2, "{half}");
    // The slowest reader can go on from where it is.
    let next = log.read(&topic("data"), Shard(0), Offset(end / 2), 1).unwrap();
    assert_eq!(next[0].offset, Offset(end / 2));
    move_to(&mut *session, end);
    assert!(log.clean().unwrap());
    let first = start(&log, "data");
    assert!(first > end / 2, "{first}");
    let trimmed = log.read(&topic("data"), Shard(0), Offset(first - 1), 1);
    assert!(
        matches!(trimmed, Err(LogError::Trimmed { start, .. }) if start == Offset(first)),
        "{trimmed:?}"
    );
    let kept = log.read(&topic("data"), Shard(0), Offset(first), usize::MAX).unwrap();
    assert_eq!(kept.len() as u64, end - first);
    drop(session);
    drop(log);

    let log = open(dir.path());
    assert_eq!(start(&log, "data"), first);
    let found = log.read(&topic("data"), Shard(0), Offset(first), usize::MAX).unwrap();
    assert_eq!(found, kept);
    let trimmed = log.read(&topic("data"), Shard(0), Offset(0), 1);
    assert!(matches!(trimmed, Err(LogError::Trimmed { .. })), "{trimmed:?}");
}

#[test]
fn a_quiet_partition_keeps_its_last_record() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, "journal", 1, "older");
    let at = append(&log, "journal", 1, "last");
    let before = log.last(&topic("journal"), Shard(1)).unwrap();
    fill(&log, "journal");
    wait_until("the limit", || log.clean().unwrap());
    assert!(start(&log, "journal") > 0);
    assert_eq!(log.last(&topic("journal"), Shard(1)).unwrap(), before);
    drop(log);

    let log = open(dir.path());
    assert_eq!(log.last(&topic("journal"), Shard(1)).unwrap(), before);
    let bounds = log.bounds(&topic("journal"), Shard(1)).unwrap();
    assert_eq!((bounds.start, bounds.end), (at, at.next()));
    let found = log.read(&topic("journal"), Shard(1), at, 10).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(append(&log, "journal", 1, "next"), at.next());
}

#[test]
fn topics_that_are_kept_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let end = fill(&log, "control");
    assert!(log.clean().unwrap(), "they do not count");
    assert_eq!(start(&log, "control"), 0);
    let all = log.read(&topic("control"), Shard(0), Offset(0), usize::MAX).unwrap();
    assert_eq!(all.len() as u64, end);
}

#[test]
fn the_log_cleans_itself() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let text = "x".repeat(4096);
    for _ in 0..1024 {
        append(&log, "data", 0, &text);
    }
    wait_until("the housekeeping thread", || start(&log, "data") > 0);
    assert!(log.last(&topic("data"), Shard(0)).unwrap().is_some());
}
