//! `verify` is real: whoever changes a stopped folder through the store itself, so that all its checksums hold, is
//! found out, and told what does not agree.

use fermata_core::journal::JournalRecord;
use fermata_core::{Record, Shard, TopicName};
use fermata_store::surgery::{Folder, copy_folder};
use fermata_tests::harness::{Cli, Server, ServerSpec};
use serde_json::Value;
use std::path::{Path, PathBuf};

const CONFIG: &str = r#"{"accounts": 40, "bad": {"insufficient-funds": 0.03, "bad-amount": 0.03, "repeated": 0.03}}"#;
const JOURNAL: &str = "payments.journal";

/// Some hundred payments with a swap in their midst.
fn record(dir: &Path) {
    let server = Server::start(&ServerSpec::payments(dir));
    let cli = server.cli();
    cli.ok(&[
        "generate", "--seed", "3", "--count", "250", "--rate", "0", "--config", CONFIG,
    ]);
    cli.ok(&[
        "deploy",
        "account",
        "builtin:account@1.1.0",
        "--probation",
        "200ms",
        "--wait",
        "--timeout",
        "120s",
    ]);
    let more = [
        "generate",
        "--seed",
        "3",
        "--from",
        "250",
        "--no-setup",
        "--count",
        "250",
        "--rate",
        "0",
    ];
    cli.ok(&[&more[..], &["--config", CONFIG]].concat());
    cli.read_all_and_drain();
    server.stop();
}

/// A recorded folder, and copies of it.
struct Recorded {
    root: tempfile::TempDir,
    original: PathBuf,
}

impl Recorded {
    fn make() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let original = root.path().join("original");
        record(&original);
        Self { root, original }
    }

    /// What `verify` prints for a copy after `edit`, which answers what has to be named. It must end with `exit`.
    fn verify(&self, name: &str, more: &[&str], exit: i32, edit: impl FnOnce(&Folder) -> String) -> (Value, String) {
        let copy = self.root.path().join(name);
        copy_folder(&self.original, &copy).expect("the folder can be copied");
        let place = edit(&Folder::open(&copy).expect("the copy opens"));
        let fixed = [
            "verify",
            "-o",
            "json",
            "--data-dir",
            copy.to_str().expect("a path of ASCII"),
        ];
        let out = Cli::nowhere().exits(&[&fixed, more].concat(), exit);
        let report = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{name}: no JSON ({e}): {out}"));
        (report, place)
    }

    /// The edit is found, by these checks, one of which names the place.
    fn found(&self, name: &str, more: &[&str], checks: &[&str], edit: impl FnOnce(&Folder) -> String) {
        let (report, place) = self.verify(name, more, 8, edit);
        let problems: Vec<(&str, &str)> = report["problems"].as_array().into_iter().flatten().map(text).collect();
        println!("{name}, at {place}: {problems:?}");
        for check in checks {
            assert!(
                problems.iter().any(|(c, _)| c == check),
                "{name}: {check} says nothing: {report:#}"
            );
        }
        assert!(
            problems.iter().any(|(_, what)| what.contains(&place)),
            "{name}: {place} is not named: {report:#}"
        );
    }
}

fn text(problem: &Value) -> (&str, &str) {
    let part = |name: &str| {
        problem[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {problem}"))
    };
    (part("check"), part("what"))
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).expect("a topic's name")
}

/// The fullest partition of a topic.
fn fullest(folder: &Folder, name: &str) -> Vec<Record> {
    let all = (0..4).map(|shard| {
        folder
            .list(&topic(name), Shard(shard))
            .expect("a partition can be listed")
    });
    all.max_by_key(Vec::len).expect("there are four")
}

fn put(folder: &Folder, record: &Record) {
    folder.put_record(record).expect("the record can be written");
}

fn one_journal_record_dropped(folder: &Folder) -> String {
    let journal = fullest(folder, JOURNAL);
    let dropped = &journal[journal.len() / 2];
    assert!(
        folder
            .delete_record(&dropped.topic, dropped.shard, dropped.offset)
            .expect("it can be deleted")
    );
    journal[journal.len() / 2 + 1].coordinates()
}

fn one_end_doubled(folder: &Folder) -> String {
    let ends = fullest(folder, "payment.confirmed");
    let mut again = ends[ends.len() / 2].clone();
    again.offset = ends.last().expect("there are some").offset.next();
    put(folder, &again);
    again.coordinates()
}

