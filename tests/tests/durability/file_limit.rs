//! A write that the operating system itself refuses: the process runs under a limit on the size of files.

use fermata_tests::harness::{Books, PATIENCE, PIPELINE, Server, ServerSpec, Topics, payment, post, until};
use serde_json::{Value, json};
use std::path::Path;

/// Payments of one request, acknowledged together.
const TOGETHER: usize = 200;
/// Limits, KiB: the first leaves room for the components and some seconds of payments, the other for next to nothing.
const SOME: u64 = 6 * 1024;
const LITTLE: u64 = 256;

const ENVELOPE: &str = "application/vnd.fermata.records+json";

/// The largest file under a folder, KiB.
fn largest(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("a folder can be listed");
    let sizes = entries.map(|entry| {
        let entry = entry.expect("a folder can be listed");
        let about = entry.metadata().expect("a file can be looked at");
        if about.is_dir() {
            largest(&entry.path())
        } else {
            about.len() / 1024
        }
    });
    sizes.max().unwrap_or_default()
}

fn payments(first: usize) -> (Vec<String>, String) {
    let ids: Vec<String> = (first..first + TOGETHER).map(|n| format!("paid-{n}")).collect();
    let mut value = payment("", "acct-1");
    let records: Vec<Value> = ids
        .iter()
        .map(|id| {
            value["id"] = json!(id);
            json!({ "key": id, "value": value.to_string() })
        })
        .collect();
    (ids, json!({ "records": records }).to_string())
}

/// Pays until the server does not answer any more.
fn pay(server: &Server, acknowledged: &mut Vec<String>) {
    let intake = server.url(&format!("{PIPELINE}/topics/payment.incoming/records"));
    loop {
        let (ids, body) = payments(acknowledged.len());
        match post(&intake, ENVELOPE, &body) {
            Ok(answer) if answer.status == 202 => acknowledged.extend(ids),
            Ok(answer) if answer.status < 500 => panic!("{answer:?}"),
            _ => return,
        }
    }
}

#[test]
fn under_a_file_size_limit_the_process_says_so_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let spec = ServerSpec::payments(dir.path());
    // Makes the components and a log, which it cuts to its length when it is opened again.
    Server::start(&spec).stop();
    let mut server = Server::start(&spec.clone().file_limit(SOME));
    let mut acknowledged = Vec::new();
    pay(&server, &mut acknowledged);
    let status = server.ended(PATIENCE);
    assert_eq!(status.code(), Some(1), "it ended with {status}:\n{}", server.stderr());
    for words in ["F0501", "ulimit -f", "start again"] {
        server.says(words);
    }
    assert!(!acknowledged.is_empty(), "the limit leaves room for payments");
    println!("{} acknowledged under a limit of {SOME} KiB", acknowledged.len());

    // No room for the log as it is: it says so at the start, and changes nothing.
    assert!(largest(dir.path()) > LITTLE);
    let mut refused = Server::launch(&spec.clone().file_limit(LITTLE));
    let status = refused.ended(PATIENCE);
    assert_eq!(status.code(), Some(1), "it ended with {status}:\n{}", refused.stderr());
    refused.says("F0501");

    let server = Server::start(&spec);
    let cli = server.cli();
    let last = acknowledged.last().expect("asserted above");
    until("the last acknowledged payment is complete", PATIENCE, || {
        let found = server.get(&format!("{PIPELINE}/views/payment/{last}"));
        if found.body["data"]["state"] == "complete" {
            Ok(())
        } else {
            Err(found)
        }
    });
    let intake = server.url(&format!("{PIPELINE}/topics/payment.incoming/records"));
    let (after, body) = payments(acknowledged.len());
    let answer = post(&intake, ENVELOPE, &body).expect("the API answers");
    assert_eq!(answer.status, 202, "{answer:?}");
    cli.read_all_and_drain();
    cli.ok(&["verify", "--replay"]);
    server.stop();
    let books = Books::read(&Topics::open(dir.path()));
    books.check_drained();
    for id in acknowledged.iter().chain(&after) {
        let life = books.lives.get(id);
        let life = life.unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
        assert_eq!((life.accepted, life.confirmed), (1, 1), "{id}: {life:?}");
    }
}
