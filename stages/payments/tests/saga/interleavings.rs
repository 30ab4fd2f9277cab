//! Random payments and commands, delivered in random order.

use fermata_payments::time;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::checks::{self, LOWEST_LIMIT};
use crate::cluster::{Cluster, START, TIMEOUT};

/// What happens next. Numbers choose among what is possible then.
#[derive(Debug, Clone)]
enum Step {
    /// A record is read.
    Deliver(u16),
    /// A record becomes a dead letter.
    Fault(u16),
    Redrive(u16),
    /// Time passes on a shard.
    Tick(u16, i64),
    Pay {
        from: u8,
        to: u8,
        amount: i64,
        currency: bool,
    },
    /// A payment that was sent is sent again, perhaps with another amount.
    Again(u16, bool),
    Command(u8, Order),
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Open,
    Freeze,
    Unfreeze,
    Close,
    Limit(i64),
}

/// Few accounts, so that payments meet.
const ACCOUNTS: u8 = 5;

fn step(faults: bool) -> impl Strategy<Value = Step> {
    let order = prop_oneof![
        Just(Order::Open),
        Just(Order::Freeze),
        Just(Order::Unfreeze),
        Just(Order::Close),
        (LOWEST_LIMIT..100).prop_map(Order::Limit),
    ];
    let fault = u32::from(faults);
    prop_oneof![
        60 => any::<u16>().prop_map(Step::Deliver),
        fault * 4 + 1 => any::<u16>().prop_map(move |choice| if faults { Step::Fault(choice) } else { Step::Deliver(choice) }),
        fault * 3 + 1 => any::<u16>().prop_map(Step::Redrive),
        6 => (any::<u16>(), 0..TIMEOUT).prop_map(|(shard, millis)| Step::Tick(shard, millis)),
        12 => (0..ACCOUNTS, 0..ACCOUNTS, 1..300_i64, prop::bool::weighted(0.95))
            .prop_map(|(from, to, amount, currency)| Step::Pay { from, to, amount, currency }),
        2 => (any::<u16>(), any::<bool>()).prop_map(|(choice, same)| Step::Again(choice, same)),
        3 => (0..ACCOUNTS, order).prop_map(|(account, order)| Step::Command(account, order)),
    ]
}

fn name(account: u8) -> String {
    format!("acct-{account}")
}

fn payment(id: usize, from: &str, to: &str, amount: i64, currency: &str) -> Value {
    json!({ "id": format!("p-{id}"), "from": from, "to": to, "amount": amount, "currency": currency, "at": time::format(START) })
}

fn take(cluster: &mut Cluster, sent: &mut Vec<Value>, step: &Step) {
    match step {
        Step::Deliver(choice) | Step::Fault(choice) => {
            let unread = cluster.unread();
            if unread.is_empty() {
                return;
            }
            let (shard, lane) = unread[usize::from(*choice) % unread.len()];
            match step {
                Step::Fault(_) => cluster.fault(shard, lane),
                _ => cluster.deliver(shard, lane),
            }
        }
        Step::Redrive(choice) => {
            if !cluster.faulted.is_empty() {
                cluster.redrive(usize::from(*choice) % cluster.faulted.len());
            }
        }
        Step::Tick(shard, millis) => cluster.tick(usize::from(*shard) % cluster.shards.len(), *millis),
        Step::Pay {
            from,
            to,
            amount,
            currency,
        } => {
            let currency = if *currency { "EUR" } else { "USD" };
            let payment = payment(sent.len(), &name(*from), &name(*to), *amount, currency);
            cluster.pay(&payment);
            sent.push(payment);
        }
        Step::Again(choice, same) => {
            if sent.is_empty() {
                return;
            }
            let mut payment = sent[usize::from(*choice) % sent.len()].clone();
            if !same {
                payment["amount"] = json!(301);
            }
            cluster.pay(&payment);
        }
        Step::Command(account, order) => {
            let command = match order {
                Order::Open => json!({ "type": "open", "currency": "EUR" }),
                Order::Freeze => json!({ "type": "freeze" }),
                Order::Unfreeze => json!({ "type": "unfreeze" }),
                Order::Close => json!({ "type": "close" }),
                Order::Limit(limit) => json!({ "type": "limit", "limit": limit }),
            };
            cluster.command(&name(*account), &command);
        }
    }
}

fn run(shards: usize, one_debit_in_flight: bool, steps: &[Step]) {
    let mut cluster = Cluster::new(shards, one_debit_in_flight);
    let mut sent = Vec::new();
    for account in 0..ACCOUNTS - 1 {
        let payment = payment(sent.len(), "funding-EUR", &name(account), 500, "EUR");
        cluster.pay(&payment);
        sent.push(payment);
    }
    for step in steps {
        take(&mut cluster, &mut sent, step);
        checks::always(&cluster);
    }
    cluster.drain();
    checks::drained(&cluster);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_money_is_neither_made_nor_lost(
        shards in 1_usize..5,
        one_debit_in_flight: bool,
        steps in prop::collection::vec(step(false), 0..250),
    ) {
        run(shards, one_debit_in_flight, &steps);
    }

    #[test]
    fn dead_letters_and_redrives_change_nothing_about_that(
        shards in 1_usize..5,
        one_debit_in_flight: bool,
        steps in prop::collection::vec(step(true), 0..250),
    ) {
        run(shards, one_debit_in_flight, &steps);
    }
}
