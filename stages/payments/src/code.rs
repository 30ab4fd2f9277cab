//! The codes of refusals and dead letters: kebab-case, stable, one table.

use std::borrow::Cow;
use std::fmt;

use fermata_stage::{Rejection, Verdict};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Why a payment was refused, a command not carried out, or a record not understood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct Code(#[n(0)] Cow<'static, str>);

macro_rules! codes {
    ($($name:ident = $text:literal: $meaning:literal;)*) => {
        impl Code {
            $(#[doc = $meaning] pub const $name: Self = Self(Cow::Borrowed($text));)*
        }

        /// Every code that the stages write, with its meaning. A validator's own are `validator-name/code`.
        pub const CODES: &[(&str, &str)] = &[$(($text, $meaning)),*];
    };
}

codes! {
    BAD_JSON = "bad-json": "The record is not the JSON of a message.";
    MISSING_FIELD = "missing-field": "A field is missing, empty, or not of its type. Without an id: a dead letter.";
    UNKNOWN_VERSION = "unknown-version": "The message's version is not one that this stage accepts.";
    UNKNOWN_TYPE = "unknown-type": "The message's type is not one that this stage accepts.";
    KEY_MISMATCH = "key-mismatch": "The record's key is not the one that its content asks for.";
    BAD_AMOUNT = "bad-amount": "The amount is not a positive integer of minor units within 64 bits.";
    BAD_CURRENCY = "bad-currency": "The currency is not an ISO 4217 code that this pipeline knows.";
    BAD_TIME = "bad-time": "The time is not RFC 3339 with a zone, or lies too far ahead.";
    TOO_OLD = "too-old": "The payment's time lies before the window in which ids are remembered.";
    SAME_ACCOUNT = "same-account": "Both sides of the payment are one account.";
    TOO_LARGE = "too-large": "The amount, the record or one of its fields is over its limit.";
    DUPLICATE_ID = "duplicate-id": "The id belongs to an accepted payment of other content.";
    UNKNOWN_ACCOUNT = "unknown-account": "There is no such account.";
    INSUFFICIENT_FUNDS = "insufficient-funds": "The debit would take the account under its limit.";
    ACCOUNT_FROZEN = "account-frozen": "The account is frozen.";
    ACCOUNT_CLOSED = "account-closed": "The account is closed.";
    CURRENCY_MISMATCH = "currency-mismatch": "The account is kept in another currency.";
    AMOUNT_OVERFLOW = "amount-overflow": "The balance would not fit in 64 bits.";
    TIMED_OUT = "timed-out": "The payment took too long and was taken back.";
    OK = "ok": "The command was carried out.";
    EXISTS = "exists": "The same again: it had been done before.";
    UNSETTLED = "unsettled": "The account has debits that wait or are not settled.";
    BALANCE_NOT_ZERO = "balance-not-zero": "An account with a balance cannot be closed.";
    NO_LIMIT = "no-limit": "A funding account has no limit.";
}

impl Code {
    /// A validator's own code: `validator-name/code`.
    pub fn of_validator(validator: &str, code: &str) -> Self {
        Self(Cow::Owned(format!("{validator}/{code}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the stage's own rejection: the record becomes a dead letter.
    pub fn rejection(&self, reason: impl Into<String>) -> Rejection {
        Rejection::new(self.as_str(), reason)
    }

    /// As the end of a payment.
    pub fn refusal(self, reason: impl Into<String>) -> Refusal {
        Refusal {
            code: self,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a payment may not pass: a normal end, not a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// For people.
    pub reason: String,
}

impl Refusal {
    /// The first validator that said no of a record which was delivered with its word.
    pub fn of_verdicts(verdicts: &[Verdict]) -> Option<Self> {
        verdicts.iter().find_map(|verdict| {
            let code = Code::of_validator(&verdict.validator, verdict.code.as_deref()?);
            Some(code.refusal(verdict.reason.clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_differ() {
        for (index, (code, meaning)) in CODES.iter().enumerate() {
            assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
            assert!(
                !code.starts_with('-') && !code.ends_with('-') && code.len() <= 64,
                "{code}"
            );
            assert!(meaning.ends_with('.'), "{code}");
            assert!(
                !CODES[..index].iter().any(|(other, _)| other == code),
                "{code} stands twice"
            );
        }
    }

    #[test]
    fn the_readme_has_every_code() {
        let readme = include_str!("../../../examples/payments/README.md");
        let rows: Vec<String> = CODES
            .iter()
            .map(|(code, meaning)| format!("| `{code}` | {meaning} |"))
            .collect();
        assert!(
            readme.contains(&rows.join("\n")),
            "the table of codes should be:\n{}",
            rows.join("\n")
        );
    }

    #[test]
    fn the_first_validator_that_says_no_is_heard() {
        let verdict = |validator: &str, code: Option<&str>| Verdict {
            validator: validator.to_owned(),
            code: code.map(str::to_owned),
            reason: "7 in 60 s".to_owned(),
        };
        let verdicts = [
            verdict("calm", None),
            verdict("acme-velocity", Some("too-fast")),
            verdict("late", Some("x")),
        ];
        let refusal = Refusal::of_verdicts(&verdicts).expect("one said no");
        assert_eq!(refusal.code.as_str(), "acme-velocity/too-fast");
        assert_eq!(refusal.reason, "7 in 60 s");
        assert_eq!(Refusal::of_verdicts(&verdicts[..1]), None);
    }
}
