//! What must hold at every step, followed change by change: nothing is summed up anew, so that it can be asked after
//! every one of millions of records.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use fermata_payments::{Currency, Sum, timed, topics};
use fermata_stage::Input;
use serde_json::Value;

use crate::cluster::Stage;
use crate::memory::{Change, Memory, Outcome};
use crate::state::{self, Account, Credit, Debit, Figures, Ledger, Position, REMEMBER, Status};

/// One life of an id: the id, and when inflight opened it.
pub type Life = (String, i64);

/// A call that has ended.
pub struct Call<'a> {
    pub shard: usize,
    pub stage: Stage,
    pub now: i64,
    /// None: a timer.
    pub input: Option<&'a Input>,
    pub outcome: &'a Outcome,
    pub cx: &'a Memory,
}

/// What a payment's debit said.
#[derive(Debug, Clone)]
pub struct Terms {
    pub from: String,
    pub currency: Currency,
    pub amount: i64,
}

/// What the payee's side said, once and for all.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Complete,
    Refund { code: String },
}

#[derive(Default)]
struct Shard {
    /// Sums of all balances.
    balances: BTreeMap<Currency, Sum>,
    /// Places in the queues of debits that wait, by account.
    waiting: BTreeMap<String, BTreeSet<u64>>,
    taken_in: u64,
    dead: u64,
}

pub struct Watch {
    /// All debits so far were made with one in flight for each account.
    pub one_debit: bool,
    shards: Vec<Shard>,
    /// Every payment that inflight opened.
    pub lives: HashMap<Life, Terms>,
    charged: HashSet<Life>,
    words: HashMap<Life, Word>,
    ended: HashSet<Life>,
    /// By id: when it was accepted, and as what text.
    accepted: HashMap<String, Vec<(i64, Value)>>,
    ends: HashMap<String, usize>,
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn life(message: &Value) -> Life {
    let id = message.get("id").unwrap_or(&message["payment"]["id"]);
    (text(id), message["opened"].as_i64().expect("a time"))
}

fn both<T: for<'b> minicbor::Decode<'b, ()>>(change: &Change) -> (Option<T>, Option<T>) {
    let read = |entry: &Option<Vec<u8>>| entry.as_deref().map(state::read);
    (read(&change.before), read(&change.after))
}

impl Watch {
    pub fn new(shards: usize, one_debit: bool) -> Self {
        Self {
            one_debit,
            shards: (0..shards).map(|_| Shard::default()).collect(),
            lives: HashMap::new(),
            charged: HashSet::new(),
            words: HashMap::new(),
            ended: HashSet::new(),
            accepted: HashMap::new(),
            ends: HashMap::new(),
        }
    }

    pub fn concluded(&mut self, call: &Call<'_>) {
        match call.stage {
            Stage::Validate => self.validated(call),
            Stage::Account => self.judged(call),
            Stage::Confirm => remembered(call, "ends"),
            Stage::Inflight => {}
        }
    }

    /// taken in = accepted + rejected + repeated + dead letters
    fn validated(&mut self, call: &Call<'_>) {
        let shard = &mut self.shards[call.shard];
        if call.input.is_some() {
            shard.taken_in += 1;
            shard.dead += u64::from(call.outcome.is_err());
        }
        let figures: Figures = call
            .cx
            .entries("figures")
            .next()
            .map(|(_, it)| state::read(it))
            .unwrap_or_default();
        let judged = figures.accepted + figures.rejected.values().sum::<u64>() + figures.repeated;
        assert_eq!(
            shard.taken_in,
            judged + shard.dead,
            "what was taken in on shard {}",
            call.shard
        );
        for change in call.outcome.iter().flat_map(|_| call.cx.changes()) {
            if change.store == "ids" && change.after.is_none() {
                let id = String::from_utf8(change.key).expect("an id");
                let (at, _) = self.accepted[&id].last().expect("it was accepted");
                assert!(
                    at + REMEMBER < call.now,
                    "{id} was accepted at {at} and forgotten at {}",
                    call.now
                );
            }
        }
    }

