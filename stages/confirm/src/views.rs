//! The views `confirmed` and `throughput`.

use std::collections::BTreeMap;

use fermata_payments::{Currency, Params, Sum, Tally, time, timed};
use fermata_stage::{Reader, ViewError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::{Figures, WINDOWS, Window};

pub const NO_PARAMS: &str = r#"{"type":"object","additionalProperties":false}"#;
pub const THROUGHPUT_PARAMS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "minutes": { "type": "integer", "minimum": 1, "maximum": 1440, "default": 60, "description": "how far back" }
  }
}"#;

pub fn confirmed_answer(minor: u32) -> String {
    let value = json!({ "type": ["integer", "string"] });
    let tally = json!({ "type": "object", "properties": { "count": { "type": "integer" }, "value_minor": value } });
    let by_currency = json!({ "type": "object", "additionalProperties": tally });
    let mut properties = json!({
        "count": { "type": "integer", "description": "since the beginning" },
        "currency": by_currency,
        "today": { "type": "string", "format": "date" },
        "days": { "type": "object", "additionalProperties": by_currency },
    });
    if minor >= 1 {
        properties["mean_value_minor"] = json!({ "type": "object", "additionalProperties": value });
    }
    json!({ "type": "object", "properties": properties }).to_string()
}

pub const THROUGHPUT_ANSWER: &str = r#"{
  "type": "object",
  "properties": {
    "windows": {
      "type": "array",
      "description": "newest first",
      "items": {
        "type": "object",
        "properties": {
          "at": { "type": "string", "format": "date-time" },
          "currency": { "type": "string" },
          "count": { "type": "integer" },
          "value_minor": { "type": ["integer", "string"] },
          "latency_ms": {
            "type": "object",
            "properties": {
              "min": { "type": "integer" },
              "mean": { "type": "integer" },
              "max": { "type": "integer" },
              "p99": { "type": "integer" }
            }
          },
          "largest": { "type": "object", "properties": { "id": { "type": "string" }, "amount": { "type": "integer" } } }
        }
      }
    }
  }
}"#;

/// A part and the answer alike.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Confirmed {
    count: u64,
    currency: BTreeMap<Currency, Tally>,
    today: String,
    days: BTreeMap<String, BTreeMap<Currency, Tally>>,
    /// 1.1.0: since the beginning, by currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_value_minor: Option<BTreeMap<Currency, Sum>>,
}

/// A window as it stands in the store of one shard.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    at: i64,
    currency: Currency,
    window: Window,
}

pub fn query(cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
    match view {
        "confirmed" => {
            Params::new(params, &[])?;
            let figures = Figures::load(cx);
            Ok(to_value(&Confirmed {
                count: figures.total.values().map(|tally| tally.count).sum(),
                currency: figures.total,
                today: time::day(cx.now()),
                days: figures.days,
                mean_value_minor: None,
            }))
        }
        "throughput" => {
            let minutes = Params::new(params, &["minutes"])?.limit("minutes", 60, 1_440)?;
            let minutes = i64::try_from(minutes).expect("at most 1,440");
            Ok(to_value(&windows(cx, time::minute(cx.now()) - (minutes - 1) * 60_000)))
        }
        _ => Err(ViewError::NotFound),
    }
}

fn windows(cx: &dyn Reader, since: i64) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut after = timed::key(since, "");
    loop {
        let page = WINDOWS.scan(cx, "", Some(&after), 256);
        let Some((last, _)) = page.last() else { return parts };
        after = last.clone();
        parts.extend(page.into_iter().filter_map(|(key, window)| {
            let (at, currency) = timed::split(&key);
            Some(Part {
                at,
                currency: Currency::parse(currency)?,
                window,
            })
        }));
    }
}

pub fn merge(minor: u32, view: &str, partials: Vec<Value>) -> Result<Value, ViewError> {
    match view {
        "confirmed" => {
            let parts = partials
                .into_iter()
                .map(|part| read(view, part))
                .collect::<Result<_, _>>()?;
            Ok(to_value(&merge_confirmed(minor, parts)))
        }
        "throughput" => {
            let parts: Vec<Vec<Part>> = partials
                .into_iter()
                .map(|part| read(view, part))
                .collect::<Result<_, _>>()?;
            Ok(merge_windows(parts.into_iter().flatten()))
        }
        _ => Err(ViewError::NotFound),
    }
}

fn merge_confirmed(minor: u32, parts: Vec<Confirmed>) -> Confirmed {
    let mut sum = Confirmed::default();
    for part in parts {
        sum.count += part.count;
        sum.today = sum.today.max(part.today);
        add(&mut sum.currency, part.currency);
        for (day, tallies) in part.days {
            add(sum.days.entry(day).or_default(), tallies);
        }
    }
    if minor >= 1 {
        let means = sum
            .currency
            .iter()
            .map(|(currency, tally)| (*currency, tally.mean_minor().unwrap_or_default()));
        sum.mean_value_minor = Some(means.collect());
    }
    sum
}

fn add(sum: &mut BTreeMap<Currency, Tally>, part: BTreeMap<Currency, Tally>) {
    for (currency, tally) in part {
        sum.entry(currency).or_default().merge(tally);
    }
}

fn merge_windows(parts: impl Iterator<Item = Part>) -> Value {
    let mut windows: BTreeMap<(i64, Currency), Window> = BTreeMap::new();
    for part in parts {
        windows.entry((part.at, part.currency)).or_default().merge(part.window);
    }
    let windows: Vec<Value> = windows
        .iter()
        .rev()
        .map(|((at, currency), window)| {
            json!({
                "at": time::format(*at),
                "currency": currency,
                "count": window.count,
                "value_minor": window.value_minor,
                "latency_ms": {
                    "min": window.latency_min,
                    "mean": window.latency_sum.mean(window.count),
                    "max": window.latency_max,
                    "p99": window.latencies.quantile(990).min(window.latency_max),
                },
                "largest": { "id": window.largest.id, "amount": window.largest.amount },
            })
        })
        .collect();
    json!({ "windows": windows })
}

fn read<T: serde::de::DeserializeOwned>(view: &str, part: Value) -> Result<T, ViewError> {
    serde_json::from_value(part)
        .map_err(|error| ViewError::BadParams(format!("a part of {view} cannot be read: {error}")))
}

fn to_value<T: Serialize>(answer: &T) -> Value {
    serde_json::to_value(answer).expect("answers are plain data with string keys")
}
