//! The books of one shard, open for one record.

use fermata_payments::{Code, Currency, End, Outcome, Payment, Refusal, Sum, Tally, Transfer, is_funding, timed};
use fermata_stage::{Context, Rejection};

use crate::state::{ACCOUNTS, Account, CREDITS, Credit, DEBITS, Debit, LEDGER, Ledger, Movement, Status};
use crate::sweep::{FORGET_CREDITS, FORGET_DEBITS};
use crate::{Config, Output};

/// Why a message moved nothing and led to nothing.
#[derive(Debug, Clone, Copy)]
pub enum Dropped {
    /// The side that it is for has decided before.
    Decided,
    /// It is about a debit that is not open.
    NotOpen,
}

impl Dropped {
    fn label(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::NotOpen => "not-open",
        }
    }
}

pub struct Books<'a> {
    pub(crate) cx: &'a mut dyn Context,
    pub(crate) config: &'a Config,
    /// Loaded when it is first needed, and then saved by `close`.
    ledger: Option<Ledger>,
    outputs: Vec<Output>,
}

/// An account in hand: changed freely, kept by [`Books::save`].
pub struct InHand {
    pub name: String,
    pub account: Account,
    /// Its balance in the store; none if it is not there yet.
    stored: Option<i64>,
}

impl<'a> Books<'a> {
    pub fn open(cx: &'a mut dyn Context, config: &'a Config) -> Self {
        Self {
            cx,
            config,
            ledger: None,
            outputs: Vec::new(),
        }
    }

    pub fn close(self) -> Vec<Output> {
        if let Some(ledger) = &self.ledger {
            LEDGER.put(self.cx, "all", ledger);
        }
        self.outputs
    }

    pub fn emit(&mut self, transfer: Transfer) {
        self.outputs.push(Output::Transfer(transfer));
    }

    pub fn answer(&mut self, answer: fermata_payments::Answer) {
        self.outputs.push(Output::Answer(answer));
    }

    pub fn end(&mut self, opened: i64, payment: Payment, outcome: Outcome) {
        if let Outcome::Refused(refusal) | Outcome::Refunded(refusal) = &outcome {
            self.cx.add("payments_failed_total", &[refusal.code.as_str()], 1);
        }
        self.outputs.push(Output::End(End {
            opened,
            payment,
            outcome,
        }));
    }

    pub fn drop_message(&mut self, why: Dropped) {
        self.cx.add("transfers_dropped_total", &[why.label()], 1);
    }

    /// The account `name`. A funding account is there without being opened.
    pub fn account(&self, name: &str) -> Option<InHand> {
        let stored = ACCOUNTS.get(self.cx, name);
        let balance = stored.as_ref().map(|account| account.balance);
        let account = stored.or_else(|| is_funding(name).map(|currency| Account::new(currency, None)))?;
        Some(InHand {
            name: name.to_owned(),
            account,
            stored: balance,
        })
    }

    /// An account that is not there yet.
    pub fn new_account(&self, name: &str, currency: Currency, limit: i64) -> InHand {
        InHand {
            name: name.to_owned(),
            account: Account::new(currency, Some(limit)),
            stored: None,
        }
    }

    pub fn save(&mut self, in_hand: &InHand) {
        let InHand { name, account, stored } = in_hand;
        let change = Sum::from(account.balance) - Sum::from(stored.unwrap_or(0));
        if stored.is_none() || change != Sum::ZERO {
            let ledger = self.ledger();
            ledger.accounts += u64::from(stored.is_none());
            ledger.currencies.entry(account.currency).or_default().balances += change;
        }
        ACCOUNTS.put(self.cx, name, account);
    }

    /// Money that left an account (+) or reached one (-).
    pub fn clear(&mut self, currency: Currency, amount: Sum) {
        self.ledger().currencies.entry(currency).or_default().clearing += amount;
    }

    /// Notes what has become of a debit that was not known before.
    pub fn new_debit(&mut self, opened: i64, id: &str, debit: Debit) {
        DEBITS.put(self.cx, timed::key(opened, id), &debit);
        let at = opened.saturating_add(self.config.remember.as_millis());
        self.ledger();
        if let Some(ledger) = &mut self.ledger {
            FORGET_DEBITS.arm(self.cx, &mut ledger.debits.alarm, at);
        }
    }

    /// Notes what has been decided of a credit.
    pub fn new_credit(&mut self, opened: i64, id: &str, credit: Credit) {
        CREDITS.put(self.cx, timed::key(opened, id), &credit);
        let at = opened.saturating_add(self.config.remember.as_millis());
        self.ledger();
        if let Some(ledger) = &mut self.ledger {
            FORGET_CREDITS.arm(self.cx, &mut ledger.credits.alarm, at);
        }
    }

    /// What the payer's side knows of a payment. The rejection: it may have known and forgotten, and to act on the
    /// message could decide twice. As a dead letter it is seen, and the payment stays open.
    pub fn find_debit(&mut self, opened: i64, id: &str) -> Result<Option<Debit>, Rejection> {
        let found = DEBITS.get(self.cx, timed::key(opened, id));
        if found.is_none() && self.ledger().debits.may_have_forgotten(opened) {
            return Err(forgotten(id));
        }
        Ok(found)
    }

    /// What the payee's side knows; see [`Books::find_debit`].
    pub fn find_credit(&mut self, opened: i64, id: &str) -> Result<Option<Credit>, Rejection> {
        let found = CREDITS.get(self.cx, timed::key(opened, id));
        if found.is_none() && self.ledger().credits.may_have_forgotten(opened) {
            return Err(forgotten(id));
        }
        Ok(found)
    }

    fn ledger(&mut self) -> &mut Ledger {
        let cx = &*self.cx;
        self.ledger
            .get_or_insert_with(|| LEDGER.get(cx, "all").unwrap_or_default())
    }
}

impl InHand {
    /// Money moves; `amount` is negative for a debit. None: the balance would not fit.
    #[must_use]
    pub fn moved(&mut self, amount: i64, now: i64) -> Option<()> {
        self.account.balance = self.account.balance.checked_add(amount)?;
        self.account.last = Some(Movement { at: now, amount });
        Some(())
    }

    /// May money in `currency` move here at all? The order of these checks is fixed; funds and overflow come after.
    pub fn permits(&self, currency: Currency) -> Result<(), Refusal> {
        match self.account.status {
            Status::Closed => return Err(Code::ACCOUNT_CLOSED.refusal(format!("{} is closed", self.name))),
            Status::Frozen => return Err(Code::ACCOUNT_FROZEN.refusal(format!("{} is frozen", self.name))),
            Status::Open => {}
        }
        if self.account.currency != currency {
            let kept = self.account.currency;
            return Err(Code::CURRENCY_MISMATCH.refusal(format!("{} is kept in {kept}, not in {currency}", self.name)));
        }
        Ok(())
    }
}

impl Account {
    fn new(currency: Currency, limit: Option<i64>) -> Self {
        Self {
            currency,
            balance: 0,
            limit,
            status: Status::Open,
            debits: Tally::default(),
            credits: Tally::default(),
            refunds: Tally::default(),
            unsettled: Tally::default(),
            waiting: 0,
            arrivals: 0,
            last: None,
        }
    }
}

pub fn unknown(name: &str) -> Refusal {
    Code::UNKNOWN_ACCOUNT.refusal(format!("there is no account {name}"))
}

fn forgotten(id: &str) -> Rejection {
    Code::TOO_OLD.rejection(format!(
        "whether payment {id} was decided before is no longer remembered"
    ))
}
