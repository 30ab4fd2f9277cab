//! Records as the intake's envelope has them: bytes that are no text travel as hex, so that none are changed.

use fermata_core::NewRecord;
use serde_json::{Map, Value};

/// `{"key" | "key_hex", "value" | "value_hex", "headers", "headers_hex", "timestamp"}`.
pub fn shape(record: &NewRecord) -> Value {
    let mut shape = Map::new();
    put(&mut shape, "key", record.key.as_deref());
    put(&mut shape, "value", record.value.as_deref());
    let (mut texts, mut others) = (Map::new(), Map::new());
    for header in &record.headers {
        match text_or_hex(header.value.as_deref()) {
            Ok(text) => texts.insert(header.key.to_string(), text),
            Err(hex) => others.insert(header.key.to_string(), hex),
        };
    }
    for (name, headers) in [("headers", texts), ("headers_hex", others)] {
        if !headers.is_empty() {
            shape.insert(name.to_owned(), headers.into());
        }
    }
    shape.insert("timestamp".to_owned(), record.timestamp.0.into());
    shape.into()
}

fn put(shape: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match text_or_hex(bytes) {
        Ok(text) => shape.insert(name.to_owned(), text),
        Err(hex) => shape.insert(format!("{name}_hex"), hex),
    };
}

/// The text, or null; `Err`: hex.
fn text_or_hex(bytes: Option<&[u8]>) -> Result<Value, Value> {
    let Some(bytes) = bytes else { return Ok(Value::Null) };
    std::str::from_utf8(bytes)
        .map(Value::from)
        .map_err(|_| hex::encode(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::{Header, Shard, Timestamp, TopicName};

    #[test]
    fn no_byte_is_changed() {
        let header = |key: &'static str, value: &'static [u8]| Header {
            key: key.into(),
            value: Some(value.into()),
        };
        let record = NewRecord {
            topic: TopicName::new("t").unwrap(),
            shard: Shard(0),
            timestamp: Timestamp(7),
            key: Some("chair".into()),
            value: Some((&[0x08, 0xac, 0x02][..]).into()),
            headers: vec![header("a", b"text"), header("b", &[0xff])],
        };
        let expected = serde_json::json!({
            "key": "chair", "value_hex": "08ac02", "headers": { "a": "text" }, "headers_hex": { "b": "ff" },
            "timestamp": 7,
        });
        assert_eq!(shape(&record), expected);
        let tombstone = NewRecord {
            value: None,
            headers: Vec::new(),
            ..record
        };
        let expected = serde_json::json!({ "key": "chair", "value": null, "timestamp": 7 });
        assert_eq!(shape(&tombstone), expected);
    }
}
