//! What the stages keep, as far as the checks read it: the one place that knows how entries are written.

use std::collections::BTreeMap;

use fermata_payments::{Currency, Sum, Tally};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub const REMEMBER: i64 = 8 * 86_400_000;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    pub currency: Currency,
    pub balance: i64,
    pub limit: Option<i64>,
    pub status: Status,
    #[serde(default)]
    pub debits: Tally,
    #[serde(default)]
    pub credits: Tally,
    #[serde(default)]
    pub refunds: Tally,
    #[serde(default)]
    pub unsettled: Tally,
    #[serde(default)]
    pub waiting: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Open,
    Frozen,
    Closed,
}

/// The payer's side of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Debit {
    Waiting { place: u64 },
    Open { amount: i64 },
    Settled,
    Refunded,
    Refused,
    Cancelled,
}

/// The payee's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Credit {
    Credited,
    Refunded,
    Cancelled,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Ledger {
    pub currencies: BTreeMap<Currency, Position>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Position {
    pub balances: Sum,
    pub clearing: Sum,
}

/// validate's counts.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Figures {
    pub accepted: u64,
    pub repeated: u64,
    pub rejected: BTreeMap<String, u64>,
}

pub fn read<T: DeserializeOwned>(entry: &[u8]) -> T {
    serde_json::from_slice(entry).expect("state is JSON")
}
