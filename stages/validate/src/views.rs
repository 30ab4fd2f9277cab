//! The view `rejections`.

use std::collections::BTreeMap;

use fermata_payments::Params;
use fermata_stage::{Reader, ViewError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::Figures;

pub const NO_PARAMS: &str = r#"{"type":"object","additionalProperties":false}"#;

pub fn answer_schema(minor: u32) -> String {
    let count = json!({ "type": "integer", "minimum": 0 });
    let mut properties = json!({
        "accepted": count, "setup": count, "repeated": count, "rejected": count,
        "codes": { "type": "object", "additionalProperties": count },
    });
    if minor >= 1 {
        properties["share"] = json!({ "type": "number", "minimum": 0, "maximum": 1 });
    }
    json!({ "type": "object", "properties": properties }).to_string()
}

/// Counts since the beginning. `rejected` is the sum of `codes`; `setup` is a part of `accepted`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Rejections {
    accepted: u64,
    setup: u64,
    repeated: u64,
    rejected: u64,
    codes: BTreeMap<String, u64>,
    /// 1.1.0: rejected of all that were judged, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
}

pub fn query(cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
    if view != "rejections" {
        return Err(ViewError::NotFound);
    }
    Params::new(params, &[])?;
    let figures = Figures::load(cx);
    Ok(to_value(&Rejections {
        accepted: figures.accepted,
        setup: figures.setup,
        repeated: figures.repeated,
        rejected: figures.rejected.values().sum(),
        codes: figures.rejected,
        share: None,
    }))
}

pub fn merge(minor: u32, view: &str, partials: Vec<Value>) -> Result<Value, ViewError> {
    if view != "rejections" {
        return Err(ViewError::NotFound);
    }
    let mut sum = Rejections::default();
    for partial in partials {
        let part: Rejections = serde_json::from_value(partial)
            .map_err(|error| ViewError::BadParams(format!("a part of rejections cannot be read: {error}")))?;
        sum.accepted += part.accepted;
        sum.setup += part.setup;
        sum.repeated += part.repeated;
        sum.rejected += part.rejected;
        for (code, count) in part.codes {
            *sum.codes.entry(code).or_default() += count;
        }
    }
    if minor >= 1 {
        let judged = sum.accepted + sum.rejected;
        sum.share = Some(if judged == 0 {
            0.0
        } else {
            sum.rejected as f64 / judged as f64
        });
    }
    Ok(to_value(&sum))
}

fn to_value(answer: &Rejections) -> Value {
    serde_json::to_value(answer).expect("counts are plain data")
}
