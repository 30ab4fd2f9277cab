//! `--config` and `--set` as one JSON object.

use crate::failure::Failure;
use serde_json::{Map, Value};

/// What replaces entries of the manifest's configuration `own`; `None`: nothing does.
pub fn config(config: Option<&str>, set: &[String], own: &Value) -> Result<Option<String>, Failure> {
    if set.is_empty() {
        return Ok(config.map(str::to_owned));
    }
    let mut over: Value = match config {
        Some(text) => serde_json::from_str(text).map_err(|e| Failure::usage(format!("--config is not JSON: {e}")))?,
        None => Value::Object(Map::new()),
    };
    let Some(entries) = over.as_object_mut() else {
        return Err(Failure::usage("--config is not a JSON object"));
    };
    for setting in set {
        let (name, text) = setting
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--set {setting:?}: expected NAME=VALUE")))?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let mut path = name.split('.');
        let first = path.next().unwrap_or_default();
        // An entry of a table replaces that entry alone.
        let entry = entries
            .entry(first)
            .or_insert_with(|| own.get(first).cloned().unwrap_or_default());
        *at(entry, path, setting)? = value;
    }
    Ok(Some(over.to_string()))
}

fn at<'a, 'p>(
    mut entry: &'a mut Value,
    path: impl Iterator<Item = &'p str>,
    setting: &str,
) -> Result<&'a mut Value, Failure> {
    for name in path {
        if entry.is_null() {
            *entry = Value::Object(Map::new());
        }
        let table = entry
            .as_object_mut()
            .ok_or_else(|| Failure::usage(format!("--set {setting:?}: what {name:?} stands in is no table")))?;
        entry = table.entry(name).or_insert(Value::Null);
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(given: Option<&str>, set: &[&str]) -> Value {
        let own = json!({ "zipf": 1.0, "bad": { "bad-json": 0.5 }, "amount": { "min": 1 } });
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let text = config(given, &set, &own).unwrap().expect("something is replaced");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn entries_are_set_by_their_path() {
        assert_eq!(
            merged(None, &["zipf=2", "currency=SEK"]),
            json!({ "zipf": 2, "currency": "SEK" })
        );
        assert_eq!(
            merged(None, &["bad.repeated=0.1", "new.a.b=true"]),
            json!({ "bad": { "bad-json": 0.5, "repeated": 0.1 }, "new": { "a": { "b": true } } })
        );
        assert_eq!(
            merged(Some(r#"{"bad": {}, "accounts": 5}"#), &["bad.repeated=0.1"]),
            json!({ "bad": { "repeated": 0.1 }, "accounts": 5 })
        );
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        for (given, set) in [
            (None, "zipf"),
            (None, "zipf.a=1"),
            (Some("[]"), "a=1"),
            (Some("{"), "a=1"),
        ] {
            assert!(
                config(given, &[set.to_owned()], &json!({ "zipf": 1.0 })).is_err(),
                "{given:?} {set}"
            );
        }
    }
}
