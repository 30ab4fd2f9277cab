//! PAYMENTS.md's invariants.

use std::collections::{BTreeMap, BTreeSet};

use fermata_stage::Stage as _;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Stage};

/// The lowest limit that a test may set. An account can be under its present one: limits are raised at any time.
pub const LOWEST_LIMIT: i64 = -200;

/// What holds after every record.
pub fn always(cluster: &Cluster) {
    for shard in 0..cluster.shards.len() {
        let ledger = ledger(cluster, shard);
        let mut balances: BTreeMap<String, i128> = BTreeMap::new();
        for account in accounts(cluster, shard) {
            let balance = i128::from(account["balance"].as_i64().expect("a balance"));
            *balances.entry(text(&account["currency"])).or_default() += balance;
            if !account["limit"].is_null() {
                let lowest = i128::from(LOWEST_LIMIT);
                assert!(
                    balance >= lowest,
                    "shard {shard}: no limit ever allowed this: {account}"
                );
            }
        }
        for (currency, sum) in balances {
            let clearing = number(&ledger["clearing"][&currency]);
            assert_eq!(sum + clearing, 0, "shard {shard}: balances and clearing of {currency}");
            assert_eq!(
                sum,
                number(&ledger["balances"][&currency]),
                "shard {shard}: the ledger's balances"
            );
            assert_eq!(number(&ledger[&currency]), 0);
        }
    }
    let mut ended = BTreeSet::new();
    for id in ends(cluster) {
        assert!(ended.insert(id.clone()), "{id} ended twice");
    }
}

/// What holds when nothing is in flight and no dead letter is left.
pub fn drained(cluster: &Cluster) {
    always(cluster);
    let ids = |topic: &str| {
        cluster
            .records
            .get(topic)
            .into_iter()
            .flatten()
            .map(id)
            .collect::<Vec<_>>()
    };
    let (accepted, rejected) = (ids("payment.accepted"), ids("payment.rejected"));
    let (mut expected, mut ended) = (accepted.clone(), ends(cluster));
    expected.sort();
    ended.sort();
    assert_eq!(ended, expected, "each accepted payment ends once");

    let figures = view(cluster, "rejections");
    assert_eq!(number(&figures["accepted"]), accepted.len() as i128);
    assert_eq!(number(&figures["rejected"]), rejected.len() as i128);
    let taken_in = cluster.records.get("payment.incoming").map_or(0, Vec::len);
    let dead = cluster
        .rejected
        .iter()
        .filter(|(input, _)| input.port == "payment.incoming")
        .count();
    let repeated = usize::try_from(number(&figures["repeated"])).expect("a count");
    assert_eq!(taken_in, accepted.len() + rejected.len() + repeated + dead);

    let confirmed = cluster.records.get("payment.confirmed").map_or(0, Vec::len);
    assert_eq!(number(&view(cluster, "confirmed")["count"]), confirmed as i128);
    assert_eq!(number(&view(cluster, "inflight")["count"]), 0);
    for (currency, clearing) in view(cluster, "ledger")["clearing"].as_object().expect("a map") {
        assert_eq!(number(clearing), 0, "{currency} is between the shards");
    }
    balances_follow_from_what_was_confirmed(cluster);
    nothing_waits(cluster);
}

fn balances_follow_from_what_was_confirmed(cluster: &Cluster) {
    let mut balances: BTreeMap<(String, String), i128> = BTreeMap::new();
    for confirmed in cluster.records.get("payment.confirmed").into_iter().flatten() {
        let payment = &confirmed["payment"];
        let currency = text(&payment["currency"]);
        *balances.entry((text(&payment["from"]), currency.clone())).or_default() -= number(&payment["amount"]);
        *balances.entry((text(&payment["to"]), currency)).or_default() += number(&payment["amount"]);
    }
    for shard in 0..cluster.shards.len() {
        for (entry, account) in cluster
            .context(shard, Stage::Account)
            .entries("accounts")
            .iter()
            .zip(accounts(cluster, shard))
        {
            let name = String::from_utf8(entry.key.clone()).expect("a name");
            let expected = balances
                .remove(&(name.clone(), text(&account["currency"])))
                .unwrap_or(0);
            assert_eq!(number(&account["balance"]), expected, "{name}");
            assert_eq!(number(&account["unsettled"]["count"]), 0, "{name}");
        }
    }
    assert!(
        balances.is_empty(),
        "confirmed payments of accounts that are not there: {balances:?}"
    );
}

fn nothing_waits(cluster: &Cluster) {
    for shard in 0..cluster.shards.len() {
        assert!(cluster.context(shard, Stage::Account).entries("waiting").is_empty());
    }
}

fn ends(cluster: &Cluster) -> Vec<String> {
    let topics = ["payment.confirmed", "payment.failed"];
    topics
        .iter()
        .filter_map(|topic| cluster.records.get(topic))
        .flatten()
        .map(id)
        .collect()
}

fn id(record: &Value) -> String {
    text(&record["id"])
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A sum may be written as digits.
fn number(value: &Value) -> i128 {
    match value {
        Value::Null => 0,
        Value::String(digits) => digits.parse().expect("digits"),
        number => i128::from(number.as_i64().expect("an integer")),
    }
}

fn accounts(cluster: &Cluster, shard: usize) -> Vec<Value> {
    let entries = cluster.context(shard, Stage::Account).entries("accounts");
    entries
        .iter()
        .map(|entry| serde_json::from_slice(&entry.value).expect("state is JSON"))
        .collect()
}

fn ledger(cluster: &Cluster, shard: usize) -> Value {
    let stage = fermata_account::Account::<0>::init(fermata_account::Config::default()).expect("valid");
    stage
        .query(cluster.context(shard, Stage::Account), "ledger", &json!({}))
        .expect("a part")
}

/// A view of all shards, merged by the newer version.
pub fn view(cluster: &Cluster, name: &str) -> Value {
    fn ask<S: fermata_stage::Stage>(cluster: &Cluster, stage: Stage, name: &str) -> Value
    where
        S::Config: Default,
    {
        let it = S::init(S::Config::default()).expect("valid");
        let shards = 0..cluster.shards.len();
        let parts = shards.map(|shard| {
            it.query(cluster.context(shard, stage), name, &json!({}))
                .expect("a part")
        });
        it.merge(name, &json!({}), parts.collect()).expect("an answer")
    }
    match name {
        "rejections" => ask::<fermata_validate::Validate<1>>(cluster, Stage::Validate, name),
        "inflight" => ask::<fermata_inflight::Inflight<1>>(cluster, Stage::Inflight, name),
        "ledger" => ask::<fermata_account::Account<1>>(cluster, Stage::Account, name),
        "confirmed" => ask::<fermata_confirm::Confirm<1>>(cluster, Stage::Confirm, name),
        other => panic!("there is no view {other}"),
    }
}