    fn judged(&mut self, call: &Call<'_>) {
        let Ok(emissions) = call.outcome else { return };
        assert!(emissions.len() <= 8, "more than the manifest allows: {emissions:?}");
        if call.input.is_some_and(|input| input.port == topics::COMMANDS) {
            assert!(
                emissions.len() == 1 && emissions[0].port == "results",
                "every command is answered once"
            );
        }
        let mut released = Vec::new();
        for change in call.cx.changes() {
            match change.store.as_str() {
                "accounts" => self.account(call, &change),
                "debits" => {
                    debit(call, &change);
                    released.extend(self.queue(call, &change));
                }
                "credits" => credit(call, &change),
                _ => {}
            }
        }
        for (account, place) in released {
            let first = self.shards[call.shard]
                .waiting
                .get(&account)
                .and_then(|queue| queue.first());
            let overtaken = first.filter(|first| place.is_none_or(|place| place > **first));
            assert!(overtaken.is_none(), "{account}: place {place:?} overtook {overtaken:?}");
        }
        let ledger: Ledger = call
            .cx
            .entries("ledger")
            .next()
            .map(|(_, it)| state::read(it))
            .unwrap_or_default();
        for (currency, Position { balances, clearing }) in ledger.currencies {
            let found = self.shards[call.shard]
                .balances
                .get(&currency)
                .copied()
                .unwrap_or_default();
            assert_eq!(
                balances, found,
                "shard {}: the ledger's balances in {currency}",
                call.shard
            );
            assert_eq!(
                balances + clearing,
                Sum::ZERO,
                "shard {}: balances + clearing in {currency}",
                call.shard
            );
        }
    }

    /// Keeps the queues. Some: a debit was judged, from this place in the queue of its account or from none.
    fn queue(&mut self, call: &Call<'_>, change: &Change) -> Option<(String, Option<u64>)> {
        let (before, after) = both::<Debit>(change);
        let (opened, id) = timed::split(&change.key);
        let account = self.lives.get(&(id.to_owned(), opened))?.from.clone();
        let queue = self.shards[call.shard].waiting.entry(account.clone()).or_default();
        let place = match before {
            Some(Debit::Waiting { place }) => Some(place),
            _ => None,
        };
        if let Some(place) = place {
            queue.remove(&place);
        }
        if let Some(Debit::Waiting { place }) = after {
            queue.insert(place);
        }
        let waited = before.is_none() || place.is_some();
        let judged = matches!(after, Some(Debit::Open { .. } | Debit::Refused));
        (waited && judged).then_some((account, place))
    }

    fn account(&mut self, call: &Call<'_>, change: &Change) {
        let name = String::from_utf8_lossy(&change.key);
        let (before, after) = both::<Account>(change);
        let after = after.unwrap_or_else(|| panic!("{name} is gone"));
        let had = before.as_ref().map_or(0, |account| account.balance);
        let sum = self.shards[call.shard].balances.entry(after.currency).or_default();
        *sum += Sum::from(after.balance) - Sum::from(had);

        let moved = after.credits.value_minor + after.refunds.value_minor - after.debits.value_minor;
        assert_eq!(moved, after.balance.into(), "{name} has what came and did not leave");
        let room = Sum::from(after.balance) + after.unsettled.value_minor;
        assert!(
            room <= Sum::from(i64::MAX),
            "{name} has no room for its refunds: {after:?}"
        );
        assert!(
            !self.one_debit || after.unsettled.count <= 1,
            "{name} has two debits in flight"
        );
        let Some(before) = before else { return };
        assert_eq!(before.currency, after.currency, "{name} has one currency for its life");
        if after.debits != before.debits {
            let limit = after.limit.unwrap_or(i64::MIN);
            assert!(after.balance >= limit, "{name} was charged under its limit: {after:?}");
        }
        if before.status != Status::Open {
            let came_or_went = (after.debits, after.credits) != (before.debits, before.credits);
            assert!(
                !came_or_went,
                "{name} is not open and moved more than refunds: {after:?}"
            );
        }
        if before.status == Status::Closed {
            assert_eq!(after, before, "{name} is closed");
        } else if after.status == Status::Closed {
            let settled = (after.balance, after.waiting, after.unsettled.count) == (0, 0, 0);
            assert!(settled, "{name} was closed too soon: {after:?}");
        }
    }

    /// A record that a stage wrote.
    pub fn emitted(&mut self, topic: &str, message: &Value, now: i64) {
        match (topic, message["type"].as_str().unwrap_or_default()) {
            (topics::ACCEPTED, _) => self.accepted(message, now),
            (topics::INFLIGHT, "debit") => self.opened(message),
            (topics::INFLIGHT, "credit") => {
                let charged = self.charged.insert(life(message));
                assert!(charged, "charged twice: {message}");
            }
            (topics::INFLIGHT, "refund") => {
                let code = text(&message["code"]);
                self.say(life(message), Word::Refund { code });
            }
            (topics::COMPLETE, _) => self.say(life(message), Word::Complete),
            (topics::FAILED, _) => self.failed(message),
            ("payment.confirmed", _) => {
                let life = life(message);
                assert_eq!(self.words.get(&life), Some(&Word::Complete), "{message}");
                self.end(life);
            }
            _ => {}
        }
    }

