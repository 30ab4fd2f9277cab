//! What is to be generated.

use fermata_payments::Currency;
use serde::Deserialize;

/// `[generator.x.config]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Plain accounts: `acct-0` to `acct-<n - 1>`.
    pub accounts: u32,
    /// How much more the first accounts are used: 0 all alike, 1 as words in a language.
    pub zipf: f64,
    pub currency: Currency,
    /// For payments in the wrong currency.
    pub other_currency: Currency,
    pub amount: Amounts,
    /// Shares of bad input, each from 0 to 1; together at most 1.
    pub bad: Bad,
}

/// Minor units; small ones are more frequent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amounts {
    pub min: i64,
    pub max: i64,
}

/// Named by the code that each provokes; `repeated` is the same payment twice, and from `unknown-type` on they are
/// commands. No share provokes `timed-out` or `unsettled`, which depend on what overtakes what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Bad {
    pub bad_json: f64,
    pub missing_field: f64,
    pub unknown_version: f64,
    pub bad_amount: f64,
    pub bad_currency: f64,
    pub bad_time: f64,
    pub too_old: f64,
    pub same_account: f64,
    pub too_large: f64,
    pub duplicate_id: f64,
    pub repeated: f64,
    pub unknown_account: f64,
    pub insufficient_funds: f64,
    pub account_frozen: f64,
    pub account_closed: f64,
    pub currency_mismatch: f64,
    pub amount_overflow: f64,
    pub key_mismatch: f64,
    pub unknown_type: f64,
    pub exists: f64,
    pub balance_not_zero: f64,
    pub no_limit: f64,
}

/// A kind of payment, good or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Good,
    BadJson,
    MissingField,
    UnknownVersion,
    BadAmount,
    BadCurrency,
    BadTime,
    TooOld,
    SameAccount,
    TooLarge,
    DuplicateId,
    Repeated,
    UnknownAccount,
    InsufficientFunds,
    AccountFrozen,
    AccountClosed,
    CurrencyMismatch,
    AmountOverflow,
    KeyMismatch,
    UnknownType,
    Exists,
    BalanceNotZero,
    NoLimit,
}

impl Default for Config {
    fn default() -> Self {
        let currency = |code| Currency::parse(code).expect("three capital letters");
        Self {
            accounts: 1_000,
            zipf: 1.0,
            currency: currency("EUR"),
            other_currency: currency("USD"),
            amount: Amounts { min: 1, max: 10_000 },
            bad: Bad::default(),
        }
    }
}

impl Bad {
    pub fn shares(&self) -> [(Kind, f64); 22] {
        [
            (Kind::BadJson, self.bad_json),
            (Kind::MissingField, self.missing_field),
            (Kind::UnknownVersion, self.unknown_version),
            (Kind::BadAmount, self.bad_amount),
            (Kind::BadCurrency, self.bad_currency),
            (Kind::BadTime, self.bad_time),
            (Kind::TooOld, self.too_old),
            (Kind::SameAccount, self.same_account),
            (Kind::TooLarge, self.too_large),
            (Kind::DuplicateId, self.duplicate_id),
            (Kind::Repeated, self.repeated),
            (Kind::UnknownAccount, self.unknown_account),
            (Kind::InsufficientFunds, self.insufficient_funds),
            (Kind::AccountFrozen, self.account_frozen),
            (Kind::AccountClosed, self.account_closed),
            (Kind::CurrencyMismatch, self.currency_mismatch),
            (Kind::AmountOverflow, self.amount_overflow),
            (Kind::KeyMismatch, self.key_mismatch),
            (Kind::UnknownType, self.unknown_type),
            (Kind::Exists, self.exists),
            (Kind::BalanceNotZero, self.balance_not_zero),
            (Kind::NoLimit, self.no_limit),
        ]
    }

    /// The kind at a point between 0 and 1.
    pub fn kind(&self, point: f64) -> Kind {
        let mut end = 0.0;
        for (kind, share) in self.shares() {
            end += share;
            if point < end {
                return kind;
            }
        }
        Kind::Good
    }
}

impl Config {
    pub fn check(&self) -> Result<(), String> {
        if self.accounts < 2 {
            return Err(format!("accounts is {}, a payment needs two", self.accounts));
        }
        if !(0.0..=10.0).contains(&self.zipf) {
            return Err(format!("zipf is {}, it must lie between 0 and 10", self.zipf));
        }
        let Amounts { min, max } = self.amount;
        if min < 1 || max < min || max > MOST {
            return Err(format!("amount is {min} to {max}, it must lie between 1 and {MOST}"));
        }
        if self.currency == self.other_currency {
            return Err(format!("other-currency is {}, the same as currency", self.currency));
        }
        let shares = self.bad.shares();
        let total: f64 = shares.iter().map(|(_, share)| share).sum();
        if shares.iter().any(|(_, share)| !(0.0..=1.0).contains(share)) || total > 1.0 {
            return Err(format!(
                "the shares of bad input make {total}; each must lie between 0 and 1, and all within 1"
            ));
        }
        Ok(())
    }

    /// What a plain account is given: far above all that it may be asked, and all of them together far below what
    /// the balance of the funding account can hold.
    pub fn fund(&self) -> i64 {
        FUND.min(i64::MAX / 16 / i64::from(self.accounts))
    }
}

/// The largest amount: a millionth of what an account is given.
const MOST: i64 = FUND / 1_000_000;
const FUND: i64 = 1_000_000_000_000;
