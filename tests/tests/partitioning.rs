//! A producer with a partitioner of its own: what becomes of its records is the manifest's to say.

use fermata_core::manifest::{Manifest, parse};
use fermata_core::names::Purpose;
use fermata_core::partition::shard_of;
use fermata_core::ports::Log;
use fermata_core::{NewRecord, Offset, Record, Shard, Timestamp, TopicName};
use fermata_native::{NativeArtifacts, NativeExecutor};
use fermata_server::books;
use fermata_server::host::{Host, HostSpec, status};
use fermata_tests::harness::{PATIENCE, payment, until};
use std::sync::Arc;

const MANIFEST: &str = include_str!("../../examples/payments/pipeline.toml");
const INCOMING: &str = "payment.incoming";
const PAYMENTS: usize = 24;

struct Ran {
    host: Host,
    _folder: tempfile::TempDir,
}

/// Each payment on the partition behind its own, until nothing moves. `more`: of the manifest.
/// Runs until all have ended, and nothing is in flight unless `away`: what is trusted is opened on one shard, and told
/// of its end on the other.
fn ran(on_misplaced: &str, more: &str, away: u64) -> Ran {
    let head = "topics.\"payment.incoming\" = { head = true, key = \"id\"";
    assert!(MANIFEST.contains(head), "the example has another head by now");
    let text = MANIFEST.replace(head, &format!("{head}, on-misplaced = \"{on_misplaced}\"")) + more;
    let manifest: Arc<Manifest> = Arc::new(parse::parse("pipeline.toml", &text).expect("the example is right"));
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (executor, artifacts) = (NativeExecutor::default(), NativeArtifacts::default());
    let spec = HostSpec::new(
        manifest.clone(),
        text,
        folder.path().to_owned(),
        Arc::new(executor),
        Arc::new(artifacts),
    );
    let host = Host::start(spec).unwrap_or_else(|failure| panic!("{failure}"));
    let records = (0..PAYMENTS).map(|n| {
        let id = format!("pay-{n}");
        let own = shard_of(id.as_bytes(), manifest.partitions);
        NewRecord {
            topic: topic(INCOMING),
            shard: Shard((own.0 + 1) % manifest.partitions),
            value: Some(payment(&id, "acct-1").to_string().into()),
            key: Some(id.into()),
            headers: Vec::new(),
            timestamp: Timestamp(host.app.clock.now().0),
        }
    });
    host.app.log.append(records.collect()).expect("the log takes them");
    until("all came to their end", PATIENCE, || {
        let ended = on(&host, "payment.confirmed").len() + dead(&host).len();
        match status::status(&host.app) {
            Ok(status) if ended == PAYMENTS && status["lag"] == 0 && status["in_flight"] == away => Ok(()),
            other => Err(format!("{ended} ended; {other:?}")),
        }
    });
    let books = books::live(&host.app, true).expect("the log can be read");
    assert_eq!(books["ok"], true, "{books:#}");
    Ran { host, _folder: folder }
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).expect("a topic's name")
}

fn on(host: &Host, name: &str) -> Vec<Record> {
    let log: &dyn Log = &*host.app.log;
    let all = (0..host.app.manifest.partitions).map(Shard);
    all.flat_map(|shard| {
        log.read(&topic(name), shard, Offset(0), 10_000)
            .expect("it can be read")
    })
    .collect()
}

fn dead(host: &Host) -> Vec<Record> {
    on(host, Purpose::DeadLetters.topic(&host.app.manifest.name).as_str())
}

fn misplaced(host: &Host, record: &Record) -> bool {
    let key = record.key.as_deref().expect("payments have keys");
    shard_of(key, host.app.manifest.partitions) != record.shard
}

#[test]
fn rejected_they_are_dead_letters() {
    let Ran { host, _folder } = ran("reject", "", 0);
    assert_eq!(dead(&host).len(), PAYMENTS);
    assert!(on(&host, "payment.accepted").is_empty());
}

#[test]
fn rerouted_each_comes_once_more_to_the_shard_of_its_key() {
    let Ran { host, _folder } = ran("reroute", "", 0);
    assert!(dead(&host).is_empty());
    let (strayed, arrived): (Vec<_>, Vec<_>) = on(&host, INCOMING).into_iter().partition(|r| misplaced(&host, r));
    assert_eq!((strayed.len(), arrived.len()), (PAYMENTS, PAYMENTS));
    for one in &strayed {
        let again: Vec<_> = arrived.iter().filter(|r| r.key == one.key).collect();
        let [again] = &again[..] else {
            panic!("{:?} came {} times", one.key, again.len())
        };
        assert_eq!((&again.value, again.timestamp), (&one.value, one.timestamp));
    }
    assert!(on(&host, "payment.accepted").iter().all(|r| !misplaced(&host, r)));
}

#[test]
fn a_head_of_two_readers_is_rerouted_once() {
    let second = r#"
[stage.second]
component = "builtin:validate@1.0.0"
in = ["payment.incoming"]
out = { accepted = "second.accepted", rejected = "second.rejected" }
config = { max-amount = 10_000_000, currencies = ["EUR"], window = "8d" }
"#;
    let Ran { host, _folder } = ran("reroute", second, 0);
    assert_eq!(on(&host, INCOMING).len(), 2 * PAYMENTS);
    assert_eq!(on(&host, "second.accepted").len(), PAYMENTS);
}

#[test]
fn trusted_they_are_taken_where_they_came() {
    let Ran { host, _folder } = ran("trust", "", PAYMENTS as u64);
    assert!(dead(&host).is_empty());
    assert_eq!(on(&host, INCOMING).len(), PAYMENTS);
    let accepted = on(&host, "payment.accepted");
    assert_eq!(accepted.len(), PAYMENTS);
    assert!(
        accepted.iter().all(|r| misplaced(&host, r)),
        "an emission of the same key stays on its shard"
    );
}
