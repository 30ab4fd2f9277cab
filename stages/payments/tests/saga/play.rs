//! A scenario, played to its end and checked at every step.

use fermata_payments::{time, topics};
use fermata_stage::Reader;
use serde_json::{Value, json};

use crate::checks;
use crate::cluster::{Cluster, START, Stage};
use crate::scenario::{ACCOUNTS, Amount, Change, HUGE, Mishaps, Money, Options, Order, Scenario, Step};

/// Steps between two times that everything is summed up anew. What can be followed is checked at every record.
const SUMMED: usize = 64;

struct Play {
    cluster: Cluster,
    sent: Vec<Value>,
    huge: bool,
}

/// Plays it. The records that stages processed.
pub fn play(scenario: &Scenario, mishaps: Mishaps) -> u64 {
    let (validate, account) = configs(scenario.options, scenario.huge);
    let mut play = Play {
        cluster: Cluster::with(scenario.shards, &validate, &account),
        sent: Vec::new(),
        huge: scenario.huge,
    };
    play.set_up();
    for (index, step) in scenario.steps.iter().enumerate() {
        play.take(step);
        if index % SUMMED == 0 {
            checks::always(&play.cluster);
        }
    }
    play.cluster.settle(scenario.order);
    if mishaps.leaps {
        checks::settled(&play.cluster);
    } else {
        checks::drained(&play.cluster);
    }
    play.cluster.delivered
}

fn configs(options: Options, huge: bool) -> (Value, Value) {
    // The largest amount of all is too large for a plain account even then.
    let most = if huge { i64::MAX - 1 } else { 10_000_000 };
    let account = json!({ "auto-open": options.auto_open, "one-debit-in-flight": options.one_debit });
    (json!({ "max-amount": most }), account)
}

fn name(account: u8) -> String {
    match account.checked_sub(ACCOUNTS) {
        None => format!("acct-{account}"),
        Some(0) => "funding-EUR".to_owned(),
        Some(_) => "funding-USD".to_owned(),
    }
}

fn code(money: Money) -> &'static str {
    match money {
        Money::Eur => "EUR",
        Money::Usd => "USD",
    }
}

impl Play {
    /// All accounts but one are opened and funded, the last one in dollars; the messages are still to be read.
    fn set_up(&mut self) {
        for account in 0..ACCOUNTS - 1 {
            let money = if account == ACCOUNTS - 2 {
                Money::Usd
            } else {
                Money::Eur
            };
            self.command(account, Order::Open(money, 0));
            let funding = ACCOUNTS + u8::from(matches!(money, Money::Usd));
            let amount = if self.huge { 1 << 53 } else { 500 };
            self.pay(name(funding), name(account), amount, code(money));
        }
    }

    fn pay(&mut self, from: String, to: String, amount: i64, currency: &str) {
        let id = format!("p-{}", self.sent.len());
        let at = time::format(START);
        let payment = json!({ "id": id, "from": from, "to": to, "amount": amount, "currency": currency, "at": at });
        self.cluster.pay(&payment);
        self.sent.push(payment);
    }

    fn take(&mut self, step: &Step) {
        let cluster = &mut self.cluster;
        match step {
            Step::Deliver(choices) => {
                for choice in choices {
                    let unread = cluster.unread();
                    let Some((shard, lane)) = pick(&unread, *choice) else {
                        return;
                    };
                    cluster.deliver(shard, lane);
                }
            }
            Step::Fault(choice) => {
                if let Some((shard, lane)) = pick(&cluster.unread(), *choice) {
                    cluster.fault(shard, lane);
                }
            }
            Step::Redrive(choice) => {
                if !cluster.faulted.is_empty() {
                    cluster.redrive(usize::from(*choice) % cluster.faulted.len());
                }
            }
            Step::Repeat(choice) => cluster.repeat(usize::from(*choice)),
            Step::Tick(shard, millis) => cluster.tick(usize::from(*shard) % cluster.shards.len(), *millis),
            Step::Pay {
                from,
                to,
                amount,
                currency,
            } => {
                let amount = self.amount(*amount);
                self.pay(name(*from), name(*to), amount, code(*currency));
            }
            Step::Again(choice, change) => self.again(usize::from(*choice), *change),
            Step::Bad(choice) => self.bad(*choice),
            Step::Command(account, order) => self.command(*account, *order),
            Step::Redeploy(options) => {
                let (validate, account) = configs(*options, self.huge);
                cluster.redeploy(&validate, &account);
            }
        }
    }

    fn amount(&self, amount: Amount) -> i64 {
        if self.huge {
            HUGE[usize::from(amount.huge) % HUGE.len()]
        } else {
            amount.small
        }
    }

    fn again(&mut self, choice: usize, change: Change) {
        let mut payment = self.sent[choice % self.sent.len()].clone();
        match change {
            Change::Nothing => {}
            Change::Spelling => {
                let id = payment["id"].as_str().expect("an id");
                let text = serde_json::to_string_pretty(&payment).expect("plain data");
                return self.cluster.produce(topics::INCOMING, id.as_bytes(), text.into_bytes());
            }
            Change::Amount => payment["amount"] = json!(301),
            Change::To => payment["to"] = json!("acct-0"),
            Change::Reference => payment["reference"] = json!("again"),
            Change::Time => payment["at"] = json!(time::format(self.cluster.context(0, Stage::Validate).now())),
        }
        self.cluster.pay(&payment);
    }

    fn bad(&mut self, choice: u8) {
        let id = format!("b-{choice}");
        let mut payment = json!({
            "id": id, "from": "acct-0", "to": "acct-1", "amount": 1, "currency": "EUR", "at": time::format(START),
        });
        let mut key = id.clone();
        match choice % 9 {
            0 => key = "another".to_owned(),
            1 => payment["v"] = json!(2),
            2 => payment["id"] = json!(7),
            3 => payment["amount"] = json!(0),
            4 => payment["to"] = json!("acct-0"),
            5 => payment["currency"] = json!("XXX"),
            6 => payment["at"] = json!("2026-11-22"),
            7 => payment["at"] = json!("1999-11-22T00:00:00Z"),
            _ => payment = json!("no payment"),
        }
        self.cluster
            .produce(topics::INCOMING, key.as_bytes(), payment.to_string().into_bytes());
    }

    fn command(&mut self, account: u8, order: Order) {
        let command = match order {
            Order::Open(money, limit) => json!({ "type": "open", "currency": code(money), "limit": limit }),
            Order::Freeze => json!({ "type": "freeze" }),
            Order::Unfreeze => json!({ "type": "unfreeze" }),
            Order::Close => json!({ "type": "close" }),
            Order::Limit(limit) => json!({ "type": "limit", "limit": limit }),
            Order::Nonsense => json!({ "type": "enrich" }),
        };
        self.cluster.command(&name(account), &command);
    }
}

fn pick<T: Copy>(among: &[T], choice: u16) -> Option<T> {
    (!among.is_empty()).then(|| among[usize::from(choice) % among.len()])
}