    /// An id is accepted once in a window, the same payment once and for all.
    fn accepted(&mut self, payment: &Value, now: i64) {
        let before = self.accepted.entry(text(&payment["id"])).or_default();
        if let Some((last, _)) = before.last() {
            assert!(
                last + REMEMBER < now,
                "accepted at {last} and again at {now}: {payment}"
            );
        }
        assert!(before.iter().all(|(_, it)| it != payment), "accepted twice: {payment}");
        before.push((now, payment.clone()));
    }

    fn opened(&mut self, message: &Value) {
        let payment = &message["payment"];
        let terms = Terms {
            from: text(&payment["from"]),
            currency: Currency::parse(&text(&payment["currency"])).expect("validate let it pass"),
            amount: payment["amount"].as_i64().expect("an amount"),
        };
        let opened = self.lives.insert(life(message), terms);
        assert!(opened.is_none(), "opened twice: {message}");
    }

    fn say(&mut self, life: Life, word: Word) {
        assert!(self.charged.contains(&life), "{life:?} was never charged: {word:?}");
        if let Some(said) = self.words.get(&life) {
            panic!("{life:?}: the payee's side said {said:?} before it said {word:?}");
        }
        self.words.insert(life, word);
    }

    /// The refund's code stands; what was refused never left.
    fn failed(&mut self, message: &Value) {
        let life = life(message);
        let code = text(&message["code"]);
        if message["state"] == "refunded" {
            assert_eq!(self.words.get(&life), Some(&Word::Refund { code }), "{message}");
        } else {
            assert!(!self.charged.contains(&life), "refused, and yet charged: {message}");
        }
        self.end(life);
    }

    fn end(&mut self, life: Life) {
        let ends = self.ends.entry(life.0.clone()).or_default();
        *ends += 1;
        let accepted = self.accepted.get(&life.0).map_or(0, Vec::len);
        assert!(
            *ends <= accepted,
            "{} was accepted {accepted} times and ended {ends} times",
            life.0
        );
        let ended = self.ended.insert(life);
        assert!(ended, "a payment ended twice");
    }

    /// The payee's side has the money, whether or not the payer's side knows.
    pub fn is_credited(&self, life: &Life) -> bool {
        self.words.get(life) == Some(&Word::Complete)
    }
}

/// The payer's side of a payment goes only forward.
fn debit(call: &Call<'_>, change: &Change) {
    use Debit::{Cancelled, Open, Refunded, Refused, Settled, Waiting};
    let (before, after) = both::<Debit>(change);
    let (opened, id) = timed::split(&change.key);
    let allowed = match (before, after) {
        (None, Some(after)) => !matches!(after, Settled | Refunded),
        (Some(Waiting { .. }), Some(after)) => matches!(after, Open { .. } | Refused | Cancelled),
        (Some(Open { .. }), Some(after)) => matches!(after, Settled | Refunded),
        (Some(Settled | Refunded | Refused | Cancelled), None) => opened + REMEMBER <= call.now,
        (None, None) => true,
        _ => false,
    };
    assert!(
        allowed,
        "the debit of {id} opened at {opened} was {before:?} and is {after:?} at {}",
        call.now
    );
}

/// What the payee's side decides is final, and remembered.
fn credit(call: &Call<'_>, change: &Change) {
    let (before, after) = both::<Credit>(change);
    let (opened, id) = timed::split(&change.key);
    let allowed = before.is_none() || (after.is_none() && opened + REMEMBER <= call.now);
    assert!(
        allowed,
        "the credit of {id} opened at {opened} was {before:?} and is {after:?} at {}",
        call.now
    );
}

/// Entries keyed by time go only when their time is over.
fn remembered(call: &Call<'_>, store: &str) {
    for change in call.outcome.iter().flat_map(|_| call.cx.changes()) {
        if change.store == store && change.after.is_none() {
            let (opened, id) = timed::split(&change.key);
            assert!(
                opened + REMEMBER <= call.now,
                "{id} opened at {opened} was forgotten at {}",
                call.now
            );
        }
    }
}
