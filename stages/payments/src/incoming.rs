//! `payment.incoming`: what anybody may have sent.
//!
//! The record is read leniently, each field by itself, so that a payment with one bad field is refused by its id
//! rather than lost among the dead letters.

use std::borrow::Cow;

use fermata_stage::{Input, Rejection};
use minicbor::{Decode, Encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::MESSAGE_VERSION;
use crate::code::{Code, Refusal};
use crate::currency::Currency;
use crate::payment::{MAX_ECHOED, MAX_NAME, Terms, excerpt, object, oversize, string};
use crate::time;

/// Bytes of `metadata`: putting it in order costs far more than reading it.
const MAX_METADATA: usize = 4 << 10;

/// A record of `payment.incoming` that has an id.
#[derive(Debug)]
pub struct Incoming {
    pub id: String,
    /// The record's value, to be passed on as it is. None: it was too large to be read.
    pub text: Option<String>,
    /// The content, or what is wrong with its shape.
    pub content: Result<Content, Refusal>,
    /// A validator's no.
    pub verdict: Option<Refusal>,
}

/// A payment whose fields all have their types. Whether it may pass is still to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub terms: Terms,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Of the parsed fields: two texts that say the same have the same fingerprint.
    pub fingerprint: Fingerprint,
}

/// Half of a SHA-256: it is kept for each id, and 128 bits leave nothing to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Fingerprint(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

/// The fields as they stand, none of them judged.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    #[serde(borrow)]
    currency: Option<&'a RawValue>,
    #[serde(borrow)]
    at: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    reference: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    v: Option<&'a RawValue>,
}

impl Incoming {
    /// The rejection is for what cannot be treated as a payment at all: no JSON object, no id, another version, or a
    /// key that is not the id (its duplicates would be judged on another shard).
    pub fn parse(input: &Input) -> Result<Self, Rejection> {
        let value = input.value.as_deref();
        if let Some(refusal) = oversize(value) {
            return Self::unread(input, refusal);
        }
        let (text, wire): (_, Wire<'_>) = object(value, "a payment")?;
        if let Some(version) = wire.v
            && version.get() != "1"
        {
            return Err(Code::UNKNOWN_VERSION.rejection(format!(
                "v is {}, this stage knows {MESSAGE_VERSION}",
                excerpt(version.get())
            )));
        }
        let id = wire.id.and_then(string).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Code::MISSING_FIELD.rejection("a payment has an id, a string that is not empty"))?;
        if id.len() > MAX_ECHOED {
            return Err(Code::TOO_LARGE.rejection(format!("the id has {} bytes", id.len())));
        }
        if input.key.as_deref() != Some(id.as_bytes()) {
            return Err(Code::KEY_MISMATCH.rejection(format!("the key of payment {} is not its id", excerpt(&id))));
        }
        let content = wire.content(&id);
        Ok(Self {
            id: id.into_owned(),
            text: Some(text.to_owned()),
            content,
            verdict: Refusal::of_verdicts(&input.verdicts),
        })
    }

    /// What is not read is refused by its key, which is the id of every payment.
    fn unread(input: &Input, refusal: Refusal) -> Result<Self, Rejection> {
        let key = input.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let id = key.filter(|key| (1..=MAX_ECHOED).contains(&key.len()));
        let id = id.ok_or_else(|| refusal.code.rejection(refusal.reason.clone()))?;
        Ok(Self {
            id: id.to_owned(),
            text: None,
            content: Err(refusal),
            verdict: None,
        })
    }
}

impl Wire<'_> {
    fn content(&self, id: &str) -> Result<Content, Refusal> {
        if id.len() > MAX_NAME {
            return Err(
                Code::TOO_LARGE.refusal(format!("the id has {} bytes, at most {MAX_NAME} are allowed", id.len()))
            );
        }
        let from = account("from", self.from)?;
        let to = account("to", self.to)?;
        let amount = amount(self.amount)?;
        let currency = required("currency", self.currency)?;
        let currency = string(currency)
            .and_then(|code| Currency::parse(&code))
            .ok_or_else(|| {
                let found = excerpt(currency.get());
                Code::BAD_CURRENCY.refusal(format!("currency is {found}, not a code of three capital letters"))
            })?;
        let at = required("at", self.at)?;
        let at = string(at)
            .and_then(|at| time::parse(&at))
            .ok_or_else(|| Code::BAD_TIME.refusal(format!("at is {}, not RFC 3339 with a zone", excerpt(at.get()))))?;
        let kind = optional("type", self.kind)?;
        let reference = optional("reference", self.reference)?;
        let metadata = self.metadata.map(canonical).transpose()?;

        let mut hash = Sha256::new();
        for field in [id, &from, &to, currency.as_str()] {
            absorb(&mut hash, Some(field));
        }
        hash.update(amount.to_be_bytes());
        hash.update(at.to_be_bytes());
        for field in [kind.as_deref(), reference.as_deref(), metadata.as_deref()] {
            absorb(&mut hash, field);
        }
        let terms = Terms {
            id: id.to_owned(),
            from: from.into_owned(),
            to: to.into_owned(),
            amount,
            currency,
        };
        Ok(Content {
            terms,
            at,
            fingerprint: fingerprint(hash),
        })
    }
}

