//! The set-up: accounts with money, and those that bad payments need.

use fermata_payments::{Currency, funding_account, time};
use fermata_stage::Emission;
use serde_json::json;

use crate::config::Config;
use crate::{COMMANDS, Generator, payment};

/// Accounts of each special kind.
pub const SPECIAL: u64 = 8;
/// Holds all that a balance can hold.
pub const FULL: &str = "full";
/// May owe without end in the same currency.
pub const OWING: &str = "owing";

/// Has money and is never debited.
pub const KEPT: &str = "kept";

/// One sequence number of the set-up.
pub enum Step {
    Fund {
        account: String,
        amount: i64,
    },
    /// Fill `full` in the other currency.
    Fill,
    Open {
        account: String,
        currency: Currency,
        limit: i64,
    },
    Freeze {
        account: String,
    },
    Close {
        account: String,
    },
}

pub fn poor(index: u64) -> String {
    format!("poor-{index}")
}

pub fn frozen(index: u64) -> String {
    format!("frozen-{index}")
}

pub fn closed(index: u64) -> String {
    format!("closed-{index}")
}

/// Only what the shares of bad input need.
pub fn extras(config: &Config) -> Vec<Step> {
    let open = |account: String| Step::Open {
        account,
        currency: config.currency,
        limit: 0,
    };
    let mut steps = Vec::new();
    if config.bad.insufficient_funds > 0.0 {
        steps.extend((0..SPECIAL).map(|index| open(poor(index))));
    }
    if config.bad.account_frozen > 0.0 {
        steps.extend((0..SPECIAL).flat_map(|index| [open(frozen(index)), Step::Freeze { account: frozen(index) }]));
    }
    if config.bad.account_closed > 0.0 {
        steps.extend((0..SPECIAL).flat_map(|index| [open(closed(index)), Step::Close { account: closed(index) }]));
    }
    if config.bad.amount_overflow > 0.0 {
        steps.push(Step::Fill);
        let account = OWING.to_owned();
        steps.push(Step::Open {
            account,
            currency: config.other_currency,
            limit: i64::MIN / 2,
        });
    }
    if config.bad.exists > 0.0 || config.bad.balance_not_zero > 0.0 {
        steps.push(Step::Fund {
            account: KEPT.to_owned(),
            amount: config.fund(),
        });
    }
    steps
}

impl Generator {
    pub(crate) fn set_up(&self, step: &Step, sequence: u64, due: i64) -> Emission {
        match step {
            Step::Fund { account, amount } => self.fund(sequence, account, *amount, self.config.currency, due),
            Step::Fill => self.fund(sequence, FULL, i64::MAX, self.config.other_currency, due),
            Step::Open {
                account,
                currency,
                limit,
            } => command(
                account,
                &json!({ "v": 1, "type": "open", "account": account, "currency": currency, "limit": limit }),
            ),
            Step::Freeze { account } => command(account, &json!({ "v": 1, "type": "freeze", "account": account })),
            Step::Close { account } => command(account, &json!({ "v": 1, "type": "close", "account": account })),
        }
    }

    fn fund(&self, sequence: u64, to: &str, amount: i64, currency: Currency, due: i64) -> Emission {
        let id = self.id(sequence);
        let from = funding_account(currency);
        let at = time::format(due);
        payment(
            &id,
            &json!({ "id": id, "from": from, "to": to, "amount": amount, "currency": currency, "at": at }),
        )
    }
}

pub fn command(account: &str, command: &serde_json::Value) -> Emission {
    Emission::json(COMMANDS, account, command)
}
