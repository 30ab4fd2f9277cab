//! SIGKILL in every named moment, one data folder through all of them: after each restart the books agree, what was
//! acknowledged is there, and no position of a task has two digests.

use fermata_tests::harness::{
    Background, Books, Cli, Journals, PATIENCE, PIPELINE, Server, ServerSpec, Topics, number, until,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Of one run; `FERMATA_KILLS` asks for another number, a multiple of the moments.
const KILLS: u64 = 18;
const MOMENTS: [&str; 6] = ["append", "commit", "prepare", "switch", "first-commit", "probation"];
const STAGES: [&str; 4] = ["validate", "inflight", "account", "confirm"];
const CONFIG: &str = r#"{"accounts": 100, "bad": {"insufficient-funds": 0.02, "bad-amount": 0.02, "repeated": 0.02}}"#;
const RATE: &str = "500";

#[test]
fn a_kill_in_any_moment_loses_nothing_and_doubles_nothing() {
    let kills = number("FERMATA_KILLS", KILLS);
    let rounds = kills / MOMENTS.len() as u64;
    assert!(
        rounds > 0 && kills.is_multiple_of(MOMENTS.len() as u64),
        "FERMATA_KILLS={kills} leaves a moment out"
    );
    let dir = tempfile::tempdir().expect("a temporary folder");
    set_up(dir.path());
    let acknowledged = Arc::default();
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    for round in 0..rounds {
        for (place, moment) in MOMENTS.into_iter().enumerate() {
            let kill = Kill {
                number: round * MOMENTS.len() as u64 + place as u64,
                round,
                moment,
            };
            kill.carry_out(dir.path(), &acknowledged);
            settle(dir.path(), &kill);
            *done.entry(moment).or_default() += 1;
        }
    }
    let topics = Topics::open(dir.path());
    let books = Books::read(&topics);
    let totals = books.check_drained();
    assert!(
        totals.rejected > 0 && totals.repeated > 0 && totals.failed > 0,
        "{totals:?}"
    );
    let acknowledged = acknowledged.lock().expect("no panic holds it");
    assert!(
        acknowledged.len() as u64 >= kills,
        "a run without acknowledgements proves nothing"
    );
    for id in acknowledged.iter() {
        let life = books
            .lives
            .get(id)
            .unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
        assert_eq!((life.accepted, life.confirmed + life.failed), (1, 1), "{id}: {life:?}");
    }
    // That no position has two digests, and every version its receipt, is held while reading.
    let journals = Journals::read(&topics, "payments.journal");
    println!(
        "{kills} kills {done:?}: {totals:?}; {} acknowledged by hand, {} cutovers",
        acknowledged.len(),
        journals.sides.len()
    );
}

fn set_up(dir: &Path) {
    let server = Server::start(&ServerSpec::payments(dir));
    server.cli().ok(&[
        "generate", "--seed", "1000", "--count", "200", "--rate", "0", "--config", CONFIG,
    ]);
    server.stop();
}

/// One process that ends by SIGKILL.
struct Kill {
    number: u64,
    round: u64,
    moment: &'static str,
}

impl Kill {
    fn carry_out(&self, dir: &Path, acknowledged: &Arc<Mutex<Vec<String>>>) {
        // Other passes in other rounds: into a batch under way, and a shard that is not the first to switch.
        let pass = match self.moment {
            "append" | "commit" => 60 + 40 * self.round,
            "switch" | "first-commit" => 1 + self.round % 2,
            _ => 1,
        };
        let spec = ServerSpec::payments(dir).env("FERMATA_HOLD_AT", format!("{}:{pass}", self.moment));
        let server = Server::spawn(&spec);
        let cli = server.cli();
        let seed = (2_000 + self.number).to_string();
        let mut load = cli.background(&[
            "generate",
            "--no-setup",
            "--seed",
            &seed,
            "--rate",
            RATE,
            "--config",
            CONFIG,
        ]);
        let hand = Hand::start(&server, self.number, acknowledged);
        hand.first();
        if !self.in_any_batch() {
            flows(&cli, &mut load);
        }
        self.hold(&server, &cli);
        server.kill();
        hand.end();
        drop(load);
    }

    /// Reached without any deployment.
    fn in_any_batch(&self) -> bool {
        matches!(self.moment, "append" | "commit")
    }

    /// Until the named moment is reached; deployments are made for those that only they have.
    fn hold(&self, server: &Server, cli: &Cli) {
        let held = format!("held at {}", self.moment);
        if self.in_any_batch() {
            return server.says(&held);
        }
        let mut deploying: Option<Background> = None;
        let mut turn = self.number;
        until(&format!("the server is held at {}", self.moment), PATIENCE, || {
            if server.said(&held) {
                return Ok(());
            }
            // A deployment can pass fewer such moments than were asked for: then another one follows.
            if !deploying.as_mut().is_some_and(Background::running) {
                deploying = Some(deploy(cli, STAGES[(turn % 4) as usize]));
                turn += 1;
            }
            Err(server.stderr())
        });
    }
}

/// Waits until the load is under way: a few hundred payments more are confirmed.
fn flows(cli: &Cli, load: &mut Background) {
    let confirmed = || cli.view(&["confirmed"])["count"].as_u64().expect("a count");
    let before = confirmed();
    until("payments are confirmed", PATIENCE, || {
        assert!(load.running(), "the load has ended");
        let now = confirmed();
        if now > before + 300 { Ok(()) } else { Err(now) }
    });
}

/// To the version that is not live.
fn deploy(cli: &Cli, stage: &str) -> Background {
    let status = cli.json(&["status"]);
    let found = status["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|s| s["stage"] == stage);
    let minor = u64::from(found.unwrap_or_else(|| panic!("no {stage} in {status}"))["version"] == "1.0.0");
    let component = format!("builtin:{stage}@1.{minor}.0");
    cli.background(&[
        "deploy",
        stage,
        &component,
        "--probation",
        "300ms",
        "--wait",
        "--timeout",
        "60s",
    ])
}

/// Starts again on what the kill has left, and waits until everything has come to its end.
fn settle(dir: &Path, kill: &Kill) {
    let server = Server::start(&ServerSpec::payments(dir));
    let cli = server.cli();
    until("every deployment has ended", PATIENCE, || {
        let found = cli.json(&["deployments"]);
        let open = found["deployments"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|d| d["ended"] != true);
        if open { Err(found) } else { Ok(()) }
    });
    cli.ok(&["drain", "--wait", "--timeout", "60s"]);
    cli.ok(&["resume"]);
    // What the head still held comes in now.
    until("nothing waits and nothing is in flight", PATIENCE, || {
        let status = cli.json(&["status"]);
        if status["lag"] == 0 && status["in_flight"] == 0 {
            Ok(())
        } else {
            Err(status)
        }
    });
    let output = cli.run(&["verify", "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let (number, moment) = (kill.number, kill.moment);
    assert_eq!(
        output.status.code(),
        Some(0),
        "after kill {number} at {moment}: {report:#}"
    );
    server.stop();
}

/// A producer that remembers what was acknowledged to it.
struct Hand {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    acknowledged: Arc<Mutex<Vec<String>>>,
    before: usize,
}

impl Hand {
    fn start(server: &Server, kill: u64, acknowledged: &Arc<Mutex<Vec<String>>>) -> Self {
        let url = server.url(&format!("{PIPELINE}/topics/payment.incoming/records"));
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, list) = (stop.clone(), acknowledged.clone());
        let before = list.lock().expect("no panic holds it").len();
        let at = Command::new("date")
            .args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])
            .output()
            .expect("date is on every machine");
        let at = String::from_utf8(at.stdout)
            .expect("date writes ASCII")
            .trim()
            .to_owned();
        let thread = std::thread::spawn(move || {
            for batch in 0.. {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let ids: Vec<String> = (0..10).map(|n| format!("hand-{kill}-{batch}-{n}")).collect();
                let lines = ids.iter().enumerate().map(|(n, id)| {
                    let (from, to) = (format!("acct-{n}"), format!("acct-{}", n + 1));
                    json!({ "id": id, "from": from, "to": to, "amount": 7, "currency": "EUR", "at": at }).to_string()
                });
                let body = lines.collect::<Vec<_>>().join("\n");
                match fermata_tests::harness::post(&url, "application/x-ndjson", &body) {
                    Ok(answer) if answer.status == 202 => list.lock().expect("no panic holds it").extend(ids),
                    Ok(answer) => panic!("payments by hand were refused: {answer:?}"),
                    // Killed: whether these came in is not known.
                    Err(_) => return,
                }
                // A pace, not a wait: many small acknowledgements, but no flood.
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        Self {
            stop,
            thread,
            acknowledged: acknowledged.clone(),
            before,
        }
    }

    /// Waits for the first acknowledgement.
    fn first(&self) {
        until("payments by hand are acknowledged", PATIENCE, || {
            let now = self.acknowledged.lock().expect("no panic holds it").len();
            if now > self.before { Ok(()) } else { Err(now) }
        });
    }

    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("no payment by hand was refused");
    }
}
