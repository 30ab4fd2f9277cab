//! What the generator makes, and that each kind of bad input provokes what it is named for.

use std::collections::BTreeMap;

use fermata_generator::Generator;
use fermata_stage::Generator as _;
use serde_json::{Value, json};

use crate::checks;
use crate::cluster::{Cluster, START};

/// The kinds of bad input, one a line.
const BAD_INPUT: &str = include_str!("../../../generator/bad-input.txt");

/// Feeds set-up and load; `reversed` delivers from the last shard and lane instead of the first.
fn run(config: Value, load: u64, shards: usize, reversed: bool) -> Cluster {
    let (generator, plan) = Generator::init(serde_json::from_value(config).expect("of its types"), 7).expect("valid");
    let mut cluster = Cluster::new(shards, reversed);
    for sequence in 0..plan.setup + load {
        if sequence == plan.setup {
            cluster.drain();
        }
        for emission in generator.next(sequence, START) {
            let topic = match emission.port.as_str() {
                "payments" => "payment.incoming",
                "commands" => "account.commands",
                port => panic!("there is no port {port}"),
            };
            cluster.produce(topic, &emission.key.expect("a key"), emission.value.expect("a value"));
        }
        if reversed && sequence % 7 == 0 && sequence >= plan.setup {
            while let Some((shard, lane)) = cluster.unread().last().copied() {
                cluster.deliver(shard, lane);
            }
        }
    }
    cluster.drain();
    checks::drained(&cluster);
    cluster
}

/// How often each code occurs, wherever it ends.
fn codes(cluster: &Cluster) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for topic in ["payment.rejected", "payment.failed", "account.results"] {
        let records = cluster.records.get(topic).into_iter().flatten();
        for record in records.filter(|record| record["code"] != "ok") {
            *counts
                .entry(record["code"].as_str().expect("a code").to_owned())
                .or_default() += 1;
        }
    }
    for (_, rejection) in &cluster.rejected {
        *counts.entry(rejection.code.clone()).or_default() += 1;
    }
    counts
}

#[test]
fn by_default_every_payment_is_confirmed() {
    let cluster = run(json!({ "accounts": 20 }), 300, 3, false);
    assert_eq!(codes(&cluster), BTreeMap::new());
    assert_eq!(cluster.records["payment.confirmed"].len(), 320);
    assert_eq!(checks::view(&cluster, "rejections")["setup"], 20);
}

#[test]
fn each_kind_of_bad_input_provokes_what_it_is_named_for() {
    // A payment that comes twice as it is provokes nothing.
    for code in BAD_INPUT.lines().filter(|kind| *kind != "repeated") {
        let cluster = run(json!({ "accounts": 5, "bad": { code: 0.5 } }), 40, 2, false);
        let found = codes(&cluster);
        assert_eq!(found.keys().collect::<Vec<_>>(), [code]);
        assert!((8..=32).contains(&found[code]), "{code}: {found:?}");
    }
}

#[test]
fn repeated_payments_are_counted() {
    let cluster = run(json!({ "accounts": 5, "bad": { "repeated": 0.5 } }), 40, 2, false);
    assert_eq!(codes(&cluster), BTreeMap::new());
    let repeated = checks::view(&cluster, "rejections")["repeated"]
        .as_u64()
        .expect("a count");
    assert!((8..=32).contains(&repeated), "{repeated}");
}

#[test]
fn one_seed_gives_one_set_of_counts_in_whatever_order_and_on_however_many_shards() {
    let bad = json!({
        "bad-json": 0.05, "bad-amount": 0.05, "duplicate-id": 0.05, "repeated": 0.05, "insufficient-funds": 0.1,
        "account-frozen": 0.1, "account-closed": 0.1, "currency-mismatch": 0.05, "amount-overflow": 0.05,
        "key-mismatch": 0.02, "unknown-type": 0.02, "exists": 0.02, "balance-not-zero": 0.02, "no-limit": 0.02,
    });
    let config = json!({ "accounts": 10, "bad": bad });
    let counts = |cluster: &Cluster| {
        (
            codes(cluster),
            checks::view(cluster, "rejections"),
            checks::view(cluster, "ledger"),
        )
    };
    let one = run(config.clone(), 200, 1, false);
    for (shards, reversed) in [(1, true), (3, false), (4, true)] {
        assert_eq!(
            counts(&run(config.clone(), 200, shards, reversed)),
            counts(&one),
            "{shards} {reversed}"
        );
    }
}
