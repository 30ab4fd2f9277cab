//! A payment after acceptance: the terms that stages act on, and the whole text, carried along untouched.

use std::borrow::Cow;

use fermata_stage::Rejection;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::code::{Code, Refusal};
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

/// The largest message that is read at a head, in bytes. Whatever fills it, each stage on its way reads and writes it
/// well within a record's fuel: a larger one is refused by its code and not by a fault.
pub const MAX_MESSAGE: usize = 8 << 10;

/// Bytes of an id or an account's name: they become keys of records and stores.
pub(crate) const MAX_NAME: usize = 128;

/// A longer name cannot even be the key of its refusal.
pub(crate) const MAX_ECHOED: usize = 1 << 10;

/// Why a record from outside is too large to be read.
pub(crate) fn oversize(value: Option<&[u8]>) -> Option<Refusal> {
    let size = value.map_or(0, <[u8]>::len);
    (size > MAX_MESSAGE)
        .then(|| Code::TOO_LARGE.refusal(format!("the record has {size} bytes, at most {MAX_MESSAGE} are read")))
}

/// The JSON object in a record from outside; `what` names the message for the reason.
pub(crate) fn object<'a>(value: Option<&'a [u8]>, what: &str) -> Result<&'a RawValue, Rejection> {
    let text: &RawValue = read(value)?;
    if !text.get().starts_with('{') {
        return Err(Code::BAD_JSON.rejection(format!("{what} is a JSON object")));
    }
    Ok(text)
}

/// The text of a JSON string.
pub(crate) fn string(field: &RawValue) -> Option<Cow<'_, str>> {
    let text = field.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    // What has no escape is its own content.
    if inner.contains('\\') {
        serde_json::from_str(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The beginning of what was found, for a reason that people read.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
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
