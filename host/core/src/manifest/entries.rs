//! Names, tables of named things and lists of them: what goes wrong in one is noted, and the others are read all the same.

use super::problem::Problem;
use super::raw::{At, Checked, Fields, Value};
use crate::codes;
use crate::ids::BadName;
use std::collections::BTreeSet;

/// Reads a name; its own rule is the message.
pub(super) fn named<N>(value: &Value<'_>) -> Checked<N>
where
    N: std::str::FromStr<Err = BadName>,
{
    let text = value.string()?;
    text.value.parse().map_err(|e: BadName| value.bad(e.to_string()))
}

pub(super) fn key_name<N: std::str::FromStr<Err = BadName>>(key: &At<String>) -> Checked<N> {
    let wrong = |e: BadName| Problem::new(codes::MANIFEST_VALUE, key.span.clone(), e.to_string());
    key.value.parse().map_err(wrong)
}

/// A word for people and metrics: `[a-z][a-z0-9_-]*`, at most 64 bytes.
pub(super) fn word(text: &str) -> bool {
    let rest = text.strip_prefix(|c: char| c.is_ascii_lowercase());
    text.len() <= 64
        && rest.is_some_and(|r| {
            r.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
        })
}

pub(super) const WORD: &str = "expected a name ([a-z][a-z0-9_-]*, at most 64 bytes)";

pub(super) fn label(value: &Value<'_>) -> Checked<String> {
    let text = value.string()?.value;
    if word(&text) {
        return Ok(text);
    }
    Err(value.bad(format!("{WORD}, found {text:?}")))
}

/// Every entry of a table whose keys are names, and whether all could be read; those that could not are noted.
pub(super) fn each<T>(value: Option<Value<'_>>, read: impl Fn(At<String>, &Value<'_>) -> Checked<T>) -> (Vec<T>, bool) {
    let Some(value) = value else { return (Vec::new(), true) };
    let Some(fields) = value.keep(value.fields()) else {
        return (Vec::new(), false);
    };
    let entries: Vec<_> = fields.entries().collect();
    let count = entries.len();
    let all = entries
        .into_iter()
        .filter_map(|(key, value)| value.keep(read(key, &value)));
    let all: Vec<T> = all.collect();
    let whole = all.len() == count;
    (all, whole)
}

/// Every item of a list; those that are wrong are noted.
pub(super) fn many<T>(value: &Value<'_>, read: impl Fn(&Value<'_>) -> Checked<T>) -> Checked<Vec<T>> {
    let items = value.list()?;
    Ok(items.iter().filter_map(|item| item.keep(read(item))).collect())
}

/// A list of tables, none of which has the name of another.
pub(super) fn named_list<T>(top: &Fields<'_>, key: &'static str, read: impl Fn(&Value<'_>) -> Checked<T>) -> Vec<T> {
    let Some(value) = top.get(key) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    for item in value.list().unwrap_or_default() {
        let name = item.fields().ok().and_then(|f| f.get("name"));
        let text = name.as_ref().and_then(|v| v.string().ok());
        if let (Some(name), Some(text)) = (name, text)
            && !seen.insert(text.value.clone())
        {
            top.problems
                .note(name.bad(format!("another {key} is named {:?} already", text.value)));
        }
    }
    value.keep(many(&value, read)).unwrap_or_default()
}
