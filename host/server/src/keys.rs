//! The key of a record that has none, from the field that the manifest names for its topic.

use bytes::Bytes;
use serde_json::Value;

/// `Err`: what is wrong with the value.
pub fn derived(field: &str, value: Option<&[u8]>) -> Result<Bytes, String> {
    let value: Value = value
        .and_then(|v| serde_json::from_slice(v).ok())
        .ok_or_else(|| format!("it has no key, and its value is not JSON from which {field:?} could be taken"))?;
    match &value[field] {
        Value::String(text) => Ok(Bytes::from(text.clone())),
        Value::Number(number) => Ok(Bytes::from(number.to_string())),
        _ => Err(format!(
            "it has no key, and its field {field:?} is neither a string nor a number"
        )),
    }
}
