//! account as a whole, one shard, on the in-memory context. How shards play together is tested in
//! `stages/payments/tests/saga`.

mod commands;
mod forgetting;
mod money;
mod queue;
mod saga;
mod views;

use fermata_payments::topics;
use fermata_stage::testing::TestContext;
use fermata_stage::{Emission, Input, Rejection, Stage, Verdict};
use serde_json::{Value, json};

use crate::state::{ACCOUNTS, LEDGER};
use crate::{Account, Config};

/// When payments are opened, unless a test says otherwise.
const OPENED: i64 = 1_795_388_462_000;

/// One shard with the accounts a (1,000 EUR minor units), b and c (0), opened by command.
struct Shard {
    cx: TestContext,
    stage: Account<0>,
}

impl Shard {
    fn new() -> Self {
        Self::with(json!({}))
    }

    fn with(config: Value) -> Self {
        let mut shard = Self::empty(config);
        for name in ["a", "b", "c"] {
            assert_eq!(shard.command(name, json!({ "type": "open", "currency": "EUR" })), "ok");
        }
        shard.fund("a", 1_000);
        shard
    }

    fn empty(config: Value) -> Self {
        let config: Config = serde_json::from_value(config).expect("of its types");
        let mut cx = TestContext::new();
        cx.set_now(OPENED);
        Self {
            cx,
            stage: Account::init(config).expect("valid"),
        }
    }

    fn fund(&mut self, name: &str, amount: i64) {
        let id = format!("fund-{name}");
        let terms = (id.as_str(), "funding-EUR", name, amount);
        assert_eq!(self.debit(terms), [format!("credit {name}")]);
        assert_eq!(
            self.credit(terms),
            [format!("complete {id}"), "settled funding-EUR".to_owned()]
        );
        assert_eq!(self.settled(terms), [""; 0]);
    }

    fn send(&mut self, input: Input) -> Result<Vec<Emission>, Rejection> {
        let emissions: Vec<Emission> = self
            .cx
            .process(&self.stage, input)?
            .into_iter()
            .map(Emission::from)
            .collect();
        self.check();
        Ok(emissions)
    }

    /// The invariants that hold after every record.
    fn check(&self) {
        let ledger = LEDGER.get(&self.cx, "all").unwrap_or_default();
        for (currency, position) in &ledger.currencies {
            let accounts: i128 = ACCOUNTS
                .iter(&self.cx)
                .filter(|(_, account)| account.currency == *currency)
                .map(|(_, account)| i128::from(account.balance))
                .sum();
            assert_eq!(position.balances.0, accounts, "the ledger says what the accounts say");
            assert_eq!((position.balances + position.clearing).0, 0, "{currency}");
        }
        for (name, account) in ACCOUNTS.iter(&self.cx) {
            let made = account.credits.value_minor + account.refunds.value_minor - account.debits.value_minor;
            assert_eq!(made, account.balance.into(), "{}", String::from_utf8_lossy(&name));
        }
    }

    fn message(&mut self, kind: &str, key: &str, mut rest: Value) -> Vec<String> {
        rest["v"] = json!(1);
        rest["type"] = json!(kind);
        let input = Input::new(topics::INFLIGHT).with_key(key).with_value(rest.to_string());
        self.send(input).expect("a message").iter().map(said).collect()
    }

    fn debit(&mut self, terms: Terms<'_>) -> Vec<String> {
        self.message("debit", terms.1, about(terms))
    }

    fn credit(&mut self, terms: Terms<'_>) -> Vec<String> {
        self.message("credit", terms.2, about(terms))
    }

    fn settled(&mut self, terms: Terms<'_>) -> Vec<String> {
        self.message(
            "settled",
            terms.1,
            json!({ "opened": OPENED, "id": terms.0, "from": terms.1 }),
        )
    }

    fn refund(&mut self, terms: Terms<'_>, code: &str) -> Vec<String> {
        let mut message = about(terms);
        message["code"] = json!(code);
        message["reason"] = json!("so");
        self.message("refund", terms.1, message)
    }

    fn cancel(&mut self, terms: Terms<'_>, side: &str) -> Vec<String> {
        let mut message = about(terms);
        message["side"] = json!(side);
        self.message("cancel", if side == "from" { terms.1 } else { terms.2 }, message)
    }

    fn next(&mut self, from: &str) -> Vec<String> {
        self.message("next", from, json!({ "from": from }))
    }

    fn command(&mut self, account: &str, command: Value) -> String {
        let input = Input::new(topics::COMMANDS)
            .with_key(account)
            .with_value(command.to_string());
        let emissions = self.send(input).expect("a command");
        assert_eq!((emissions.len(), emissions[0].port.as_str()), (1, "results"));
        assert_eq!(emissions[0].key.as_deref(), Some(account.as_bytes()));
        value(&emissions[0])["code"].as_str().expect("a code").to_owned()
    }

    fn balance(&self, name: &str) -> i64 {
        ACCOUNTS.get(&self.cx, name).map_or(0, |account| account.balance)
    }
}

/// Id, from, to, amount; in EUR.
type Terms<'a> = (&'a str, &'a str, &'a str, i64);

fn about((id, from, to, amount): Terms<'_>) -> Value {
    let payment = json!({ "id": id, "from": from, "to": to, "amount": amount, "currency": "EUR" });
    json!({ "opened": OPENED, "payment": payment })
}

fn value(emission: &Emission) -> Value {
    serde_json::from_slice(emission.value.as_deref().expect("a value")).expect("JSON")
}

/// An emission in a few words: type, key, code.
fn said(emission: &Emission) -> String {
    let value = value(emission);
    let key = String::from_utf8_lossy(emission.key.as_deref().expect("a key")).into_owned();
    let mut words = vec![value["type"].as_str().expect("a type").to_owned(), key];
    for word in ["state", "code"] {
        words.extend(value[word].as_str().map(str::to_owned));
    }
    words.join(" ")
}
