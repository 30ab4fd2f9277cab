//! fsync is real: while the disk holds back, nothing is acknowledged, shown or answered; when it fails, the process
//! stops; and what a power cut leaves has everything that was acknowledged.

mod gate;
mod running;

use fermata_core::journal::JournalRecord;
use fermata_core::ports::{LogError, Moment};
use fermata_core::partition::shard_of;
use fermata_core::{NewRecord, Timestamp, TopicName};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_runtime::verify::{Replay, VerifySpec, verify};
use fermata_server::{books, host::flow};
use fermata_store::{Embedded, Options};
use fermata_tests::harness::{Answer, Books, Cli, PIPELINE, Server, ServerSpec, Topics, payment, post, until};
use gate::{Gate, HoldsAt};
use running::{PATIENCE, Running, manifest};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time that is enough for an acknowledgement that must not come.
const MOMENT: Duration = Duration::from_millis(300);
/// Power cuts of one run.
const CUTS: usize = 4;

fn by_hand(id: &str) -> NewRecord {
    NewRecord {
        topic: TopicName::new("payment.incoming").expect("a topic's name"),
        shard: shard_of(id.as_bytes(), manifest().partitions),
        timestamp: Timestamp(0),
        key: Some(id.to_owned().into()),
        value: Some(payment(id, "acct-1").to_string().into()),
        headers: Vec::new(),
    }
}

#[test]
fn while_the_sync_is_held_nothing_is_acknowledged_shown_or_answered() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let gate = Gate::new(dir.path());
    let running = Running::start(dir.path(), &gate, None);
    let _opened = gate.opened_at_last();
    assert_eq!(running.pay("before").map(|a| a.status), Ok(202));
    running.complete("before");
    running.quiet(1);
    let shown = running.shown();

    gate.hold();
    let held = running.paying("held");
    running.confirmed_inside("held");
    let asked = ["/views/payment/held", "/views/inflight", "/views/ledger", "/status", "/metrics", "/topics",
        "/topics/payment.confirmed", "/topics/payment.confirmed/records", "/topics/payment.incoming/records",
        "/topics/payments.journal/records"];
    let asked = asked.map(|path| (path, running.asking(path)));
    let log = &running.host.app.log;
    let appended = log.append(vec![by_hand("append")]).expect("the log takes it");
    assert!(!log.wait_durable(appended.commit, MOMENT).expect("it can be asked"), "an append is durable without a sync");
    for (path, answer) in asked {
        let answer = answer.join().expect("it does not panic").expect("the API answers");
        assert_eq!(answer.status, 503, "{path} shows what is not on the disk: {answer:?}");
        assert!(!answer.text.contains("held"), "{path}: {}", answer.text);
    }
    assert_eq!(running.shown(), shown, "counters and rates show what is not on the disk");
    let again = running.paying("again");
    running.confirmed_inside("again");
    assert!(!again.is_finished(), "a payment is acknowledged without a sync: {:?}", again.join());

    gate.open();
    assert_eq!(again.join().expect("it does not panic").map(|a| a.status), Ok(202));
    // That one may have given up waiting meanwhile: then it was not acknowledged, and is there all the same.
    let held = held.join().expect("it does not panic").expect("the API answers");
    assert!(matches!(held.status, 202 | 503), "{held:?}");
    running.complete("held");
    running.complete("append");
    running.quiet(4);
    assert_ne!(running.shown(), shown);
    let records = running.get("/topics/payment.confirmed/records").expect("the API answers");
    for id in ["before", "held", "again", "append"] {
        assert!(records.text.contains(id), "{records:?}");
    }
    running.host.stop().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_receipt_is_shown_once_it_is_on_the_disk() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let gate = Gate::new(dir.path());
    let running = Running::start(dir.path(), &gate, Some(Arc::new(HoldsAt(Moment::Switch, gate.clone()))));
    let _opened = gate.opened_at_last();
    assert_eq!(running.pay("before").map(|a| a.status), Ok(202));
    running.complete("before");
    running.deploy("builtin:account@1.1.0");
    let receipts = || {
        let journal = running.journal();
        let records = journal.iter().map(|r| JournalRecord::decode_bytes(r.value.as_deref().unwrap_or_default()));
        records.map(|r| r.expect("a journal record").receipts.len()).sum::<usize>()
    };
    until("every task has switched inside", PATIENCE, || match receipts() {
        4 => Ok(()),
        found => Err(found),
    });
    let answer = running.get("/deployments/1/receipts").expect("the API answers");
    assert_eq!(answer.body["receipts"], json!([]), "{answer:?}");
    let deployment = running.get("/deployments/1").expect("the API answers").body;
    assert_eq!((&deployment["tasks"], &deployment["ended"]), (&json!([]), &json!(false)), "{deployment}");
    let mut tasks = running.host.app.board.reports().into_values().flat_map(|r| r.tasks.into_values());
    assert!(tasks.all(|t| t.deployment == 0), "a report shows the new version");

    gate.open();
    until("the deployment is promoted", PATIENCE, || match running.get("/deployments/1") {
        Ok(answer) if answer.body["state"] == "Promoted" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let answer = running.get("/deployments/1/receipts").expect("the API answers");
    assert_eq!(answer.body["receipts"].as_array().map(Vec::len), Some(4), "{answer:?}");
}

#[test]
fn when_the_sync_fails_nothing_is_acknowledged_any_more() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let gate = Gate::new(dir.path());
    let running = Running::start(dir.path(), &gate, None);
    assert_eq!(running.pay("before").map(|a| a.status), Ok(202));
    running.complete("before");
    gate.fail();
    let refused = |answer: Result<Answer, String>| {
        assert!(answer.as_ref().map_or(true, |a| a.status >= 500), "acknowledged: {answer:?}");
    };
    refused(running.pay("lost"));
    let because = until("the process knows", PATIENCE, || running.host.failed().ok_or(()));
    assert!(because.contains("the disk is gone") && because.contains("F0501"), "{because}");
    refused(running.pay("after"));
    refused(running.get("/views/payment/lost"));
    refused(running.get("/topics/payment.incoming/records"));
    refused(running.post("/pause", json!({})));
    let answer = running.host.app.log.append(vec![by_hand("append")]);
    assert!(matches!(answer, Err(LogError::Fatal(_))), "{answer:?}");
    assert!(running.host.stop().is_err(), "a process whose disk failed must not end well");

    gate.open();
    let running = Running::start(dir.path(), &gate, None);
    running.complete("before");
}

