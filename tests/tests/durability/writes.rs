//! Writes and syncs that fail, one after another: whichever it is, nothing that was acknowledged is lost.

use super::gate::Gate;
use super::running::{PATIENCE, Running};
use fermata_core::CommitId;
use fermata_server::{books, host::flow};
use fermata_store::PersistHook;
use fermata_tests::harness::{Books, Topics, until};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which of the writes or syncs fails, and all after it. The first ones are those of a start.
const FAILING: [u64; 9] = [1, 2, 4, 7, 11, 19, 32, 55, 90];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Write,
    Sync,
}

/// A disk that fails at its n-th step.
struct FailsAt {
    step: Step,
    left: AtomicU64,
}

impl FailsAt {
    fn new(step: Step, n: u64) -> Arc<Self> {
        let left = AtomicU64::new(n - 1);
        Arc::new(Self { step, left })
    }

    fn begin(&self, step: Step) -> Result<(), String> {
        let one_less = |left: u64| left.checked_sub(1);
        let relaxed = Ordering::SeqCst;
        if step != self.step || self.left.fetch_update(relaxed, relaxed, one_less).is_ok() {
            return Ok(());
        }
        Err("the disk is gone".to_owned())
    }
}

impl PersistHook for FailsAt {
    fn writing(&self, _: CommitId) -> Result<(), String> {
        self.begin(Step::Write)
    }
    fn before(&self, _: CommitId) -> Result<(), String> {
        self.begin(Step::Sync)
    }
}

/// Pays until the process fails, with a deployment on the way: why it failed, and what was acknowledged.
fn pay_until_failed(dir: &Path, hook: Arc<FailsAt>) -> (String, Vec<String>) {
    let running = match Running::hooked(dir, hook, None) {
        Ok(running) => running,
        Err(because) => return (because, Vec::new()),
    };
    let deploying = running.deploying("builtin:account@1.1.0");
    let mut acknowledged = Vec::new();
    let because = until("the process fails", PATIENCE, || {
        let id = format!("paid-{}", acknowledged.len());
        match running.pay(&id) {
            Ok(answer) if answer.status == 202 => {
                acknowledged.push(id);
                Err(acknowledged.len())
            }
            Ok(answer) if answer.status < 500 => panic!("{answer:?}"),
            _ => running.host.failed().ok_or(acknowledged.len()),
        }
    });
    // The deployment may have been taken or not; its answer is given either way.
    deploying.join().expect("it does not panic").ok();
    assert!(
        running.host.stop().is_err(),
        "a process whose disk failed must not end well"
    );
    (because, acknowledged)
}

/// On a disk that is well again everything acknowledged is there, the books agree, and payments go on.
fn goes_on(dir: &Path, acknowledged: &[String]) {
    let running = Running::start(dir, &Gate::new(dir), None);
    assert_eq!(running.pay("after").map(|answer| answer.status), Ok(202));
    flow::take_in_and_drain(&running.host.app, "test", PATIENCE).unwrap_or_else(|failure| panic!("{failure}"));
    let report = books::live(&running.host.app, true).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report["ok"], true, "{report:#}");
    running.host.stop().unwrap_or_else(|failure| panic!("{failure}"));
    let books = Books::read(&Topics::open(dir));
    books.check_drained();
    for id in acknowledged.iter().map(String::as_str).chain(["after"]) {
        let life = books.lives.get(id);
        let life = life.unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
        assert_eq!((life.accepted, life.confirmed), (1, 1), "{id}: {life:?}");
    }
}

fn whichever_fails(step: Step) {
    let mut all = 0;
    for n in FAILING {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (because, acknowledged) = pay_until_failed(dir.path(), FailsAt::new(step, n));
        assert!(
            because.contains("the disk is gone") && because.contains("F0501"),
            "{step:?} {n}: {because}"
        );
        goes_on(dir.path(), &acknowledged);
        all += acknowledged.len();
    }
    println!("{step:?} {FAILING:?} failed: {all} acknowledged in all, none lost");
    assert!(all > 0, "nothing was ever acknowledged");
}

#[test]
fn whichever_write_fails_nothing_acknowledged_is_lost() {
    whichever_fails(Step::Write);
}

#[test]
fn whichever_sync_fails_nothing_acknowledged_is_lost() {
    whichever_fails(Step::Sync);
}
