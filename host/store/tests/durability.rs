//! fsync is real: what is acknowledged waits for the disk, and survives what the disk survives.

use fermata_core::{
    CommitId, NewRecord, Offset, Shard, StageName, Timestamp, TopicName,
    ports::{
        Commit, Committed, Log, LogError, Namespace, Session, SessionSpec, StateChange, StateRead, StateStore,
        TopicSpec,
    },
};
use fermata_store::{
    Embedded, Options, PersistHook,
    surgery::{PowerCut, copy_folder},
};
use parking_lot::{Condvar, Mutex};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(30);

fn topic() -> TopicName {
    TopicName::new("t").unwrap()
}
fn record(text: &str) -> NewRecord {
    NewRecord {
        topic: topic(),
        shard: Shard(0),
        timestamp: Timestamp(0),
        key: None,
        value: Some(text.to_string().into()),
        headers: vec![],
    }
}
fn open(dir: &Path, hook: Option<Arc<dyn PersistHook>>) -> Arc<Embedded> {
    let options = Options {
        persist_hook: hook,
        ..Options::default()
    };
    let log = Embedded::open(dir, options).unwrap();
    let spec = TopicSpec {
        name: topic(),
        partitions: 1,
    };
    log.ensure(&[spec]).unwrap();
    log
}
fn join(log: &Embedded) -> Box<dyn Session> {
    let spec = SessionSpec {
        group: "g".into(),
        member: "m".into(),
        topics: vec![topic()],
        partitions: 1,
    };
    let mut session = log.join(spec).unwrap();
    session.poll(Duration::ZERO, 1).unwrap();
    session
}
fn count(log: &Embedded) -> usize {
    log.read(&topic(), Shard(0), Offset(0), usize::MAX).unwrap().len()
}

/// Lets syncs pass, holds them, or fails them.
#[derive(Default)]
struct Gate {
    state: Mutex<Passage>,
    changed: Condvar,
}
#[derive(Clone, Copy, Default, PartialEq)]
enum Passage {
    #[default]
    Open,
    Held,
    Failing,
}
impl Gate {
    fn set(&self, to: Passage) {
        *self.state.lock() = to;
        self.changed.notify_all();
    }
}
impl PersistHook for Gate {
    fn before(&self, _: CommitId) -> Result<(), String> {
        let mut state = self.state.lock();
        while *state == Passage::Held {
            self.changed.wait(&mut state);
        }
        match *state {
            Passage::Failing => Err("the disk is gone".into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn nothing_is_durable_while_the_sync_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let log = open(dir.path(), Some(gate.clone()));
    let first = log.append(vec![record("1")]).unwrap().commit;
    assert!(log.wait_durable(first, LONG).unwrap());
    gate.set(Passage::Held);
    let second = log.append(vec![record("2")]).unwrap().commit;
    let mut session = join(&log);
    session.append(record("3")).unwrap();
    let Committed::Yes(third) = session.commit(Commit::default()).unwrap() else {
        panic!("the commit succeeds")
    };
    // Inside, it is seen at once.
    assert_eq!(count(&log), 3);
    for commit in [second, third] {
        assert!(!log.wait_durable(commit, Duration::from_millis(20)).unwrap());
    }
    assert_eq!(log.durable(), first);
    gate.set(Passage::Open);
    assert!(log.wait_durable(third, LONG).unwrap());
    assert_eq!(log.durable(), third);
}

#[test]
fn a_failed_sync_stops_everything() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let told = Arc::new(Mutex::new(Vec::new()));
    let options = Options {
        persist_hook: Some(gate.clone()),
        on_fatal: Some({
            let told = Arc::clone(&told);
            Arc::new(move |text| told.lock().push(text.to_string()))
        }),
        ..Options::default()
    };
    let log = Embedded::open(dir.path(), options).unwrap();
    let spec = TopicSpec {
        name: topic(),
        partitions: 1,
    };
    log.ensure(std::slice::from_ref(&spec)).unwrap();
    let mut session = join(&log);
    gate.set(Passage::Failing);
    let lost = log.append(vec![record("1")]).unwrap().commit;
    let fatal = |result: Result<(), LogError>| match result {
        Err(LogError::Fatal(text)) => assert!(text.contains("the disk is gone"), "{text}"),
        other => panic!("expected a fatal error, got {other:?}"),
    };
    // The one that waits learns of it, and so does everyone after.
    fatal(log.wait_durable(lost, LONG).map(drop));
    assert!(log.durable() < lost);
    fatal(log.append(vec![record("2")]).map(drop));
    fatal(session.poll(Duration::ZERO, 1).map(drop));
    fatal(session.append(record("3")).map(drop));
    fatal(session.commit(Commit::default()).map(drop));
    fatal(session.abort());
    fatal(session.resolve().map(drop));
    fatal(session.committed(&topic(), Shard(0)).map(drop));
    fatal(log.ensure(&[spec]));
    fatal(log.topics().map(drop));
    fatal(log.bounds(&topic(), Shard(0)).map(drop));
    fatal(log.read(&topic(), Shard(0), Offset(0), 1).map(drop));
    fatal(log.last(&topic(), Shard(0)).map(drop));
    assert!(log.snapshot().is_err());
    assert_eq!(told.lock().len(), 1, "the process is told once");
}

#[test]
fn a_waiting_poll_ends_when_the_disk_fails() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let log = open(dir.path(), Some(gate.clone()));
    let mut session = join(&log);
    gate.set(Passage::Held);
    let commit = log.append(vec![record("1")]).unwrap().commit;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || session.poll(LONG, 1).map(drop));
        // The poll begins meanwhile, and nothing but the failure ends it.
        assert!(!log.wait_durable(commit, Duration::from_millis(100)).unwrap());
        gate.set(Passage::Failing);
        let ended = waiting.join().unwrap();
        assert!(matches!(ended, Err(LogError::Fatal(_))), "{ended:?}");
    });
    assert!(begun.elapsed() < LONG);
}

