//! PAYMENTS.md's invariants, summed up anew from everything that the stages keep and wrote. [`crate::watch`] follows
//! the same from change to change.

use std::collections::{BTreeMap, BTreeSet};

use fermata_payments::{Currency, Sum, Tally, timed, topics};
use fermata_stage::StageType;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Stage};
use crate::state::{self, Account, Debit, Ledger};
use crate::watch::Life;

/// What holds after every record.
pub fn always(cluster: &Cluster) {
    let mut clearing: BTreeMap<Currency, Sum> = BTreeMap::new();
    for shard in 0..cluster.shards.len() {
        let mut balances: BTreeMap<Currency, Sum> = BTreeMap::new();
        for (_, account) in accounts(cluster, shard) {
            *balances.entry(account.currency).or_default() += account.balance.into();
        }
        let ledger = cluster.context(shard, Stage::Account).entries("ledger").next();
        let ledger: Ledger = ledger.map(|(_, it)| state::read(it)).unwrap_or_default();
        for (currency, sum) in balances {
            let position = ledger.currencies[&currency];
            assert_eq!(
                position.balances, sum,
                "shard {shard}: the ledger's balances in {currency}"
            );
            assert_eq!(
                sum + position.clearing,
                Sum::ZERO,
                "shard {shard}: balances and clearing in {currency}"
            );
        }
        for (currency, position) in ledger.currencies {
            *clearing.entry(currency).or_default() += position.clearing;
        }
    }
    let (mut between, unsettled) = open_debits(cluster);
    between.retain(|_, sum| *sum != Sum::ZERO);
    clearing.retain(|_, sum| *sum != Sum::ZERO);
    assert_eq!(clearing, between, "clearing is the value between the shards");
    for shard in 0..cluster.shards.len() {
        let mut waiting = 0;
        for (name, account) in accounts(cluster, shard) {
            waiting += usize::try_from(account.waiting).expect("a count");
            let open = unsettled.get(&name).copied().unwrap_or_default();
            assert_eq!(
                account.unsettled, open,
                "{name}: debits that are neither settled nor refunded"
            );
        }
        let kept = cluster.context(shard, Stage::Account).count("waiting");
        assert_eq!(waiting, kept, "shard {shard}: debits that wait");
    }
}

/// The value that has left the payers and not reached the payees, and what is not settled by payer.
fn open_debits(cluster: &Cluster) -> (BTreeMap<Currency, Sum>, BTreeMap<String, Tally>) {
    let mut between: BTreeMap<Currency, Sum> = BTreeMap::new();
    let mut unsettled: BTreeMap<String, Tally> = BTreeMap::new();
    for shard in 0..cluster.shards.len() {
        for (key, entry) in cluster.context(shard, Stage::Account).entries("debits") {
            let Debit::Open { amount } = state::read(entry) else {
                continue;
            };
            let (opened, id) = timed::split(key);
            let life: Life = (id.to_owned(), opened);
            let terms = &cluster.watch.lives[&life];
            assert_eq!(amount, terms.amount, "{life:?}");
            unsettled.entry(terms.from.clone()).or_default().add(amount);
            if !cluster.watch.is_credited(&life) {
                *between.entry(terms.currency).or_default() += amount.into();
            }
        }
    }
    (between, unsettled)
}

/// What holds when nothing is in flight and no dead letter is left.
pub fn drained(cluster: &Cluster) {
    nothing_unresolved(cluster);
    settled(cluster);
    let (mut accepted, mut ended) = (ids(cluster, &[topics::ACCEPTED]), ends(cluster));
    accepted.sort();
    ended.sort();
    assert_eq!(ended, accepted, "each accepted payment ends once");
    assert_eq!(number(&view(cluster, "inflight")["count"]), 0);
    for (currency, clearing) in view(cluster, "ledger")["clearing"].as_object().expect("a map") {
        assert_eq!(number(clearing), 0, "{currency} is between the shards");
    }
    balances_follow_from_what_was_confirmed(cluster);
    for shard in 0..cluster.shards.len() {
        assert_eq!(cluster.context(shard, Stage::Account).count("waiting"), 0);
    }
}

