//! What a shard keeps of its accounts.

use std::collections::BTreeMap;

use fermata_payments::timed::Memory;
use fermata_payments::{Currency, Sum, Tally};
use fermata_stage::{Cbor, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// By name.
pub const ACCOUNTS: Table<Account, Cbor> = Table::new("accounts", 1);
/// The payer's side of payments, by when they were opened and id ([`fermata_payments::timed::key`]).
pub const DEBITS: Table<Debit, Cbor> = Table::new("debits", 1);
/// The payee's side of payments, keyed likewise.
pub const CREDITS: Table<Credit, Cbor> = Table::new("credits", 1);
/// Debits that wait, by account and order of arrival ([`waiting_key`]).
pub const WAITING: Table<Waiting, Cbor> = Table::new("waiting", 1);
/// One entry.
pub const LEDGER: Table<Ledger, Cbor> = Table::new("ledger", 1);

/// An account has one currency for its life.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Account {
    #[n(0)]
    pub currency: Currency,
    /// Minor units. With `unsettled` added it never exceeds an `i64`, so that every refund fits.
    #[n(1)]
    pub balance: i64,
    /// The lowest balance that a debit may leave behind. None: a funding account.
    #[n(2)]
    pub limit: Option<i64>,
    #[n(3)]
    pub status: Status,
    /// All that ever left, whether or not it came back.
    #[cbor(n(4), default)]
    pub debits: Tally,
    #[cbor(n(5), default)]
    pub credits: Tally,
    /// Debits that came back.
    #[cbor(n(6), default)]
    pub refunds: Tally,
    /// Debits of which neither `settled` nor `refund` has come.
    #[cbor(n(7), default)]
    pub unsettled: Tally,
    /// Debits that wait.
    #[cbor(n(8), default)]
    pub waiting: u64,
    /// How many debits have ever waited: the next one's place in the order.
    #[cbor(n(9), default)]
    pub arrivals: u64,
    #[n(10)]
    pub last: Option<Movement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum Status {
    #[n(0)]
    Open,
    #[n(1)]
    Frozen,
    #[n(2)]
    Closed,
}

/// The last change of a balance. `amount`: negative for a debit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Movement {
    #[n(0)]
    pub at: i64,
    #[n(1)]
    pub amount: i64,
}

/// What the payer's account knows of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Debit {
    /// In the queue, at this place.
    #[n(0)]
    Waiting {
        #[n(0)]
        place: u64,
    },
    /// The money has left.
    #[n(1)]
    Open {
        #[n(0)]
        amount: i64,
    },
    /// The payee has the money.
    #[n(2)]
    Settled,
    /// The money has come back.
    #[n(3)]
    Refunded,
    /// It never left.
    #[n(4)]
    Refused,
    /// It took too long and never left; a debit that comes later is dropped.
    #[n(5)]
    Cancelled,
}

/// What the payee's account has decided of a payment, once and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Credit {
    #[n(0)]
    Credited,
    /// Refused, and sent back.
    #[n(1)]
    Refunded,
    /// Sent back before the credit came; if it comes it is dropped.
    #[n(2)]
    Cancelled,
}

/// A debit in the queue of its account.
#[derive(Debug, Encode, Decode)]
pub struct Waiting {
    #[n(0)]
    pub opened: i64,
    /// The whole payment, as JSON.
    #[n(1)]
    pub payment: String,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Ledger {
    #[cbor(n(0), default)]
    pub currencies: BTreeMap<Currency, Position>,
    /// Accounts ever opened.
    #[cbor(n(1), default)]
    pub accounts: u64,
    /// Of debits that have ended.
    #[cbor(n(2), default)]
    pub debits: Memory,
    /// Of credits.
    #[cbor(n(3), default)]
    pub credits: Memory,
}

/// `balances + clearing = 0` at every commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct Position {
    /// Kept where accounts are saved.
    #[cbor(n(0), default)]
    pub balances: Sum,
    /// Kept where money is moved: between the shards, debit +, credit -, refund -.
    #[cbor(n(1), default)]
    pub clearing: Sum,
}