/// Commits transactions with one record, one position and one entry, all of which count to the same number.
struct Counter {
    session: Box<dyn Session>,
    namespace: Arc<Namespace>,
}

fn counts() -> Arc<Namespace> {
    Arc::new(Namespace {
        stage: StageName::new("s").unwrap(),
        store: "counts".into(),
        schema: 1,
    })
}

impl Counter {
    fn new(log: &Embedded) -> Self {
        Self {
            session: join(log),
            namespace: counts(),
        }
    }
    fn transact(&mut self, n: u64) -> CommitId {
        self.session.append(record(&n.to_string())).unwrap();
        let batch = Commit {
            positions: vec![(topic(), Shard(0), Offset(n))],
            changes: vec![StateChange {
                namespace: Arc::clone(&self.namespace),
                shard: Shard(0),
                key: "count".into(),
                value: Some(n.to_string().into()),
            }],
        };
        match self.session.commit(batch).unwrap() {
            Committed::Yes(id) => id,
            other => panic!("{other:?}"),
        }
    }
}

/// How far a folder counted; records, positions and state must say the same.
fn counted(log: &Embedded) -> u64 {
    let found = count(log) as u64;
    let position = join(log).committed(&topic(), Shard(0)).unwrap();
    assert_eq!(position.unwrap_or_default(), Offset(found));
    let state = log.get(&counts(), Shard(0), b"count").unwrap();
    let state = state.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap());
    assert_eq!(state, found);
    found
}

