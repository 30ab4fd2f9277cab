//! `payment.inflight`: how the two accounts of a payment agree, each on its own shard.
//!
//! ```text
//! debit (by from) -> credit (by to) -> settled (by from)        the payment is complete
//!                                   -> refund (by from)         the payment has failed
//! cancel (by from) -> cancel (by to) -> refund (by from)        it took too long
//! next (by from)                                                more waiting debits are to be released
//! ```
//! `opened` is when inflight opened the payment. With the id it names one life of the id: every message of that life
//! carries it, so that accounts remember by time what has ended, and look it up exactly.

use std::borrow::Cow;

use fermata_stage::{Emission, Input, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::MESSAGE_VERSION;
use crate::code::{Code, Refusal};
use crate::payment::{Payment, carrying, read};

/// Which account of the payment a cancel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    From,
    To,
}

/// A message of `payment.inflight`.
#[derive(Debug, Clone)]
pub enum Transfer {
    Debit {
        opened: i64,
        payment: Payment,
    },
    Credit {
        opened: i64,
        payment: Payment,
    },
    Refund {
        opened: i64,
        payment: Payment,
        refusal: Refusal,
    },
    Cancel {
        opened: i64,
        payment: Payment,
        side: Side,
    },
    Settled {
        opened: i64,
        id: String,
        from: String,
    },
    Next {
        from: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(default)]
    v: u32,
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    side: Option<Side>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing)]
    payment: Option<&'a RawValue>,
}

impl Transfer {
    /// The record's key must be the account that the message is for.
    pub fn parse(input: &Input) -> Result<Self, Rejection> {
        let wire: Wire<'_> = read(input.value.as_deref())?;
        if wire.v != MESSAGE_VERSION {
            return Err(Code::UNKNOWN_VERSION.rejection(format!("v is {}, this stage knows {MESSAGE_VERSION}", wire.v)));
        }
        let transfer = wire.transfer()?;
        if input.key.as_deref() != Some(transfer.account().as_bytes()) {
            return Err(Code::KEY_MISMATCH.rejection(format!("the key is not account {}", transfer.account())));
        }
        Ok(transfer)
    }

    /// The account that the message is for: the record's key.
    pub fn account(&self) -> &str {
        match self {
            Self::Debit { payment, .. }
            | Self::Refund { payment, .. }
            | Self::Cancel {
                payment,
                side: Side::From,
                ..
            } => &payment.terms.from,
            Self::Credit { payment, .. }
            | Self::Cancel {
                payment,
                side: Side::To,
                ..
            } => &payment.terms.to,
            Self::Settled { from, .. } | Self::Next { from } => from,
        }
    }

    /// On the output port `inflight`.
    pub fn emission(&self) -> Emission {
        match self.payment() {
            Some(payment) => carrying("inflight", self.account(), &self.head(), &payment.text),
            None => Emission::json("inflight", self.account(), &self.head()),
        }
    }

    fn payment(&self) -> Option<&Payment> {
        match self {
            Self::Debit { payment, .. }
            | Self::Credit { payment, .. }
            | Self::Refund { payment, .. }
            | Self::Cancel { payment, .. } => Some(payment),
            Self::Settled { .. } | Self::Next { .. } => None,
        }
    }

    /// All but the payment.
    fn head(&self) -> Wire<'_> {
        let empty = Wire {
            v: MESSAGE_VERSION,
            kind: Cow::Borrowed(""),
            opened: None,
            side: None,
            id: None,
            from: None,
            code: None,
            reason: None,
            payment: None,
        };
        match self {
            Self::Debit { opened, .. } => Wire {
                kind: Cow::Borrowed("debit"),
                opened: Some(*opened),
                ..empty
            },
            Self::Credit { opened, .. } => Wire {
                kind: Cow::Borrowed("credit"),
                opened: Some(*opened),
                ..empty
            },
            Self::Refund { opened, refusal, .. } => Wire {
                kind: Cow::Borrowed("refund"),
                opened: Some(*opened),
                code: Some(refusal.code.clone()),
                reason: Some(Cow::Borrowed(&refusal.reason)),
                ..empty
            },
            Self::Cancel { opened, side, .. } => Wire {
                kind: Cow::Borrowed("cancel"),
                opened: Some(*opened),
                side: Some(*side),
                ..empty
            },
            Self::Settled { opened, id, from } => Wire {
                kind: Cow::Borrowed("settled"),
                opened: Some(*opened),
                id: Some(Cow::Borrowed(id)),
                from: Some(Cow::Borrowed(from)),
                ..empty
            },
            Self::Next { from } => Wire {
                kind: Cow::Borrowed("next"),
                from: Some(Cow::Borrowed(from)),
                ..empty
            },
        }
    }
}

