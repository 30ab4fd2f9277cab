//! What a shard keeps of its accounts.

use std::collections::BTreeMap;

use fermata_payments::timed::Memory;
use fermata_payments::{Currency, Sum, Tally};
use fermata_stage::Table;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// By name.
pub const ACCOUNTS: Table<Account> = Table::new("accounts", 1);
/// The payer's side of payments, by when they were opened and id ([`fermata_payments::timed::key`]).
pub const DEBITS: Table<Debit> = Table::new("debits", 1);
/// The payee's side of payments, keyed likewise.
pub const CREDITS: Table<Credit> = Table::new("credits", 1);
/// Debits that wait, by account and order of arrival ([`waiting_key`]).
pub const WAITING: Table<Waiting> = Table::new("waiting", 1);
/// One entry.
pub const LEDGER: Table<Ledger> = Table::new("ledger", 1);

/// An account has one currency for its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub currency: Currency,
    /// Minor units. With `unsettled` added it never exceeds an `i64`, so that every refund fits.
    pub balance: i64,
    /// The lowest balance that a debit may leave behind. None: a funding account.
    pub limit: Option<i64>,
    pub status: Status,
    /// All that ever left, whether or not it came back.
    #[serde(default)]
    pub debits: Tally,
    #[serde(default)]
    pub credits: Tally,
    /// Debits that came back.
    #[serde(default)]
    pub refunds: Tally,
    /// Debits of which neither `settled` nor `refund` has come.
    #[serde(default)]
    pub unsettled: Tally,
    /// Debits that wait.
    #[serde(default)]
    pub waiting: u64,
    /// How many debits have ever waited: the next one's place in the order.
    #[serde(default)]
    pub arrivals: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Movement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Open,
    Frozen,
    Closed,
}

/// The last change of a balance. `amount`: negative for a debit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    pub at: i64,
    pub amount: i64,
}

/// What the payer's account knows of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Debit {
    /// In the queue, at this place.
    Waiting { place: u64 },
    /// The money has left.
    Open { amount: i64 },
    /// The payee has the money.
    Settled,
    /// The money has come back.
    Refunded,
    /// It never left.
    Refused,
    /// It took too long and never left; a debit that comes later is dropped.
    Cancelled,
}

/// What the payee's account has decided of a payment, once and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Credit {
    Credited,
    /// Refused, and sent back.
    Refunded,
    /// Sent back before the credit came; if it comes it is dropped.
    Cancelled,
}

/// A debit in the queue of its account.
#[derive(Debug, Serialize, Deserialize)]
pub struct Waiting {
    pub opened: i64,
    pub payment: Box<RawValue>,
}

/// The length of the name stands first, so that no name is the beginning of another's keys.
pub fn waiting_prefix(account: &str) -> Vec<u8> {
    let length = u16::try_from(account.len()).expect("validate bounds the length of names");
    [&length.to_be_bytes()[..], account.as_bytes()].concat()
}

pub fn waiting_key(account: &str, place: u64) -> Vec<u8> {
    [&waiting_prefix(account)[..], &place.to_be_bytes()].concat()
}

/// Sums over this shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    pub currencies: BTreeMap<Currency, Position>,
    /// Accounts ever opened.
    pub accounts: u64,
    /// Of debits that have ended.
    pub debits: Memory,
    /// Of credits.
    pub credits: Memory,
}

/// `balances + clearing = 0` at every commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    /// Kept where accounts are saved.
    pub balances: Sum,
    /// Kept where money is moved: between the shards, debit +, credit -, refund -.
    pub clearing: Sum,
}
