//! The manifest that holds: what is written, what an environment says instead, and the defaults of the rest.

use super::{problem, schema, secrets};
use serde_json::Value as Json;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub path: Vec<Step>,
    /// References to secrets stay references.
    pub value: Json,
    pub origin: Origin,
    /// It refers to a secret.
    pub secret: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Line of the manifest, from 1.
    Written {
        line: usize,
    },
    Environment {
        name: String,
        line: usize,
    },
    Default,
}

impl Shown {
    /// `stage.account.limits.memory`, `goal[0].over`.
    pub fn name(&self) -> String {
        let mut name = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if name.is_empty() => name = key_text(key),
                Step::Key(key) => name = format!("{name}.{}", key_text(key)),
                Step::Index(i) => name = format!("{name}[{i}]"),
            }
        }
        name
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written { line } => write!(f, "line {line}"),
            Self::Environment { name, line } => write!(f, "env.{name}, line {line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A key as TOML has it: in quotes where it must be.
pub fn key_text(key: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        toml::Value::from(key).to_string()
    }
}

/// The chosen environment, and where its values stand in the text.
pub(super) struct Overlay {
    pub name: String,
    pub values: Vec<Range<usize>>,
}

/// Places of everything below a value that is not a table.
pub(super) fn leaves(value: &DeValue<'_>, into: &mut Vec<Range<usize>>) {
    if let DeValue::Table(table) = value {
        for value in table.values() {
            if value.get_ref().is_table() {
                leaves(value.get_ref(), into);
            } else {
                into.push(value.span());
            }
        }
    }
}

/// In the order of the text, then the defaults of each table.
pub(super) fn values(top: &DeTable<'_>, text: &str, overlay: Option<&Overlay>) -> Vec<Shown> {
    let mut found = Found {
        text,
        overlay,
        all: Vec::new(),
    };
    found.table(&schema::schema(), Some(top), &mut Vec::new());
    found.all
}

struct Found<'a> {
    text: &'a str,
    overlay: Option<&'a Overlay>,
    all: Vec<Shown>,
}

impl Found<'_> {
    fn table(&mut self, schema: &Json, table: Option<&DeTable<'_>>, path: &mut Vec<Step>) {
        for (key, value) in table.into_iter().flatten() {
            path.push(Step::Key(key.get_ref().to_string()));
            self.value(schema::below(schema, key.get_ref()), value, path);
            path.pop();
        }
        for (key, below) in schema["properties"].as_object().into_iter().flatten() {
            if table.is_some_and(|t| t.contains_key(key.as_str())) {
                continue;
            }
            path.push(Step::Key(key.clone()));
            if below["properties"].is_object() {
                // What a table has only when it is written has no default.
                self.table(below, None, path);
            } else if let Some(value) = below.get("default") {
                self.all.push(Shown {
                    path: path.clone(),
                    value: value.clone(),
                    origin: Origin::Default,
                    secret: false,
                });
            }
            path.pop();
        }
    }

    fn value(&mut self, schema: &Json, value: &Spanned<DeValue<'_>>, path: &mut Vec<Step>) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(schema, Some(table), path),
            DeValue::Array(items)
                if schema["items"]["properties"].is_object() || schema["items"]["anyOf"].is_array() =>
            {
                for (i, item) in items.iter().enumerate() {
                    path.push(Step::Index(i));
                    self.value(&schema["items"], item, path);
                    path.pop();
                }
            }
            leaf => {
                let value_json = json(leaf);
                let line = problem::place(self.text, value.span().start).0;
                let above = self
                    .overlay
                    .filter(|o| o.values.iter().any(|s| inside(s, &value.span())));
                self.all.push(Shown {
                    path: path.clone(),
                    secret: refers(&value_json),
                    value: value_json,
                    origin: match above {
                        Some(overlay) => Origin::Environment {
                            name: overlay.name.clone(),
                            line,
                        },
                        None => Origin::Written { line },
                    },
                });
            }
        }
    }
}

fn inside(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn refers(value: &Json) -> bool {
    match value {
        Json::String(text) => !secrets::references(text).is_empty(),
        Json::Array(items) => items.iter().any(refers),
        Json::Object(entries) => entries.values().any(refers),
        _ => false,
    }
}

/// A value of a manifest that was checked: it is known to be JSON.
fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(b) => Json::Bool(*b),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).map_or(Json::Null, Json::from),
        DeValue::Float(n) => n.as_str().parse::<f64>().map_or(Json::Null, Json::from),
        DeValue::Datetime(d) => Json::String(d.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())))
            .collect(),
    }
}