impl Wire<'_> {
    fn transfer(self) -> Result<Transfer, Rejection> {
        match self.kind.as_ref() {
            "debit" => Ok(Transfer::Debit {
                opened: self.opened()?,
                payment: self.payment()?,
            }),
            "credit" => Ok(Transfer::Credit {
                opened: self.opened()?,
                payment: self.payment()?,
            }),
            "refund" => {
                let (opened, payment) = (self.opened()?, self.payment()?);
                let code = self.code.ok_or_else(|| missing("code"))?;
                let refusal = code.refusal(self.reason.unwrap_or_default());
                Ok(Transfer::Refund {
                    opened,
                    payment,
                    refusal,
                })
            }
            "cancel" => {
                let side = self.side.ok_or_else(|| missing("side"))?;
                Ok(Transfer::Cancel {
                    opened: self.opened()?,
                    payment: self.payment()?,
                    side,
                })
            }
            "settled" => {
                let opened = self.opened()?;
                let id = self.id.ok_or_else(|| missing("id"))?.into_owned();
                let from = self.from.ok_or_else(|| missing("from"))?.into_owned();
                Ok(Transfer::Settled { opened, id, from })
            }
            "next" => Ok(Transfer::Next {
                from: self.from.ok_or_else(|| missing("from"))?.into_owned(),
            }),
            other => Err(Code::UNKNOWN_TYPE.rejection(format!("payment.inflight has no type {other:?}"))),
        }
    }

    fn opened(&self) -> Result<i64, Rejection> {
        self.opened.ok_or_else(|| missing("opened"))
    }

    fn payment(&self) -> Result<Payment, Rejection> {
        Payment::parse(self.payment.ok_or_else(|| missing("payment"))?.get())
    }
}

fn missing(field: &str) -> Rejection {
    Code::MISSING_FIELD.rejection(format!("{field} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::fixtures::payment;
    use crate::topics;

    fn input(emission: Emission) -> Input {
        Input {
            key: emission.key,
            value: emission.value,
            ..Input::new(topics::INFLIGHT)
        }
    }

    #[test]
    fn every_message_is_read_as_it_was_written() {
        let refusal = Code::ACCOUNT_FROZEN.refusal("acct-2 is frozen");
        for (message, key) in [
            (
                Transfer::Debit {
                    opened: 5,
                    payment: payment(),
                },
                "acct-1",
            ),
            (
                Transfer::Credit {
                    opened: 5,
                    payment: payment(),
                },
                "acct-2",
            ),
            (
                Transfer::Refund {
                    opened: 5,
                    payment: payment(),
                    refusal,
                },
                "acct-1",
            ),
            (
                Transfer::Cancel {
                    opened: 5,
                    payment: payment(),
                    side: Side::From,
                },
                "acct-1",
            ),
            (
                Transfer::Cancel {
                    opened: 5,
                    payment: payment(),
                    side: Side::To,
                },
                "acct-2",
            ),
            (
                Transfer::Settled {
                    opened: 5,
                    id: "p-1".into(),
                    from: "acct-1".into(),
                },
                "acct-1",
            ),
            (Transfer::Next { from: "acct-1".into() }, "acct-1"),
        ] {
            let emission = message.emission();
            assert_eq!(emission.key.as_deref(), Some(key.as_bytes()));
            let read = Transfer::parse(&input(emission)).expect("what was written");
            assert_eq!(format!("{read:?}"), format!("{message:?}"));
        }
    }

    #[test]
    fn unknown_fields_travel_untouched() {
        let emission = Transfer::Debit {
            opened: 5,
            payment: payment(),
        }
        .emission();
        let text = String::from_utf8(emission.value.expect("a value")).expect("JSON");
        assert!(text.contains(r#""colour": "blue""#), "{text}");
    }

    #[test]
    fn what_is_no_message_is_a_dead_letter() {
        let whole = r#"{"id":"p","from":"a","to":"b","amount":1,"currency":"EUR"}"#;
        for (value, code) in [
            ("null".to_owned(), "bad-json"),
            ("{".to_owned(), "bad-json"),
            (r#"{"type":"debit"}"#.to_owned(), "unknown-version"),
            (r#"{"v":2,"type":"debit"}"#.to_owned(), "unknown-version"),
            (r#"{"v":1,"type":"transfer"}"#.to_owned(), "unknown-type"),
            (r#"{"v":1,"type":"debit"}"#.to_owned(), "missing-field"),
            (r#"{"v":1,"type":"debit","opened":1}"#.to_owned(), "missing-field"),
            (
                r#"{"v":1,"type":"debit","opened":1,"payment":{}}"#.to_owned(),
                "bad-json",
            ),
            (
                format!(r#"{{"v":1,"type":"cancel","opened":1,"payment":{whole}}}"#),
                "missing-field",
            ),
            (
                format!(r#"{{"v":1,"type":"refund","opened":1,"payment":{whole}}}"#),
                "missing-field",
            ),
            (
                format!(r#"{{"v":1,"type":"credit","opened":1,"payment":{whole}}}"#),
                "key-mismatch",
            ),
        ] {
            let input = Input::new(topics::INFLIGHT).with_key("a").with_value(value.as_str());
            assert_eq!(Transfer::parse(&input).expect_err(&value).code, code, "{value}");
        }
    }
}
