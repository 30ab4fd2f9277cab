//! Swaps in a row over all stages under load. Nothing is lost or doubled, each receipt stands between records of both
//! digests, and what the new version adds can be seen while it is live.

use fermata_core::journal::JournalRecord;
use fermata_tests::harness::{
    Books, Cli, Journals, PATIENCE, PIPELINE, Server, ServerSpec, Topics, number, quantiles, until,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Of one run; `FERMATA_SWAPS` asks for another number.
const SWAPS: u64 = 40;
const RATE: &str = "2000";
const CONFIG: &str = r#"{"accounts": 200}"#;
const STAGES: [&str; 4] = ["validate", "inflight", "account", "confirm"];

/// What 1.1.0 of a stage answers and 1.0.0 does not.
fn new_field(cli: &Cli, stage: &str) -> Value {
    match stage {
        "validate" => cli.view(&["rejections"])["share"].clone(),
        "inflight" => cli.view(&["inflight"])["mean_value_minor"].clone(),
        "account" => cli.view(&["account", "acct-0"])["movements"].clone(),
        "confirm" => cli.view(&["confirmed"])["mean_value_minor"].clone(),
        other => panic!("no stage {other}"),
    }
}

/// Records that a task has processed, by the last record of its shard's journal.
fn processed(server: &Server, stage: &str, shard: u64) -> u64 {
    let journal = format!("{PIPELINE}/topics/payments.journal");
    let end = server.get(&journal).body["partitions"][shard as usize]["end"]
        .as_u64()
        .expect("an offset");
    let last = server.get(&format!(
        "{journal}/records?partition={shard}&offset={}&limit=1",
        end - 1
    ));
    let record = &last.body["records"][0];
    let bytes = match record["value_hex"].as_str() {
        Some(hex) => hex::decode(hex).expect("hex digits"),
        None => record["value"]
            .as_str()
            .unwrap_or_else(|| panic!("no value in {last:?}"))
            .as_bytes()
            .to_vec(),
    };
    let record = JournalRecord::decode_bytes(&bytes).expect("a journal record");
    let task = record
        .tasks
        .iter()
        .find(|t| t.stage == stage)
        .unwrap_or_else(|| panic!("no {stage} in the journal"));
    task.counts.unwrap_or_default().processed
}

/// How long each task was silent.
#[derive(Default)]
struct Pauses {
    bare: Vec<u64>,
    synced: Vec<u64>,
}

fn swap(server: &Server, round: u64, pauses: &mut Pauses) {
    let cli = server.cli();
    let stage = STAGES[(round % 4) as usize];
    let minor = 1 - round / 4 % 2;
    let component = format!("builtin:{stage}@1.{minor}.0");
    let done = cli.json(&[
        "deploy",
        stage,
        &component,
        "--probation",
        "200ms",
        "--wait",
        "--timeout",
        "120s",
    ]);
    assert_eq!(done["deployment"]["state"], "Promoted", "{done}");
    let receipts = done["receipts"].as_array().expect("a list");
    assert_eq!(receipts.len(), 4, "one a shard: {done}");
    for receipt in receipts {
        assert_ne!(receipt["old"]["digest"], receipt["new"]["digest"], "{receipt}");
    }
    // A receipt is written before its transaction ends; the deployment knows the whole pause.
    for task in done["deployment"]["tasks"].as_array().expect("a list") {
        pauses.bare.push(task["pause_micros"].as_u64().expect("microseconds"));
        pauses.synced.extend(task["synced_micros"].as_u64());
    }
    let field = new_field(&cli, stage);
    assert_eq!(field.is_null(), minor == 0, "swap {round}: {component} answers {field}");
    // Each side of each receipt shall have records, however slow the machine.
    for receipt in receipts {
        let shard = receipt["shard"].as_u64().expect("a number");
        let before = receipt["processed_before"].as_u64().expect("a count");
        until(
            &format!("{component} processes records on shard {shard}"),
            PATIENCE,
            || {
                let now = processed(server, stage, shard);
                if now > before + 10 { Ok(()) } else { Err(now) }
            },
        );
    }
}

#[test]
fn swaps_in_a_row_lose_nothing_and_double_nothing() {
    let swaps = number("FERMATA_SWAPS", SWAPS);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&ServerSpec::payments(dir.path()));
    let cli = server.cli();
    let mut load = cli.background(&[
        "generate", "--rate", RATE, "--seed", "7", "--config", CONFIG, "-o", "json",
    ]);
    until("payments are confirmed", PATIENCE, || {
        match cli.view(&["confirmed"])["count"].as_u64() {
            Some(count) if count > 1_000 => Ok(()),
            found => Err(found),
        }
    });
    let mut pauses = Pauses::default();
    for round in 0..swaps {
        assert!(load.running(), "the load has ended before swap {round}");
        swap(&server, round, &mut pauses);
    }
    let sent = load.interrupt();
    assert!(
        sent.status.success(),
        "the load failed: {}",
        String::from_utf8_lossy(&sent.stderr)
    );
    let sent: Value = serde_json::from_slice(&sent.stdout).expect("one JSON object");
    cli.read_all_and_drain();
    cli.ok(&["verify"]);
    server.stop();

    let topics = Topics::open(dir.path());
    let totals = sums(&topics, &sent);
    let journals = both_sides(&topics, swaps);
    let cuts = || journals.sides.iter().map(|s| s.at_micros);
    let during = cuts().min().unwrap_or_default()..cuts().max().unwrap_or_default();
    let silences = journals.silences("confirm", during);
    println!("{swaps} swaps at {RATE}/s; {totals}");
    println!("pause {}", quantiles(&pauses.bare));
    println!("with the sync {}", quantiles(&pauses.synced));
    let silences: Vec<_> = silences
        .iter()
        .map(|(shard, us)| format!("{shard}: {:.1} ms", *us as f64 / 1e3))
        .collect();
    println!(
        "longest silence on payment.confirmed, by shard: {}",
        silences.join(", ")
    );
}