/// What holds when all was read: a payment may be open only if a dead letter of it is left.
pub fn settled(cluster: &Cluster) {
    always(cluster);
    let unresolved: BTreeSet<String> = cluster.rejected.iter().filter_map(|(at, _)| named(&at.input)).collect();
    let mut open = ids(cluster, &[topics::ACCEPTED]);
    for id in ends(cluster) {
        let place = open.iter().position(|it| *it == id);
        open.swap_remove(place.unwrap_or_else(|| panic!("{id} ended more often than it was accepted")));
    }
    for id in open {
        assert!(unresolved.contains(&id), "{id} is open, and no dead letter says why");
    }

    let figures = view(cluster, "rejections");
    let count = |topics: &[&str]| {
        topics
            .iter()
            .filter_map(|it| cluster.records.get(it))
            .map(Vec::len)
            .sum::<usize>()
    };
    let (accepted, rejected) = (count(&[topics::ACCEPTED]), count(&["payment.rejected"]));
    assert_eq!(number(&figures["accepted"]), accepted as i128);
    assert_eq!(number(&figures["rejected"]), rejected as i128);
    let of = |topic: &str| cluster.rejected.iter().filter(|(at, _)| at.input.port == topic).count();
    let repeated = usize::try_from(number(&figures["repeated"])).expect("a count");
    let (taken_in, dead) = (count(&[topics::INCOMING]), of(topics::INCOMING));
    assert_eq!(taken_in, accepted + rejected + repeated + dead);
    assert_eq!(
        count(&[topics::COMMANDS]),
        count(&["account.results"]) + of(topics::COMMANDS)
    );
    assert_eq!(
        number(&view(cluster, "confirmed")["count"]),
        count(&["payment.confirmed"]) as i128
    );
}

/// Behind the heads no record is a dead letter while clocks do not leap over the time for which ids are remembered.
fn nothing_unresolved(cluster: &Cluster) {
    for (at, rejection) in &cluster.rejected {
        let head = [topics::INCOMING, topics::COMMANDS].contains(&at.input.port.as_str());
        assert!(head, "{:?} rejected {:?}: {rejection:?}", at.stage, at.input);
    }
}

/// The id of the payment that a record is about.
fn named(input: &fermata_stage::Input) -> Option<String> {
    let value: Value = serde_json::from_slice(input.value.as_deref()?).ok()?;
    let id = value.get("id").or_else(|| value["payment"].get("id"));
    id.and_then(Value::as_str).map(str::to_owned)
}

fn balances_follow_from_what_was_confirmed(cluster: &Cluster) {
    let mut balances: BTreeMap<(String, Currency), Sum> = BTreeMap::new();
    for confirmed in cluster.records.get("payment.confirmed").into_iter().flatten() {
        let payment = &confirmed["payment"];
        let currency = Currency::parse(&text(&payment["currency"])).expect("a currency");
        let amount = Sum(number(&payment["amount"]));
        *balances.entry((text(&payment["from"]), currency)).or_default() -= amount;
        *balances.entry((text(&payment["to"]), currency)).or_default() += amount;
    }
    for shard in 0..cluster.shards.len() {
        for (name, account) in accounts(cluster, shard) {
            let expected = balances.remove(&(name.clone(), account.currency)).unwrap_or_default();
            assert_eq!(Sum::from(account.balance), expected, "{name}");
            assert_eq!(account.unsettled.count, 0, "{name}");
        }
    }
    assert!(
        balances.is_empty(),
        "confirmed payments of accounts that are not there: {balances:?}"
    );
}

fn ids(cluster: &Cluster, topics: &[&str]) -> Vec<String> {
    let records = topics.iter().filter_map(|topic| cluster.records.get(topic)).flatten();
    records.map(|record| text(&record["id"])).collect()
}

fn ends(cluster: &Cluster) -> Vec<String> {
    ids(cluster, &["payment.confirmed", topics::FAILED])
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

fn accounts(cluster: &Cluster, shard: usize) -> impl Iterator<Item = (String, Account)> {
    let entries = cluster.context(shard, Stage::Account).entries("accounts");
    entries.map(|(name, entry)| (String::from_utf8_lossy(name).into_owned(), state::read(entry)))
}

/// A view of all shards, merged by the newer version.
pub fn view(cluster: &Cluster, name: &str) -> Value {
    let (stage, of) = match name {
        "rejections" => (Stage::Validate, StageType::of::<fermata_validate::Validate<1>>()),
        "inflight" => (Stage::Inflight, StageType::of::<fermata_inflight::Inflight<1>>()),
        "ledger" => (Stage::Account, StageType::of::<fermata_account::Account<1>>()),
        "confirmed" => (Stage::Confirm, StageType::of::<fermata_confirm::Confirm<1>>()),
        other => panic!("there is no view {other}"),
    };
    let it = of.init(&json!({}).to_string()).expect("valid");
    let shards = 0..cluster.shards.len();
    let parts: Vec<String> = shards
        .map(|shard| it.query(cluster.context(shard, stage), name, "{}").expect("a part"))
        .collect();
    serde_json::from_str(&it.merge(name, "{}", &parts).expect("an answer")).expect("JSON")
}
