//! What accounts answer: one by name, a page of them, and the ledger.

mod account;
mod ledger;
mod page;

use fermata_payments::Params;
use fermata_stage::{Reader, ViewError};
use serde_json::{Value, json};

use crate::state::ACCOUNTS;
pub use account::Row;

pub const KEY_PARAMS: &str =
    r#"{"type":"object","properties":{"key":{"type":"string"}},"required":["key"],"additionalProperties":false}"#;
pub const NO_PARAMS: &str = r#"{"type":"object","additionalProperties":false}"#;
pub use ledger::ANSWER as LEDGER_ANSWER;
pub use page::PARAMS as PAGE_PARAMS;

pub fn account_answer(minor: u32) -> Value {
    account::schema(minor)
}

pub fn page_answer(minor: u32) -> Value {
    json!({
        "type": "object",
        "properties": {
            "accounts": { "type": "array", "items": account::schema(minor) },
            "next": { "type": ["string", "null"], "description": "cursor of the next page" },
            "total": { "type": "integer", "description": "accounts ever opened, before any filter" },
        },
    })
}

pub fn query(minor: u32, cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
    match view {
        "account" => {
            let name = Params::new(params, &["key"])?.key()?;
            let account = ACCOUNTS.get(cx, name).ok_or(ViewError::NotFound)?;
            Ok(to_value(&Row::new(minor, name, &account)))
        }
        "accounts" => Ok(to_value(&page::query(minor, cx, &page::Request::new(params)?))),
        "ledger" => {
            Params::new(params, &[])?;
            Ok(ledger::query(cx))
        }
        _ => Err(ViewError::NotFound),
    }
}

pub fn merge(view: &str, params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
    match view {
        "accounts" => {
            let parts = partials
                .into_iter()
                .map(|part| read(view, part))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(to_value(&page::merge(&page::Request::new(params)?, parts)))
        }
        "ledger" => {
            let parts = partials
                .into_iter()
                .map(|part| read(view, part))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(ledger::merge(parts))
        }
        _ => Err(ViewError::NotFound),
    }
}

fn read<T: serde::de::DeserializeOwned>(view: &str, part: Value) -> Result<T, ViewError> {
    serde_json::from_value(part)
        .map_err(|error| ViewError::BadParams(format!("a part of {view} cannot be read: {error}")))
}

fn to_value<T: serde::Serialize>(answer: &T) -> Value {
    serde_json::to_value(answer).expect("answers are plain data with string keys")
}