#[test]
fn a_process_whose_sync_fails_stops_with_an_error() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let spec = ServerSpec::payments(dir.path());
    let mut server = Server::start(&spec.clone().env("FERMATA_PERSIST", "fail:60"));
    let intake = server.url(&format!("{PIPELINE}/topics/payment.incoming/records"));
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let id = format!("by-hand-{n}");
        match post(&intake, "application/json", &payment(&id, "acct-1").to_string()) {
            Ok(answer) if answer.status == 202 => acknowledged.push(id),
            Ok(answer) if answer.status < 500 => panic!("{answer:?}"),
            _ => break,
        }
    }
    let status = server.ended(PATIENCE);
    assert_eq!(status.code(), Some(1), "{}", server.stderr());
    server.says("F0501");
    assert!(server.said("FERMATA_PERSIST") && server.said("start again"), "{}", server.stderr());
    assert!(!acknowledged.is_empty() && acknowledged.len() < 60, "{} acknowledged", acknowledged.len());

    let server = Server::start(&spec);
    let cli = server.cli();
    for id in &acknowledged {
        until(&format!("payment {id} is complete"), PATIENCE, || {
            let found = server.get(&format!("{PIPELINE}/views/payment/{id}"));
            if found.body["data"]["state"] == "complete" { Ok(()) } else { Err(found) }
        });
    }
    cli.ok(&["drain", "--wait"]);
    cli.ok(&["verify"]);
    server.stop();
    let nonsense = ServerSpec::payments(dir.path()).env("FERMATA_PERSIST", "sometimes");
    let output = Cli::nowhere()
        .command(&["run", "-f", &nonsense.manifest.display().to_string(), "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path())
        .envs(nonsense.env)
        .output();
    assert_eq!(output.expect("the binary starts").status.code(), Some(2));
}

/// Pays without pause, one at a time, until told to stop.
fn payer(intake: String, acknowledged: &Arc<Mutex<Vec<String>>>, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
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
            running.deploy("builtin:account@1.1.0");
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
    println!("{CUTS} power cuts, {} acknowledged at the last, {lost} taken that nobody was promised", cuts[CUTS - 1].1.len());
    assert!(lost > 0, "no power cut has taken anything: it proves nothing");
}

/// The books of what a power cut left agree, at once and after it has run on; how many payments it had.
fn survives(copy: &Path, acknowledged: &[String]) -> usize {
    let count = {
        let log = Embedded::open(copy, Options::default()).unwrap_or_else(|e| panic!("{e}"));
        let (executor, artifacts) = (NativeExecutor::default(), NativeArtifacts::default());
        let replay = Some(Replay::new(&executor, &artifacts));
        let report = verify(&VerifySpec { manifest: &manifest(), log: &*log, views: None, replay });
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
        let life = books.lives.get(id).unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
        assert_eq!((life.accepted, life.confirmed), (1, 1), "{id}: {life:?}");
    }
    count
}