#[test]
fn a_power_cut_loses_nothing_below_the_watermark() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let cut = Arc::new(PowerCut::new(&live));
    let gate = Arc::new(Gate::default());
    struct Both(Arc<Gate>, Arc<PowerCut>);
    impl PersistHook for Both {
        fn before(&self, up_to: CommitId) -> Result<(), String> {
            self.0.before(up_to)?;
            self.1.before(up_to)
        }
        fn after(&self, up_to: CommitId) {
            self.1.after(up_to);
        }
    }
    let both = Both(gate.clone(), cut.clone());
    let log = open(&live, Some(Arc::new(both)));
    let mut counter = Counter::new(&log);
    for round in 0..3 {
        let base = round * 20;
        let mut last = CommitId(0);
        for n in base + 1..=base + 10 {
            last = counter.transact(n);
        }
        assert!(log.wait_durable(last, LONG).unwrap());
        gate.set(Passage::Held);
        for n in base + 11..=base + 20 {
            counter.transact(n);
        }
        let copy = dir.path().join(format!("copy{round}"));
        let durable = cut.copy(&copy).unwrap();
        assert!(durable >= last, "what was acknowledged is durable");
        let after = open(&copy, None);
        assert!(after.committed() >= durable, "a durable commit is missing");
        assert!(after.committed() < log.committed(), "the tail was not cut");
        assert!(counted(&after) >= base + 10);
        gate.set(Passage::Open);
    }
}

#[test]
fn a_journal_that_ends_anywhere_leaves_whole_commits() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let log = open(&live, None);
    let mut counter = Counter::new(&log);
    counter.transact(1);
    let written = |dir: &Path| {
        let journal = std::fs::read(dir.join("0.jnl")).unwrap();
        journal.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
    };
    let first = written(&live);
    for n in 2..=10 {
        counter.transact(n);
    }
    let last = written(&live);
    let mut seen = std::collections::BTreeSet::new();
    for part in 0..=30 {
        let copy = dir.path().join(format!("copy{part}"));
        copy_folder(&live, &copy).unwrap();
        let journal = std::fs::OpenOptions::new()
            .write(true)
            .open(copy.join("0.jnl"))
            .unwrap();
        journal.set_len(first + (last - first) * part / 30).unwrap();
        seen.insert(counted(&open(&copy, None)));
    }
    assert_eq!(seen, (1..=10).collect());
}

#[test]
fn a_killed_process_loses_nothing_that_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let log = open(&live, None);
    let mut last = CommitId(0);
    for n in 0..500 {
        last = log.append(vec![record(&n.to_string())]).unwrap().commit;
    }
    // The files as the operating system has them: nothing was closed.
    let copy = dir.path().join("copy");
    copy_folder(&live, &copy).unwrap();
    let after = open(&copy, None);
    assert_eq!(after.committed(), last);
    assert_eq!(after.durable(), last);
    assert_eq!(count(&after), 500);
    let next = after.append(vec![record("next")]).unwrap();
    assert_eq!((next.commit, next.offsets), (CommitId(last.0 + 1), vec![Offset(500)]));
    drop(after);
    assert_eq!(count(&open(&copy, None)), 501);
}

/// A killed process may have left its newest commits with the operating system alone.
#[test]
fn what_is_found_is_synced_before_it_is_claimed() {
    let dir = tempfile::tempdir().unwrap();
    let last = open(dir.path(), None).append(vec![record("1")]).unwrap().commit;
    let gate = Arc::new(Gate::default());
    gate.set(Passage::Failing);
    let options = Options {
        persist_hook: Some(gate.clone()),
        ..Options::default()
    };
    match Embedded::open(dir.path(), options).map(drop) {
        Err(LogError::Fatal(text)) => assert!(text.contains("the disk is gone"), "{text}"),
        other => panic!("claimed without a sync: {other:?}"),
    }
    gate.set(Passage::Open);
    assert_eq!(open(dir.path(), Some(gate)).durable(), last);
}

#[test]
fn a_folder_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _log = open(dir.path(), None);
    let Err(LogError::Fatal(text)) = Embedded::open(dir.path(), Options::default()).map(drop) else {
        panic!("two may not have one folder");
    };
    assert!(
        text.contains("F0503") && text.contains("in use by another process"),
        "{text}"
    );
}