/// The last digit of an amount, so that it stays a payment.
fn one_byte_changed(folder: &Folder, name: &str) -> Record {
    let mut records = fullest(folder, name);
    let mut record = records.swap_remove(records.len() / 2);
    let mut bytes = record.value.as_deref().expect("it has a value").to_vec();
    let field = br#""amount":"#;
    let begin = bytes
        .windows(field.len())
        .position(|w| w == field)
        .expect("it has an amount")
        + field.len();
    let digit = bytes[begin..]
        .iter()
        .position(u8::is_ascii_digit)
        .expect("amounts are numbers")
        + begin;
    bytes[digit] = if bytes[digit] == b'1' { b'2' } else { b'1' };
    record.value = Some(bytes.into());
    put(folder, &record);
    record
}

/// Onto the next record, and every hash of the chain behind it made anew: only the receipt's own story is wrong.
fn one_receipt_moved(folder: &Folder) -> String {
    let mut journal = fullest(folder, JOURNAL);
    let decode = |r: &Record| JournalRecord::decode_bytes(r.value.as_deref().unwrap_or_default()).expect("a journal");
    let mut entries: Vec<JournalRecord> = journal.iter().map(decode).collect();
    let from = entries
        .iter()
        .position(|e| !e.receipts.is_empty())
        .expect("the swap left a receipt");
    let mut moved = std::mem::take(&mut entries[from].receipts);
    // Versions are named by their place in the record's own list.
    for receipt in &mut moved {
        for index in [&mut receipt.old, &mut receipt.new] {
            let version = entries[from].versions[*index as usize].clone();
            let there = &mut entries[from + 1].versions;
            let found = there.iter().position(|v| *v == version);
            *index = found.unwrap_or_else(|| {
                there.push(version);
                there.len() - 1
            }) as u32;
        }
    }
    entries[from + 1].receipts.append(&mut moved);
    for place in from..entries.len() {
        if let Some(before) = place.checked_sub(1).filter(|before| *before >= from) {
            let bytes = journal[before].value.as_deref().unwrap_or_default();
            entries[place].previous = JournalRecord::hash(bytes).0.to_vec();
        }
        journal[place].value = Some(entries[place].encode_bytes().into());
        put(folder, &journal[place]);
    }
    format!("sequence {}", entries[from].sequence)
}

#[test]
fn edits_that_keep_every_checksum_are_named() {
    let recorded = Recorded::make();
    let (report, _) = recorded.verify("untouched", &[], 0, |_| String::new());
    let figures = &report["figures"];
    assert_eq!(
        (&report["ok"], &report["limited"]),
        (&true.into(), &Value::Array(vec![])),
        "{report:#}"
    );
    assert!(figures["drained"] == true && figures["receipts"] == 4, "{report:#}");
    assert!(
        figures["records"].as_u64() > Some(2_000) && figures["invariants"] == 3,
        "{report:#}"
    );

    recorded.found(
        "a journal record dropped",
        &[],
        &["journal-chain"],
        one_journal_record_dropped,
    );
    recorded.found(
        "an end doubled",
        &[],
        &["duplicates", "outputs", "invariants"],
        one_end_doubled,
    );
    recorded.found("a byte of an end changed", &[], &["outputs"], |folder| {
        // Which of its transaction's records it was, one hash over all of them cannot say.
        let changed = one_byte_changed(folder, "payment.confirmed");
        format!("{}/{}/", changed.topic, changed.shard)
    });
    recorded.found("a receipt moved", &[], &["receipts"], one_receipt_moved);
}

/// The journals, executed again, give the same hashes; and input that is not what it was does not.
#[test]
fn a_replay_gives_the_same_hashes_and_finds_changed_input() {
    let recorded = Recorded::make();
    let (report, _) = recorded.verify("untouched", &["--replay"], 0, |_| String::new());
    let replayed = report["figures"]["replayed"].as_u64();
    assert!(report["ok"] == true && replayed > Some(2_000), "{report:#}");
    println!("executed again: {replayed:?}");
    // Nobody else can tell: what comes from outside stands in no hash.
    recorded.found("a byte of a payment changed", &["--replay"], &["replay"], |folder| {
        format!("shard {}", one_byte_changed(folder, "payment.incoming").shard)
    });
}
