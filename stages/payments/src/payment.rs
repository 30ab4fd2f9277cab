//! A payment after acceptance: the terms that stages act on, and the whole text, carried along untouched.

use fermata_stage::Rejection;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::code::Code;
use crate::currency::Currency;

/// What the stages behind validate act on. `amount`: minor units, positive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub id: String,
    pub from: String,
    pub to: String,
    pub amount: i64,
    pub currency: Currency,
}

/// A payment as it came in. Fields that no stage knows travel in `text`.
#[derive(Debug, Clone)]
pub struct Payment {
    pub terms: Terms,
    pub text: Box<RawValue>,
}

impl Payment {
    /// From the JSON of an accepted payment.
    pub fn parse(text: &RawValue) -> Result<Self, Rejection> {
        let terms = serde_json::from_str(text.get())
            .map_err(|error| Code::BAD_JSON.rejection(format!("not an accepted payment: {error}")))?;
        Ok(Self {
            terms,
            text: text.to_owned(),
        })
    }

    /// From a record's value.
    pub fn from_value(value: Option<&[u8]>) -> Result<Self, Rejection> {
        Self::parse(read(value)?)
    }
}

/// The message in a record's value.
pub(crate) fn read<'a, T: Deserialize<'a>>(value: Option<&'a [u8]>) -> Result<T, Rejection> {
    let value = value.ok_or_else(|| Code::BAD_JSON.rejection("the record has no value"))?;
    serde_json::from_slice(value).map_err(|error| Code::BAD_JSON.rejection(error.to_string()))
}

#[cfg(test)]
pub(crate) mod fixtures {
    use super::*;

    /// A payment of 1,250 minor units with a field that no stage knows.
    pub fn payment() -> Payment {
        let text = r#"{"id":"p-1","from":"acct-1","to":"acct-2","amount":1250,"currency":"EUR","at":"2026-11-22T23:01:02Z","colour": "blue"}"#;
        Payment::from_value(Some(text.as_bytes())).expect("a payment")
    }
}
