//! How payments end: the messages of `payment.complete`, `payment.failed`, `payment.confirmed`, `payment.rejected`.

use std::borrow::Cow;

use fermata_stage::{Emission, Input, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::MESSAGE_VERSION;
use crate::code::{Code, Refusal};
use crate::payment::{Payment, carrying, read};

/// What the accounts say of an accepted payment: `complete` or `failed`.
#[derive(Debug, Clone)]
pub struct End {
    /// When inflight opened it; see [`crate::Transfer`].
    pub opened: i64,
    pub payment: Payment,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Debited and credited.
    Complete,
    /// The payer was never debited.
    Refused(Refusal),
    /// The payer was debited and has the money back.
    Refunded(Refusal),
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default)]
    v: u32,
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    /// Its type is checked, and no more: the payment has it too.
    #[serde(borrow, default, rename = "id")]
    _id: Cow<'a, str>,
    opened: i64,
    #[serde(default)]
    state: Option<State>,
    #[serde(default)]
    code: Option<Code>,
    #[serde(default)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payment: &'a RawValue,
}

/// All but the payment.
#[derive(Serialize)]
struct Head<'a> {
    v: u32,
    r#type: &'static str,
    id: &'a str,
    opened: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Refused,
    Refunded,
}

impl End {
    /// The record's key must be the payment's id.
    pub fn parse(input: &Input) -> Result<Self, Rejection> {
        let wire: Wire<'_> = read(input.value.as_deref())?;
        if wire.v != MESSAGE_VERSION {
            return Err(Code::UNKNOWN_VERSION.rejection(format!("v is {}, this stage knows {MESSAGE_VERSION}", wire.v)));
        }
        let payment = Payment::parse(wire.payment.get())?;
        payment.expect_key(input)?;
        let outcome = match (wire.kind.as_ref(), wire.state) {
            ("complete", _) => Outcome::Complete,
            ("failed", Some(state)) => {
                let code = wire
                    .code
                    .ok_or_else(|| Code::MISSING_FIELD.rejection("code is missing"))?;
                let refusal = code.refusal(wire.reason.unwrap_or_default());
                match state {
                    State::Refused => Outcome::Refused(refusal),
                    State::Refunded => Outcome::Refunded(refusal),
                }
            }
            ("failed", None) => return Err(Code::MISSING_FIELD.rejection("state is missing")),
            (other, _) => return Err(Code::UNKNOWN_TYPE.rejection(format!("no payment ends as {other:?}"))),
        };
        Ok(Self {
            opened: wire.opened,
            payment,
            outcome,
        })
    }

    /// On the output port `complete` or `failed`.
    pub fn emission(&self) -> Emission {
        let (kind, state, refusal) = match &self.outcome {
            Outcome::Complete => ("complete", None, None),
            Outcome::Refused(refusal) => ("failed", Some(State::Refused), Some(refusal)),
            Outcome::Refunded(refusal) => ("failed", Some(State::Refunded), Some(refusal)),
        };
        let id = self.payment.terms.id.as_str();
        let head = Head {
            v: MESSAGE_VERSION,
            r#type: kind,
            id,
            opened: self.opened,
            state,
            code: refusal.map(|refusal| &refusal.code),
            reason: refusal.map(|refusal| refusal.reason.as_str()),
        };
        carrying(kind, id, &head, &self.payment.text)
    }
}

/// The end of a payment that passed, marked once.
#[derive(Debug, Clone)]
pub struct Confirmed {
    pub opened: i64,
    /// Milliseconds from the head's timestamp to the confirmation, by the stage's clock.
    pub latency_ms: i64,
    pub payment: Payment,
}

impl Confirmed {
    /// On the output port `confirmed`.
    pub fn emission(&self) -> Emission {
        #[derive(Serialize)]
        struct Head<'a> {
            v: u32,
            r#type: &'static str,
            id: &'a str,
            opened: i64,
            latency_ms: i64,
        }
        let id = self.payment.terms.id.as_str();
        let head = Head {
            v: MESSAGE_VERSION,
            r#type: "confirmed",
            id,
            opened: self.opened,
            latency_ms: self.latency_ms,
        };
        carrying("confirmed", id, &head, &self.payment.text)
    }
}

/// The end of a payment that was not accepted.
#[derive(Debug, Clone)]
pub struct Rejected {
    pub id: String,
    pub refusal: Refusal,
    /// None: too large to be carried along.
    pub payment: Option<Box<str>>,
}

impl Rejected {
    /// On the output port `rejected`.
    pub fn emission(&self) -> Emission {
        #[derive(Serialize)]
        struct Head<'a> {
            v: u32,
            r#type: &'static str,
            id: &'a str,
            code: &'a Code,
            reason: &'a str,
        }
        let head = Head {
            v: MESSAGE_VERSION,
            r#type: "rejected",
            id: &self.id,
            code: &self.refusal.code,
            reason: &self.refusal.reason,
        };
        match &self.payment {
            Some(payment) => carrying("rejected", &self.id, &head, payment),
            None => Emission::json("rejected", self.id.as_str(), &head),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::fixtures::payment;
    use crate::topics;

    #[test]
    fn every_end_is_read_as_it_was_written() {
        let refusal = || Code::TIMED_OUT.refusal("it took 30 s");
        for (outcome, port) in [
            (Outcome::Complete, "complete"),
            (Outcome::Refused(refusal()), "failed"),
            (Outcome::Refunded(refusal()), "failed"),
        ] {
            let end = End {
                opened: 5,
                payment: payment(),
                outcome,
            };
            let emission = end.emission();
            assert_eq!(emission.port, port);
            let input = Input {
                key: emission.key,
                value: emission.value,
                ..Input::new(topics::COMPLETE)
            };
            let read = End::parse(&input).expect("what was written");
            assert_eq!(format!("{read:?}"), format!("{end:?}"));
            let elsewhere = Input {
                key: Some(b"p-2".to_vec()),
                ..input
            };
            assert_eq!(End::parse(&elsewhere).expect_err("another key").code, "key-mismatch");
        }
    }

    #[test]
    fn what_is_no_end_is_a_dead_letter() {
        let whole = r#"{"id":"p","from":"a","to":"b","amount":1,"currency":"EUR"}"#;
        for (fields, code) in [
            (r#""v":2,"type":"complete""#, "unknown-version"),
            (r#""v":1,"type":"finished""#, "unknown-type"),
            (r#""v":1,"type":"failed""#, "missing-field"),
            (r#""v":1,"type":"failed","state":"refused""#, "missing-field"),
            (r#""v":1,"type":"failed","state":"lost","code":"x""#, "bad-json"),
        ] {
            let value = format!(r#"{{{fields},"opened":1,"payment":{whole}}}"#);
            let input = Input::new(topics::FAILED).with_key("p").with_value(value.as_str());
            assert_eq!(End::parse(&input).expect_err(&value).code, code, "{value}");
        }
    }

    #[test]
    fn ends_carry_the_payment_as_it_came() {
        let payment = payment();
        let rejected = Rejected {
            id: "p-1".into(),
            refusal: Code::TOO_OLD.refusal("from another age"),
            payment: Some(payment.text.clone()),
        };
        let confirmed = Confirmed {
            opened: 5,
            latency_ms: 12,
            payment,
        };
        for emission in [rejected.emission(), confirmed.emission()] {
            assert_eq!(emission.key.as_deref(), Some(&b"p-1"[..]));
            let text = String::from_utf8(emission.value.expect("a value")).expect("JSON");
            assert!(text.contains(r#""colour": "blue""#), "{text}");
        }
    }
}
