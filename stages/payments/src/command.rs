//! `account.commands` and `account.results`: what operators ask of an account, and what it answers.

use fermata_stage::{Emission, Input, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::MESSAGE_VERSION;
use crate::code::{Code, Refusal};
use crate::currency::Currency;
use crate::incoming::MAX_NAME;
use crate::payment::read;

/// A record of `account.commands`: `{"type", "account"?, "id"?, "v"?, ...}`, keyed by the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub account: String,
    /// The sender's own, echoed in the answer.
    pub id: Option<String>,
    /// The command's type as it stood, echoed in the answer.
    pub kind: &'static str,
    /// What to do, or what is wrong with it.
    pub order: Result<Order, Refusal>,
}

/// `limit`: the lowest balance that debits may leave behind, in minor units; an overdraft is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Open { currency: Currency, limit: i64 },
    Close,
    Freeze,
    Unfreeze,
    Limit { limit: i64 },
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: Option<String>,
    account: Option<String>,
    id: Option<String>,
    v: Option<u32>,
    currency: Option<Value>,
    limit: Option<Value>,
}

impl Command {
    pub fn parse(input: &Input) -> Result<Self, Rejection> {
        let text = read::<&RawValue>(input.value.as_deref())?.get();
        if !text.starts_with('{') {
            return Err(Code::BAD_JSON.rejection("a command is a JSON object"));
        }
        let wire: Wire = serde_json::from_str(text).map_err(|error| Code::BAD_JSON.rejection(error.to_string()))?;
        if let Some(version) = wire.v
            && version != MESSAGE_VERSION
        {
            return Err(Code::UNKNOWN_VERSION.rejection(format!("v is {version}, this stage knows {MESSAGE_VERSION}")));
        }
        let account = input
            .key
            .clone()
            .and_then(|key| String::from_utf8(key).ok())
            .filter(|key| !key.is_empty());
        let account =
            account.ok_or_else(|| Code::KEY_MISMATCH.rejection("the key of a command is the name of its account"))?;
        if wire.account.as_ref().is_some_and(|named| *named != account) {
            return Err(
                Code::KEY_MISMATCH.rejection(format!("the command names another account than its key {account}"))
            );
        }
        let kind = wire
            .kind
            .as_deref()
            .ok_or_else(|| Code::MISSING_FIELD.rejection("type is missing"))?;
        let (kind, order) = match kind {
            "open" => ("open", wire.open()),
            "close" => ("close", Ok(Order::Close)),
            "freeze" => ("freeze", Ok(Order::Freeze)),
            "unfreeze" => ("unfreeze", Ok(Order::Unfreeze)),
            "limit" => (
                "limit",
                limit(wire.limit.as_ref(), None).map(|limit| Order::Limit { limit }),
            ),
            other => return Err(Code::UNKNOWN_TYPE.rejection(format!("there is no command {other:?}"))),
        };
        // No payment could ever name it.
        let order = match account.len() {
            ..=MAX_NAME => order,
            length => {
                Err(Code::TOO_LARGE.refusal(format!("the name has {length} bytes, at most {MAX_NAME} are allowed")))
            }
        };
        Ok(Self {
            account,
            id: wire.id,
            kind,
            order,
        })
    }
}

impl Wire {
    fn open(&self) -> Result<Order, Refusal> {
        let code = self
            .currency
            .as_ref()
            .ok_or_else(|| Code::MISSING_FIELD.refusal("currency is missing"))?;
        let currency = code.as_str().and_then(Currency::parse).ok_or_else(|| {
            Code::BAD_CURRENCY.refusal(format!("currency is {code}, not a code of three capital letters"))
        })?;
        Ok(Order::Open {
            currency,
            limit: limit(self.limit.as_ref(), Some(0))?,
        })
    }
}

fn limit(field: Option<&Value>, default: Option<i64>) -> Result<i64, Refusal> {
    match field {
        None => default.ok_or_else(|| Code::MISSING_FIELD.refusal("limit is missing")),
        Some(limit) => limit.as_i64().ok_or_else(|| {
            Code::BAD_AMOUNT.refusal(format!(
                "limit is {limit}, not an integer of minor units within 64 bits"
            ))
        }),
    }
}

/// What an account answers to a command: code `ok`, `exists`, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub account: String,
    pub id: Option<String>,
    pub command: &'static str,
    pub outcome: Result<(), Refusal>,
}

impl Answer {
    /// On the output port `results`, keyed by the account.
    pub fn emission(&self) -> Emission {
        #[derive(Serialize)]
        struct Wire<'a> {
            v: u32,
            r#type: &'static str,
            account: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a str>,
            command: &'static str,
            code: &'a Code,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
        }
        let refusal = self.outcome.as_ref().err();
        let wire = Wire {
            v: MESSAGE_VERSION,
            r#type: "result",
            account: &self.account,
            id: self.id.as_deref(),
            command: self.command,
            code: refusal.map_or(&Code::OK, |refusal| &refusal.code),
            reason: refusal.map(|refusal| refusal.reason.as_str()),
        };
        Emission::json("results", self.account.as_str(), &wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics;

    fn parse(value: &str) -> Result<Command, Rejection> {
        Command::parse(&Input::new(topics::COMMANDS).with_key("acct-1").with_value(value))
    }

    #[test]
    fn commands_are_read() {
        let eur = Currency::parse("EUR").expect("a currency");
        for (value, kind, order) in [
            (
                r#"{"type":"open","currency":"EUR"}"#,
                "open",
                Order::Open {
                    currency: eur,
                    limit: 0,
                },
            ),
            (
                r#"{"v":1,"type":"open","currency":"EUR","limit":-5,"account":"acct-1"}"#,
                "open",
                Order::Open {
                    currency: eur,
                    limit: -5,
                },
            ),
            (r#"{"type":"close"}"#, "close", Order::Close),
            (r#"{"type":"freeze"}"#, "freeze", Order::Freeze),
            (r#"{"type":"unfreeze"}"#, "unfreeze", Order::Unfreeze),
            (
                r#"{"type":"limit","limit":-100}"#,
                "limit",
                Order::Limit { limit: -100 },
            ),
        ] {
            let command = parse(value).expect(value);
            assert_eq!((command.kind, command.order), (kind, Ok(order)));
        }
    }

    #[test]
    fn a_bad_command_is_answered() {
        for (value, code) in [
            (r#"{"type":"open"}"#, "missing-field"),
            (r#"{"type":"open","currency":"euro"}"#, "bad-currency"),
            (r#"{"type":"open","currency":"EUR","limit":1.5}"#, "bad-amount"),
            (r#"{"type":"limit"}"#, "missing-field"),
            (r#"{"type":"limit","limit":"5"}"#, "bad-amount"),
        ] {
            assert_eq!(parse(value).expect(value).order.expect_err(value).code.as_str(), code);
        }
    }

    #[test]
    fn what_is_no_command_is_a_dead_letter() {
        for (value, code) in [
            ("", "bad-json"),
            ("[]", "bad-json"),
            (r#"{}"#, "missing-field"),
            (r#"{"type":"rename"}"#, "unknown-type"),
            (r#"{"type":"close","v":2}"#, "unknown-version"),
            (r#"{"type":"close","account":"acct-2"}"#, "key-mismatch"),
        ] {
            assert_eq!(parse(value).expect_err(value).code, code, "{value}");
        }
        let keyless = Input::new(topics::COMMANDS).with_value(r#"{"type":"close"}"#);
        assert_eq!(Command::parse(&keyless).expect_err("no key").code, "key-mismatch");
    }
}
