//! A payment after acceptance: the terms that stages act on, and the whole text, carried along untouched.

use std::borrow::Cow;

use fermata_stage::{Emission, Input, Rejection};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::code::{Code, Refusal};
use crate::currency::Currency;

/// What the stages behind validate act on. `amount`: minor units, positive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Encode, Decode)]
pub struct Terms {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub from: String,
    #[n(2)]
    pub to: String,
    #[n(3)]
    pub amount: i64,
    #[n(4)]
    pub currency: Currency,
}

/// A payment as it came in. Fields that no stage knows travel in `text`.
#[derive(Debug, Clone)]
pub struct Payment {
    pub terms: Terms,
    pub text: Box<str>,
}

impl Payment {
    /// From the JSON of an accepted payment, without spaces around it.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let terms = serde_json::from_str(text)
            .map_err(|error| Code::BAD_JSON.rejection(format!("not an accepted payment: {error}")))?;
        let text = text.into();
        Ok(Self { terms, text })
    }

    /// From its text as a stage kept it.
    ///
    /// # Panics
    /// Where it is no payment: only a defect can have kept it.
    pub fn kept(text: &str) -> Self {
        Self::parse(text).expect("it was a payment when it was kept")
    }

    /// From a record's value.
    pub fn from_value(value: Option<&[u8]>) -> Result<Self, Rejection> {
        Self::parse(text(value)?)
    }

    /// The record's key must be the payment's id.
    pub fn expect_key(&self, input: &Input) -> Result<(), Rejection> {
        let id = &self.terms.id;
        if input.key.as_deref() == Some(id.as_bytes()) {
            Ok(())
        } else {
            Err(Code::KEY_MISMATCH.rejection(format!("the key is not payment {id}")))
        }
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

/// The JSON object in a record from outside: its text and its fields. `what` names the message for the reason.
pub(crate) fn object<'a, T: Deserialize<'a>>(value: Option<&'a [u8]>, what: &str) -> Result<(&'a str, T), Rejection> {
    let text = text(value)?;
    // Where fields are looked for, serde would take an array of them too.
    if !text.starts_with('{') {
        return Err(Code::BAD_JSON.rejection(format!("{what} is a JSON object")));
    }
    Ok((text, fields(text)?))
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
    fields(text(value)?)
}

fn fields<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Rejection> {
    serde_json::from_str(text).map_err(|error| Code::BAD_JSON.rejection(error.to_string()))
}

/// The text in a record's value, without the spaces that JSON allows around it. Found to be UTF-8 as a whole, it is
/// not looked at for that again.
fn text(value: Option<&[u8]>) -> Result<&str, Rejection> {
    let value = value.ok_or_else(|| Code::BAD_JSON.rejection("the record has no value"))?;
    let text = std::str::from_utf8(value).map_err(|error| Code::BAD_JSON.rejection(error.to_string()))?;
    Ok(text.trim_matches([' ', '\t', '\n', '\r']))
}

/// A message that carries a payment along. `head`: its other fields, at least one. The payment's text goes behind them
/// as it is, without being read again.
pub(crate) fn carrying<T: Serialize>(port: &str, key: &str, head: &T, payment: &str) -> Emission {
    let mut value = Vec::with_capacity(HEAD + payment.len());
    serde_json::to_writer(&mut value, head).expect("a message is plain data with string keys");
    let end = value.pop();
    debug_assert!(end == Some(b'}') && value.len() > 1, "an object of some fields");
    value.extend_from_slice(br#","payment":"#);
    value.extend_from_slice(payment.as_bytes());
    value.push(b'}');
    Emission::new(port).with_key(key).with_value(value)
}

/// Bytes of a message around its payment; most stay below.
const HEAD: usize = 160;

#[cfg(test)]
pub(crate) mod fixtures {
    use super::*;

    /// A payment of 1,250 minor units with a field that no stage knows.
    pub fn payment() -> Payment {
        let text = r#"{"id":"p-1","from":"acct-1","to":"acct-2","amount":1250,"currency":"EUR","at":"2026-11-22T23:01:02Z","colour": "blue"}"#;
        Payment::from_value(Some(text.as_bytes())).expect("a payment")
    }
}
