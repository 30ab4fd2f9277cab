//! The key of a record that has none, from the field that the manifest names for its topic.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `Err`: what is wrong with the value. The other fields are not judged: whatever they hold is the stage's to refuse.
pub fn derived(field: &str, value: Option<&[u8]>) -> Result<Bytes, String> {
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = value
        .and_then(|v| serde_json::from_slice(v).ok())
        .ok_or_else(|| format!("it has no key, and its value is no JSON object from which {field:?} could be taken"))?;
    let found = fields.get(field).and_then(|raw| serde_json::from_str(raw.get()).ok());
    match found {
        Some(Value::String(text)) => Ok(Bytes::from(text)),
        Some(Value::Number(number)) => Ok(Bytes::from(number.to_string())),
        _ => Err(format!(
            "it has no key, and its field {field:?} is neither a string nor a number"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_field_itself_is_judged() {
        let deep = format!(
            "{{\"deep\":{}{},\"x\":1e400,\"id\":\"\\u0061\"}}",
            "[".repeat(1_000),
            "]".repeat(1_000)
        );
        assert_eq!(derived("id", Some(deep.as_bytes())).unwrap(), "a");
        assert_eq!(derived("id", Some(b"{\"\\u0069d\": 7}")).unwrap(), "7");
        for bad in [
            "",
            "[]",
            "{}",
            "{\"id\": null}",
            "{\"id\": []}",
            "{\"id\": \"\\ud800\"}",
            "{\"id\": 1} x",
        ] {
            assert!(derived("id", Some(bad.as_bytes())).is_err(), "{bad}");
        }
        assert!(derived("id", None).is_err());
    }
}
