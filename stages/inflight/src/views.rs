//! The views `inflight` and `payment`.

use std::collections::BTreeMap;

use fermata_payments::{Currency, Params, Payment, Sum, Tally, time, timed};
use fermata_stage::{Reader, ViewError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::{Figures, Life, OPEN, PAYMENTS};

/// Open payments that the view `inflight` names.
const OLDEST: u32 = 20;

pub const NO_PARAMS: &str = r#"{"type":"object","additionalProperties":false}"#;
pub const KEY_PARAMS: &str =
    r#"{"type":"object","properties":{"key":{"type":"string"}},"required":["key"],"additionalProperties":false}"#;

pub fn inflight_answer(minor: u32) -> String {
    let value = json!({ "type": ["integer", "string"] });
    let tally = json!({ "type": "object", "properties": { "count": { "type": "integer" }, "value_minor": value } });
    let mut properties = json!({
        "count": { "type": "integer" },
        "currency": { "type": "object", "additionalProperties": tally },
        "oldest_ms": { "type": "integer", "description": "age of the oldest open payment; 0: none is open" },
        "open": { "type": "array", "items": { "type": "string" }, "maxItems": OLDEST, "description": "oldest first" },
        "open_since": { "type": "array", "items": { "type": "string", "format": "date-time" } },
    });
    if minor >= 1 {
        properties["mean_value_minor"] = json!({ "type": "object", "additionalProperties": value });
    }
    json!({ "type": "object", "properties": properties }).to_string()
}

pub const PAYMENT_ANSWER: &str = r#"{
  "type": "object",
  "properties": {
    "id": { "type": "string" },
    "state": { "enum": ["open", "complete", "refused", "refunded"] },
    "code": { "type": ["string", "null"] },
    "reason": { "type": ["string", "null"] },
    "from": { "type": "string" },
    "to": { "type": "string" },
    "amount": { "type": "integer", "description": "minor units" },
    "currency": { "type": "string" },
    "opened_at": { "type": "string", "format": "date-time" },
    "ended_at": { "type": ["string", "null"], "format": "date-time" }
  }
}"#;

/// A part and the answer alike.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct InFlight {
    count: u64,
    currency: BTreeMap<Currency, Tally>,
    oldest_ms: i64,
    /// Ids, oldest first; `open_since` says of each since when.
    open: Vec<String>,
    open_since: Vec<String>,
    /// 1.1.0: of what is in flight, by currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_value_minor: Option<BTreeMap<Currency, Sum>>,
}

pub fn query(cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
    match view {
        "inflight" => {
            Params::new(params, &[])?;
            Ok(inflight(cx))
        }
        "payment" => payment(cx, Params::new(params, &["key"])?.key()?),
        _ => Err(ViewError::NotFound),
    }
}

fn inflight(cx: &dyn Reader) -> Value {
    let currency = Figures::load(cx).currencies;
    let oldest = OPEN.scan(cx, "", None, OLDEST);
    let oldest: Vec<(i64, &str)> = oldest.iter().map(|(key, _)| timed::split(key)).collect();
    to_value(&InFlight {
        count: currency.values().map(|tally| tally.count).sum(),
        currency,
        oldest_ms: oldest.first().map_or(0, |(opened, _)| cx.now() - opened),
        open: oldest.iter().map(|(_, id)| (*id).to_owned()).collect(),
        open_since: oldest.iter().map(|(opened, _)| time::format(*opened)).collect(),
        mean_value_minor: None,
    })
}

fn payment(cx: &dyn Reader, id: &str) -> Result<Value, ViewError> {
    let entry = PAYMENTS.get(cx, id).ok_or(ViewError::NotFound)?;
    let (terms, ended) = match &entry.life {
        Life::Open(text) => (&Payment::kept(text).terms, None),
        Life::Ended(ended) => (&ended.terms, Some(ended)),
    };
    Ok(json!({
        "id": id,
        "state": ended.map_or("open", |ended| ended.how.label()),
        "code": ended.and_then(|ended| ended.code.as_ref()),
        "reason": ended.and_then(|ended| ended.reason.as_ref()),
        "from": terms.from,
        "to": terms.to,
        "amount": terms.amount,
        "currency": terms.currency,
        "opened_at": time::format(entry.opened),
        "ended_at": ended.map(|ended| time::format(ended.at)),
    }))
}

pub fn merge(minor: u32, view: &str, partials: Vec<Value>) -> Result<Value, ViewError> {
    if view != "inflight" {
        return Err(ViewError::NotFound);
    }
    let mut sum = InFlight::default();
    let mut oldest = Vec::new();
    for partial in partials {
        let part: InFlight = serde_json::from_value(partial)
            .map_err(|error| ViewError::BadParams(format!("a part of inflight cannot be read: {error}")))?;
        sum.count += part.count;
        sum.oldest_ms = sum.oldest_ms.max(part.oldest_ms);
        for (currency, tally) in part.currency {
            sum.currency.entry(currency).or_default().merge(tally);
        }
        // By the instant: as texts, 23:01:02Z would stand behind 23:01:02.345Z.
        oldest.extend(
            part.open_since
                .into_iter()
                .zip(part.open)
                .map(|(since, id)| (time::parse(&since), since, id)),
        );
    }
    oldest.sort();
    oldest.truncate(OLDEST as usize);
    (sum.open_since, sum.open) = oldest.into_iter().map(|(_, since, id)| (since, id)).unzip();
    if minor >= 1 {
        let means = sum
            .currency
            .iter()
            .map(|(currency, tally)| (*currency, tally.mean_minor().unwrap_or_default()));
        sum.mean_value_minor = Some(means.collect());
    }
    Ok(to_value(&sum))
}

fn to_value(answer: &InFlight) -> Value {
    serde_json::to_value(answer).expect("answers are plain data with string keys")
}
