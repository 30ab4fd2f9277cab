//! The view `ledger`: that no money was made or lost.
//!
//! For each currency balances + clearing, which is 0 on every shard at every commit; and the two apart. The sum of
//! clearing over the shards is what is between them, and 0 when drained.

use std::collections::BTreeMap;

use fermata_payments::{Currency, Sum};
use fermata_stage::Reader;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::state::LEDGER;

pub const ANSWER: &str = r#"{
  "type": "object",
  "description": "each currency: balances + clearing, always 0",
  "properties": {
    "balances": { "type": "object", "additionalProperties": { "type": ["integer", "string"] } },
    "clearing": { "type": "object", "additionalProperties": { "type": ["integer", "string"] } }
  },
  "additionalProperties": { "type": ["integer", "string"] }
}"#;

/// A part. The sums stand beside it in the answer, but are made of it.
#[derive(Default, Serialize, Deserialize)]
pub struct Part {
    balances: BTreeMap<Currency, Sum>,
    clearing: BTreeMap<Currency, Sum>,
}

impl Part {
    fn answer(&self) -> Value {
        let mut answer = super::to_value(self);
        for (currency, balances) in &self.balances {
            let clearing = self.clearing.get(currency).copied().unwrap_or_default();
            answer[currency.as_str()] = super::to_value(&(*balances + clearing));
        }
        answer
    }
}

pub fn query(cx: &dyn Reader) -> Value {
    let ledger = LEDGER.get(cx, "all").unwrap_or_default();
    let mut part = Part::default();
    for (currency, position) in ledger.currencies {
        part.balances.insert(currency, position.balances);
        part.clearing.insert(currency, position.clearing);
    }
    part.answer()
}

pub fn merge(parts: Vec<Part>) -> Value {
    let mut sum = Part::default();
    for part in parts {
        for (currency, balances) in part.balances {
            *sum.balances.entry(currency).or_default() += balances;
            sum.clearing.entry(currency).or_default();
        }
        for (currency, clearing) in part.clearing {
            *sum.clearing.entry(currency).or_default() += clearing;
            sum.balances.entry(currency).or_default();
        }
    }
    sum.answer()
}
