//! `account.commands` and `account.results`: what operators ask of an account, and what it answers.

use fermata_stage::{Emission, Input, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::MESSAGE_VERSION;
use crate::code::{Code, Refusal};
use crate::currency::Currency;
use crate::payment::{MAX_ECHOED, MAX_NAME, excerpt, object, oversize, string};

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

/// The fields as they stand, none of them judged.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    account: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    v: Option<&'a RawValue>,
    #[serde(borrow)]
    currency: Option<&'a RawValue>,
    #[serde(borrow)]
    limit: Option<&'a RawValue>,
}

impl Command {
    /// The rejection is for what cannot be treated as a command at all: no JSON object, no type that is known, another
    /// version, or a key that is not its account. What is wrong in the other fields is answered.
    pub fn parse(input: &Input) -> Result<Self, Rejection> {
        let value = input.value.as_deref();
        if let Some(Refusal { code, reason }) = oversize(value) {
            return Err(code.rejection(reason));
        }
        let (_, wire): (_, Wire<'_>) = object(value, "a command")?;
        if let Some(version) = wire.v
            && version.get() != "1"
        {
            return Err(Code::UNKNOWN_VERSION.rejection(format!(
                "v is {}, this stage knows {MESSAGE_VERSION}",
                excerpt(version.get())
            )));
        }
        let account = wire.account(input)?;
        let kind = wire.kind.and_then(string).filter(|kind| !kind.is_empty());
        let kind = kind.ok_or_else(|| Code::MISSING_FIELD.rejection("a command has a type, a string"))?;
        let (kind, order) = match &*kind {
            "open" => ("open", wire.open()),
            "close" => ("close", Ok(Order::Close)),
            "freeze" => ("freeze", Ok(Order::Freeze)),
            "unfreeze" => ("unfreeze", Ok(Order::Unfreeze)),
            "limit" => ("limit", limit(wire.limit, None).map(|limit| Order::Limit { limit })),
            other => {
                return Err(Code::UNKNOWN_TYPE.rejection(format!("there is no command {:?}", excerpt(other))));
            }
        };
        let (id, order) = match wire.id() {
            Ok(id) => (id, order),
            Err(refusal) => (None, Err(refusal)),
        };
        // No payment could ever name it.
        let order = if account.len() > MAX_NAME {
            let length = account.len();
            Err(Code::TOO_LARGE.refusal(format!(
                "the account's name has {length} bytes, at most {MAX_NAME} are allowed"
            )))
        } else {
            order
        };
        Ok(Self {
            account,
            id,
            kind,
            order,
        })
    }
}

impl Wire<'_> {
    /// The key, which the field may repeat.
    fn account(&self, input: &Input) -> Result<String, Rejection> {
        let key = input.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let key = key
            .filter(|key| !key.is_empty())
            .ok_or_else(|| Code::KEY_MISMATCH.rejection("the key of a command is the name of its account"))?;
        if key.len() > MAX_ECHOED {
            return Err(Code::TOO_LARGE.rejection(format!("the key has {} bytes", key.len())));
        }
        if let Some(field) = self.account {
            let named = string(field).ok_or_else(|| {
                Code::MISSING_FIELD.rejection(format!(
                    "account is {}, not the name of an account",
                    excerpt(field.get())
                ))
            })?;
            if named != key {
                let (named, key) = (excerpt(&named), excerpt(key));
                return Err(Code::KEY_MISMATCH.rejection(format!("the command is for {named}, its key is {key}")));
            }
        }
        Ok(key.to_owned())
    }

    fn id(&self) -> Result<Option<String>, Refusal> {
        let Some(field) = self.id else { return Ok(None) };
        let id = string(field)
            .ok_or_else(|| Code::MISSING_FIELD.refusal(format!("id is {}, not a string", excerpt(field.get()))))?;
        if id.len() > MAX_NAME {
            return Err(
                Code::TOO_LARGE.refusal(format!("the id has {} bytes, at most {MAX_NAME} are allowed", id.len()))
            );
        }
        Ok(Some(id.into_owned()))
    }

    fn open(&self) -> Result<Order, Refusal> {
        let code = self
            .currency
            .ok_or_else(|| Code::MISSING_FIELD.refusal("currency is missing"))?;
        let currency = string(code).and_then(|code| Currency::parse(&code)).ok_or_else(|| {
            let found = excerpt(code.get());
            Code::BAD_CURRENCY.refusal(format!("currency is {found}, not a code of three capital letters"))
        })?;
        Ok(Order::Open {
            currency,
            limit: limit(self.limit, Some(0))?,
        })
    }
}

/// Digits only, as an amount; a limit may be negative.
fn limit(field: Option<&RawValue>, default: Option<i64>) -> Result<i64, Refusal> {
    let Some(field) = field else {
        return default.ok_or_else(|| Code::MISSING_FIELD.refusal("limit is missing"));
    };
    field.get().parse().map_err(|_| {
        Code::BAD_AMOUNT.refusal(format!(
            "limit is {}, not an integer of minor units within 64 bits",
            excerpt(field.get())
        ))
    })
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
            (r#"{"type":"limit","limit":1e400}"#, "bad-amount"),
            (r#"{"type":"limit","limit":9223372036854775808}"#, "bad-amount"),
            (r#"{"type":"open","currency":978}"#, "bad-currency"),
            (r#"{"type":"close","id":7}"#, "missing-field"),
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
            (r#"{"type":7}"#, "missing-field"),
            (r#"{"type":"close","account":7}"#, "missing-field"),
            (r#"{"type":"close","type":"close"}"#, "bad-json"),
            (r#"{"type":"rename"}"#, "unknown-type"),
            (r#"{"type":"close","v":"1"}"#, "unknown-version"),
            (r#"{"type":"close","v":1e400}"#, "unknown-version"),
            (r#"{"type":"close","v":2}"#, "unknown-version"),
            (r#"{"type":"close","account":"acct-2"}"#, "key-mismatch"),
        ] {
            assert_eq!(parse(value).expect_err(value).code, code, "{value}");
        }
        let keyless = Input::new(topics::COMMANDS).with_value(r#"{"type":"close"}"#);
        assert_eq!(Command::parse(&keyless).expect_err("no key").code, "key-mismatch");
    }

    #[test]
    fn what_is_too_long_to_be_kept_is_refused() {
        let command = |key: usize, value: &str| {
            Command::parse(&Input::new(topics::COMMANDS).with_key("a".repeat(key)).with_value(value))
        };
        let freeze = r#"{"type":"freeze"}"#;
        assert_eq!(command(MAX_NAME, freeze).expect("a command").order, Ok(Order::Freeze));
        let refused = command(MAX_NAME + 1, freeze).expect("a command").order;
        assert_eq!(refused.expect_err("too long").code, Code::TOO_LARGE);
        assert_eq!(command(MAX_ECHOED + 1, freeze).expect_err("no key").code, "too-large");
        let long = format!(r#"{{"type":"freeze","other":"{}"}}"#, "x".repeat(crate::MAX_MESSAGE));
        assert_eq!(command(3, &long).expect_err("not read").code, "too-large");
        let named = format!(r#"{{"type":"freeze","id":"{}"}}"#, "x".repeat(MAX_NAME + 1));
        let refused = command(3, &named).expect("a command");
        assert_eq!(
            (refused.id, refused.order.expect_err("too long").code),
            (None, Code::TOO_LARGE)
        );
    }
}
