//! Folders as a power cut leaves them, while payments are being made.

use super::gate::Gate;
use super::running::{PATIENCE, Running, manifest};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_runtime::verify::{Replay, VerifySpec, verify};
use fermata_server::{books, host::flow};
use fermata_store::{Embedded, Options};
use fermata_tests::harness::{Books, Topics, payment, post, until};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Of one run.
const CUTS: usize = 4;

/// Pays without pause, one at a time, until told to stop.
fn payer(
    intake: String,
    acknowledged: &Arc<Mutex<Vec<String>>>,
    stop: &Arc<AtomicBool>,
) -> std::thread::JoinHandle<()> {
    let (acknowledged, stop) = (acknowledged.clone(), stop.clone());
    std::thread::spawn(move || {
        for n in 0.. {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let id = format!("paid-{n}");
            let body = payment(&id, &format!("acct-{}", n % 5)).to_string();
            let answer = post(&intake, "application/json", &body).expect("the API answers");
            assert_eq!(answer.status, 202, "{answer:?}");
            acknowledged.lock().expect("no panic holds it").push(id);
        }
    })
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let live = root.path().join("live");
    std::fs::create_dir(&live).expect("a folder");
    let gate = Gate::new(&live);
    let running = Running::start(&live, &gate, None);
    let _opened = gate.opened_at_last();
    let (acknowledged, stop) = (Arc::default(), Arc::default());
    let payer = payer(running.intake(), &acknowledged, &stop);
    let known = || acknowledged.lock().expect("no panic holds it").clone();
    let mut cuts = Vec::new();
    for cut in 0..CUTS {
        let before = known().len();
        until("more payments are acknowledged", PATIENCE, || match known().len() {
            now if now >= before + 20 => Ok(()),
            now => Err(now),
        });
        if cut == 1 {
            let deployed = running
                .deploying("builtin:account@1.1.0")
                .join()
                .expect("it does not panic");
            assert_eq!(deployed.map(|a| a.status), Ok(202));
        }
        gate.hold();
        // One payment is under way at most: it must be beyond the last sync.
        until("a payment is inside and not on the disk", PATIENCE, || {
            let (inside, known) = (running.inside("payment.incoming").len(), known().len());
            if inside > known { Ok(()) } else { Err((inside, known)) }
        });
        let known = known();
        let copy = root.path().join(format!("cut-{cut}"));
        gate.cut.copy(&copy).expect("the folder can be copied");
        cuts.push((copy, known, running.inside("payment.incoming").len()));
        gate.open();
    }
    stop.store(true, Ordering::SeqCst);
    payer.join().expect("every payment was acknowledged");
    running.host.stop().unwrap_or_else(|failure| panic!("{failure}"));
    let mut lost = 0;
    for (copy, known, inside) in &cuts {
        lost += inside - survives(copy, known);
    }
    println!(
        "{CUTS} power cuts, {} acknowledged at the last, {lost} taken that nobody was promised",
        cuts[CUTS - 1].1.len()
    );
    assert!(lost > 0, "no power cut has taken anything: it proves nothing");
}

/// The books of what a power cut left agree, at once and after it has run on; how many payments it had.
fn survives(copy: &Path, acknowledged: &[String]) -> usize {
    let count = {
        let log = Embedded::open(copy, Options::default()).unwrap_or_else(|e| panic!("{e}"));
        let (executor, artifacts) = (NativeExecutor::default(), NativeArtifacts::default());
        let replay = Some(Replay::new(&executor, &artifacts));
        let report = verify(&VerifySpec {
            manifest: &manifest(),
            log: &*log,
            views: None,
            replay,
        });
        let report = report.unwrap_or_else(|e| panic!("{e}"));
        assert!(report.ok, "{:#?}", report.problems);
        Topics::on(log).records("payment.incoming").len()
    };
    let running = Running::start(copy, &Gate::new(copy), None);
    flow::take_in_and_drain(&running.host.app, "test", PATIENCE).unwrap_or_else(|failure| panic!("{failure}"));
    let report = books::live(&running.host.app, true).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report["ok"], true, "{report:#}");
    running.host.stop().unwrap_or_else(|failure| panic!("{failure}"));
    let books = Books::read(&Topics::open(copy));
    books.check_drained();
    for id in acknowledged {
        let life = books
            .lives
            .get(id)
            .unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
        assert_eq!((life.accepted, life.confirmed), (1, 1), "{id}: {life:?}");
    }
    count
}