/// With its length, so that no two lists of fields run together to the same bytes.
fn absorb(hash: &mut Sha256, field: Option<&str>) {
    match field {
        None => hash.update([0]),
        Some(text) => {
            hash.update([1]);
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
    }
}

fn fingerprint(hash: Sha256) -> Fingerprint {
    let digest = hash.finalize();
    Fingerprint(*digest.first_chunk().expect("a SHA-256 has 32 bytes"))
}

fn required<'a>(name: &str, field: Option<&'a RawValue>) -> Result<&'a RawValue, Refusal> {
    field.ok_or_else(|| Code::MISSING_FIELD.refusal(format!("{name} is missing")))
}

fn account<'a>(name: &str, field: Option<&'a RawValue>) -> Result<Cow<'a, str>, Refusal> {
    let field = required(name, field)?;
    let account = string(field).filter(|account| !account.is_empty()).ok_or_else(|| {
        Code::MISSING_FIELD.refusal(format!(
            "{name} is {}, not the name of an account",
            excerpt(field.get())
        ))
    })?;
    if account.len() > MAX_NAME {
        let length = account.len();
        return Err(Code::TOO_LARGE.refusal(format!("{name} has {length} bytes, at most {MAX_NAME} are allowed")));
    }
    Ok(account)
}

/// Digits only: a float, an exponent or a string of digits is no amount, even where its value would be whole.
fn amount(field: Option<&RawValue>) -> Result<i64, Refusal> {
    let text = required("amount", field)?.get();
    text.parse().ok().filter(|&amount| amount > 0).ok_or_else(|| {
        Code::BAD_AMOUNT.refusal(format!(
            "amount is {}, not a positive integer of minor units",
            excerpt(text)
        ))
    })
}

fn optional<'a>(name: &str, field: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(field) = field else { return Ok(None) };
    let text = string(field)
        .ok_or_else(|| Code::MISSING_FIELD.refusal(format!("{name} is {}, not a string", excerpt(field.get()))))?;
    Ok(Some(text))
}

