//! An account as others see it.

use fermata_payments::{Currency, Sum, Tally, time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::{Account, Status};

/// Amounts are integers of minor units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub currency: Currency,
    pub balance: i64,
    /// The lowest balance that a debit may leave behind; null: none.
    pub limit: Option<i64>,
    pub status: Status,
    pub debits: Tally,
    pub credits: Tally,
    pub refunds: Tally,
    pub unsettled: Tally,
    pub waiting: u64,
    /// Negative for a debit; null before the first movement.
    pub last_amount: Option<i64>,
    /// RFC 3339.
    pub last_at: Option<String>,
    /// 1.1.0: how often the balance has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub movements: Option<u64>,
}

impl Row {
    pub fn new(minor: u32, id: &str, account: &Account) -> Self {
        let movements = account.debits.count + account.credits.count + account.refunds.count;
        Self {
            id: id.to_owned(),
            currency: account.currency,
            balance: account.balance,
            limit: account.limit,
            status: account.status,
            debits: account.debits,
            credits: account.credits,
            refunds: account.refunds,
            unsettled: account.unsettled,
            waiting: account.waiting,
            last_amount: account.last.map(|last| last.amount),
            last_at: account.last.map(|last| time::format(last.at)),
            movements: (minor >= 1).then_some(movements),
        }
    }

    /// What a page can be sorted by, beside the id.
    pub fn figure(&self, name: &str) -> Option<Sum> {
        match name {
            "balance" => Some(self.balance.into()),
            "last_amount" => Some(self.last_amount.unwrap_or(0).into()),
            "last_at" => Some(self.last_at.as_deref().and_then(time::parse).unwrap_or(i64::MIN).into()),
            "debits" => Some(self.debits.value_minor),
            "credits" => Some(self.credits.value_minor),
            _ => None,
        }
    }
}

/// Names that [`Row::figure`] knows.
pub const FIGURES: [&str; 5] = ["balance", "last_amount", "last_at", "debits", "credits"];

pub fn schema(minor: u32) -> Value {
    let tally = json!({
        "type": "object",
        "properties": { "count": { "type": "integer" }, "value_minor": { "type": ["integer", "string"] } },
    });
    let mut properties = json!({
        "id": { "type": "string" },
        "currency": { "type": "string" },
        "balance": { "type": "integer", "description": "minor units" },
        "limit": { "type": ["integer", "null"] },
        "status": { "enum": ["open", "frozen", "closed"] },
        "debits": tally, "credits": tally, "refunds": tally, "unsettled": tally,
        "waiting": { "type": "integer" },
        "last_amount": { "type": ["integer", "null"] },
        "last_at": { "type": ["string", "null"], "format": "date-time" },
    });
    if minor >= 1 {
        properties["movements"] = json!({ "type": "integer" });
    }
    json!({ "type": "object", "properties": properties })
}
