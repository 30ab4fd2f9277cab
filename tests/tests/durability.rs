//! fsync is real: while the disk holds back, nothing is acknowledged, shown or answered; when it fails, the process
//! stops; and what a power cut leaves has everything that was acknowledged.

mod file_limit;
mod gate;
mod power_cut;
mod running;
mod writes;

use fermata_core::journal::JournalRecord;
use fermata_core::partition::shard_of;
use fermata_core::ports::{LogError, Moment};
use fermata_core::{NewRecord, Timestamp, TopicName};
use fermata_tests::harness::{Answer, Cli, PIPELINE, Server, ServerSpec, payment, post, until};
use gate::{Gate, HoldsAt};
use running::{PATIENCE, Running, manifest};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Time that is enough for an acknowledgement that must not come.
const MOMENT: Duration = Duration::from_millis(300);

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
    let asked = [
        "/views/payment/held",
        "/views/inflight",
        "/views/ledger",
        "/status",
        "/metrics",
        "/topics",
        "/topics/payment.confirmed",
        "/topics/payment.confirmed/records",
        "/topics/payment.incoming/records",
        "/topics/payments.journal/records",
    ];
    let asked = asked.map(|path| (path, running.asking(path)));
    let log = &running.host.app.log;
    let appended = log.append(vec![by_hand("append")]).expect("the log takes it");
    assert!(
        !log.wait_durable(appended.commit, MOMENT).expect("it can be asked"),
        "an append is durable without a sync"
    );
    for (path, answer) in asked {
        let answer = answer.join().expect("it does not panic").expect("the API answers");
        assert_eq!(answer.status, 503, "{path} shows what is not on the disk: {answer:?}");
        assert!(!answer.text.contains("held"), "{path}: {}", answer.text);
    }
    assert_eq!(
        running.shown(),
        shown,
        "counters and rates show what is not on the disk"
    );
    let again = running.paying("again");
    running.confirmed_inside("again");
    assert!(
        !again.is_finished(),
        "a payment is acknowledged without a sync: {:?}",
        again.join()
    );

    gate.open();
    assert_eq!(again.join().expect("it does not panic").map(|a| a.status), Ok(202));
    // That one may have given up waiting meanwhile: then it was not acknowledged, and is there all the same.
    let held = held.join().expect("it does not panic").expect("the API answers");
    assert!(matches!(held.status, 202 | 503), "{held:?}");
    running.complete("held");
    running.complete("append");
    running.quiet(4);
    assert_ne!(running.shown(), shown);
    let records = running
        .get("/topics/payment.confirmed/records")
        .expect("the API answers");
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
    // The first cutover may be so quick that the command itself is not on the disk yet.
    let deploying = running.deploying("builtin:account@1.1.0");
    let receipts = || {
        let journal = running.journal();
        let records = journal
            .iter()
            .map(|r| JournalRecord::decode_bytes(r.value.as_deref().unwrap_or_default()));
        records
            .map(|r| r.expect("a journal record").receipts.len())
            .sum::<usize>()
    };
    until("every task has switched inside", PATIENCE, || match receipts() {
        4 => Ok(()),
        found => Err(found),
    });
    // Whether the deployment itself is shown yet depends on when its own facts were synced.
    let nothing = |answer: Answer, list: &str| {
        let shown = answer.body[list].as_array().map_or(0, Vec::len);
        assert!(shown == 0 && matches!(answer.status, 200 | 404), "{list}: {answer:?}");
    };
    nothing(
        running.get("/deployments/1/receipts").expect("the API answers"),
        "receipts",
    );
    nothing(running.get("/deployments/1").expect("the API answers"), "tasks");
    let mut tasks = running
        .host
        .app
        .board
        .reports()
        .into_values()
        .flat_map(|r| r.tasks.into_values());
    assert!(tasks.all(|t| t.deployment == 0), "a report shows the new version");

    gate.open();
    until("the deployment is promoted", PATIENCE, || {
        match running.get("/deployments/1") {
            Ok(answer) if answer.body["state"] == "Promoted" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let deploying = deploying.join().expect("it does not panic").expect("the API answers");
    assert!(matches!(deploying.status, 202 | 503), "{deploying:?}");
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
        assert!(
            answer.as_ref().map_or(true, |a| a.status >= 500),
            "acknowledged: {answer:?}"
        );
    };
    refused(running.pay("lost"));
    let because = until("the process knows", PATIENCE, || running.host.failed().ok_or(()));
    assert!(
        because.contains("the disk is gone") && because.contains("F0501"),
        "{because}"
    );
    refused(running.pay("after"));
    refused(running.get("/views/payment/lost"));
    refused(running.get("/topics/payment.incoming/records"));
    refused(running.post("/pause", json!({})));
    let answer = running.host.app.log.append(vec![by_hand("append")]);
    assert!(matches!(answer, Err(LogError::Fatal(_))), "{answer:?}");
    assert!(
        running.host.stop().is_err(),
        "a process whose disk failed must not end well"
    );

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
    assert!(
        server.said("FERMATA_PERSIST") && server.said("start again"),
        "{}",
        server.stderr()
    );
    assert!(
        !acknowledged.is_empty() && acknowledged.len() < 60,
        "{} acknowledged",
        acknowledged.len()
    );

    let server = Server::start(&spec);
    let cli = server.cli();
    for id in &acknowledged {
        until(&format!("payment {id} is complete"), PATIENCE, || {
            let found = server.get(&format!("{PIPELINE}/views/payment/{id}"));
            if found.body["data"]["state"] == "complete" {
                Ok(())
            } else {
                Err(found)
            }
        });
    }
    cli.read_all_and_drain();
    cli.ok(&["verify"]);
    server.stop();
    let nonsense = ServerSpec::payments(dir.path()).env("FERMATA_PERSIST", "sometimes");
    let output = Cli::nowhere()
        .command(&[
            "run",
            "-f",
            &nonsense.manifest.display().to_string(),
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(dir.path())
        .envs(nonsense.env)
        .output();
    assert_eq!(output.expect("the binary starts").status.code(), Some(2));
}