/// Without spaces, the names of each object in order.
fn canonical(field: &RawValue) -> Result<String, Refusal> {
    let size = field.get().len();
    if size > MAX_METADATA {
        return Err(Code::TOO_LARGE.refusal(format!("metadata has {size} bytes, at most {MAX_METADATA} are allowed")));
    }
    let value: serde_json::Value = serde_json::from_str(field.get())
        .map_err(|error| Code::MISSING_FIELD.refusal(format!("metadata cannot be read: {error}")))?;
    if !value.is_object() {
        return Err(Code::MISSING_FIELD.refusal(format!("metadata is {}, not an object", excerpt(field.get()))));
    }
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics;

    const GOOD: &str = r#"{"id":"p-1","from":"a","to":"b","amount":1250,"currency":"EUR","at":"2026-11-22T23:01:02Z"}"#;

    fn parse(value: &str) -> Result<Incoming, Rejection> {
        Incoming::parse(&Input::new(topics::INCOMING).with_key("p-1").with_value(value))
    }

    fn content(value: &str) -> Content {
        parse(value).expect("a payment").content.expect("of good shape")
    }

    #[test]
    fn a_good_payment_is_read() {
        let content = content(GOOD);
        assert_eq!(content.terms.amount, 1_250);
        assert_eq!(content.terms.currency.as_str(), "EUR");
        assert_eq!(content.at, 1_795_388_462_000);
    }

    #[test]
    fn what_is_no_payment_is_a_dead_letter() {
        for (value, code) in [
            ("", "bad-json"),
            ("{", "bad-json"),
            ("[]", "bad-json"),
            (r#"["p-1","a","b"]"#, "bad-json"),
            ("\"p-1\"", "bad-json"),
            (r#"{"id":"p-1","id":"p-1"}"#, "bad-json"),
            (r#"{"from":"a"}"#, "missing-field"),
            (r#"{"id":null}"#, "missing-field"),
            (r#"{"id":""}"#, "missing-field"),
            (r#"{"id":7}"#, "missing-field"),
            (r#"{"id":"p-1","v":2}"#, "unknown-version"),
            (r#"{"id":"p-1","v":"1"}"#, "unknown-version"),
            (r#"{"id":"p-2"}"#, "key-mismatch"),
        ] {
            assert_eq!(parse(value).expect_err(value).code, code, "{value}");
        }
        let tombstone = Input::new(topics::INCOMING).with_key("p-1");
        assert_eq!(Incoming::parse(&tombstone).expect_err("no value").code, "bad-json");
        let keyless = Input::new(topics::INCOMING).with_value(GOOD);
        assert_eq!(Incoming::parse(&keyless).expect_err("no key").code, "key-mismatch");
        let not_utf8 = Input::new(topics::INCOMING)
            .with_key("p-1")
            .with_value(&b"{\"id\":\"\xff\"}"[..]);
        assert_eq!(Incoming::parse(&not_utf8).expect_err("not UTF-8").code, "bad-json");
    }

    #[test]
    fn a_bad_field_refuses_the_payment_by_its_id() {
        for (from, to, code) in [
            (r#""from":"a","#, "", "missing-field"),
            (r#""from":"a""#, r#""from":"""#, "missing-field"),
            (r#""from":"a""#, r#""from":null"#, "missing-field"),
            (r#""to":"b""#, r#""to":["b"]"#, "missing-field"),
            (r#""amount":1250,"#, "", "missing-field"),
            ("1250", "0", "bad-amount"),
            ("1250", "-5", "bad-amount"),
            ("1250", "12.5", "bad-amount"),
            ("1250", "12.0", "bad-amount"),
            ("1250", "1e3", "bad-amount"),
            ("1250", "\"1250\"", "bad-amount"),
            ("1250", "true", "bad-amount"),
            ("1250", "9223372036854775808", "bad-amount"),
            (r#""EUR""#, r#""eur""#, "bad-currency"),
            (r#""EUR""#, "978", "bad-currency"),
            ("2026-11-22T23:01:02Z", "2026-11-22T23:01:02", "bad-time"),
            (r#""2026-11-22T23:01:02Z""#, "1795388462", "bad-time"),
            (r#""amount""#, r#""type":7,"amount""#, "missing-field"),
            (r#""amount""#, r#""reference":{},"amount""#, "missing-field"),
            (r#""amount""#, r#""metadata":[],"amount""#, "missing-field"),
        ] {
            let value = GOOD.replacen(from, to, 1);
            let refusal = parse(&value).expect("it has an id").content.expect_err(&value);
            assert_eq!(refusal.code.as_str(), code, "{value}");
        }
        let long = "x".repeat(MAX_NAME + 1);
        let refusal = parse(&GOOD.replacen("\"a\"", &format!("\"{long}\""), 1))
            .expect("an id")
            .content;
        assert_eq!(refusal.expect_err("too long").code, Code::TOO_LARGE);
        let input = Input::new(topics::INCOMING)
            .with_key(long.clone())
            .with_value(GOOD.replacen("p-1", &long, 1));
        let refusal = Incoming::parse(&input).expect("an id").content;
        assert_eq!(refusal.expect_err("too long").code, Code::TOO_LARGE);
    }

    #[test]
    fn what_is_too_large_to_be_read_is_refused_by_its_key() {
        let field = |bytes: usize| format!(r#""metadata":{{"a":"{}"}},"amount""#, "x".repeat(bytes));
        let refused = parse(&GOOD.replacen("\"amount\"", &field(MAX_METADATA), 1)).expect("an id");
        assert_eq!(refused.content.expect_err("too large").code, Code::TOO_LARGE);
        let large = GOOD.replacen("\"amount\"", &field(crate::MAX_MESSAGE), 1);
        let unread = parse(&large).expect("a key");
        assert_eq!((unread.id.as_str(), unread.text.is_none()), ("p-1", true));
        assert_eq!(unread.content.expect_err("too large").code, Code::TOO_LARGE);
        let keyless = Input::new(topics::INCOMING).with_value(large);
        assert_eq!(Incoming::parse(&keyless).expect_err("no key").code, "too-large");
    }

    #[test]
    fn a_largest_amount_is_an_amount() {
        assert_eq!(
            content(&GOOD.replacen("1250", &i64::MAX.to_string(), 1)).terms.amount,
            i64::MAX
        );
    }

    #[test]
    fn texts_that_say_the_same_have_one_fingerprint() {
        let same = r#" { "at":"2026-11-23T00:01:02.000+01:00", "currency":"EUR", "amount":1250, "v":1, "other":[1],
            "to":"\u0062", "from":"a", "id":"p-1" } "#;
        assert_eq!(content(GOOD).fingerprint, content(same).fingerprint);
        let with = |metadata: &str| {
            content(&GOOD.replacen("\"amount\"", &format!("\"metadata\":{metadata},\"amount\""), 1)).fingerprint
        };
        assert_eq!(with(r#"{"a":1,"b":[2]}"#), with(r#"{ "b": [ 2 ], "a": 1 }"#));
        assert_ne!(with(r#"{"a":1}"#), with(r#"{"a":2}"#));
    }

    #[test]
    fn each_field_counts_in_the_fingerprint() {
        let good = content(GOOD).fingerprint;
        for (from, to) in [
            (r#""from":"a""#, r#""from":"ab""#),
            (r#""to":"b""#, r#""to":"c""#),
            ("1250", "1251"),
            ("EUR", "USD"),
            ("23:01:02Z", "23:01:03Z"),
            (r#""amount""#, r#""type":"x","amount""#),
            (r#""amount""#, r#""reference":"x","amount""#),
            (r#""amount""#, r#""metadata":{},"amount""#),
        ] {
            assert_ne!(content(&GOOD.replacen(from, to, 1)).fingerprint, good, "{to}");
        }
        let one = content(&GOOD.replacen("\"amount\"", r#""type":"x","amount""#, 1)).fingerprint;
        let other = content(&GOOD.replacen("\"amount\"", r#""reference":"x","amount""#, 1)).fingerprint;
        assert_ne!(one, other);
    }
}