/// Everything that was sent is there once, and has ended once.
fn sums(topics: &Topics, sent: &Value) -> String {
    let books = Books::read(topics);
    let totals = books.check_drained();
    let count = |name: &str| sent[name].as_u64().unwrap_or_else(|| panic!("no {name} in {sent}"));
    assert_eq!(totals.taken_in, count("setup") + count("taken_in"), "{sent}");
    assert_eq!(
        totals.accepted, totals.taken_in,
        "only good payments were sent: {totals:?}"
    );
    for sequence in 0..totals.taken_in {
        assert!(
            books.lives.contains_key(&format!("p-7-{sequence}")),
            "payment {sequence} is missing"
        );
    }
    let two: BTreeMap<_, _> = books
        .digests
        .iter()
        .map(|(stage, all)| (stage.as_str(), all.len()))
        .collect();
    assert_eq!(
        two,
        STAGES.map(|stage| (stage, 2)).into(),
        "both versions of each stage have written"
    );
    format!("{totals:?}")
}

/// Each receipt stands between records of two digests, on every shard; that runs join there is held while reading.
fn both_sides(topics: &Topics, swaps: u64) -> Journals {
    let journals = Journals::read(topics, "payments.journal");
    let deployments: BTreeSet<u64> = journals.sides.iter().map(|s| s.deployment).collect();
    assert_eq!(deployments, (1..=swaps).collect(), "every swap has left its receipts");
    assert_eq!(journals.sides.len() as u64, swaps * 4, "one for each shard");
    for side in &journals.sides {
        assert_ne!(side.old.component, side.new.component, "{side:?}");
        assert!(side.before > 0 && side.after > 0, "records on both sides: {side:?}");
        assert!(!side.rollback, "{side:?}");
    }
    journals
}
