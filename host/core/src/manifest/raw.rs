//! TOML as people write it: tables whose every key must be asked for, values that know their place.
//!
//! What is wrong is noted and reading goes on behind it, so that a person sees all of it at once.

use super::problem::Problem;
use crate::codes;
use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its place in the text.
#[derive(Debug, Clone)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

pub type Checked<T> = Result<T, Problem>;

/// What was found wrong so far.
#[derive(Debug, Default)]
pub struct Problems {
    found: RefCell<Vec<Problem>>,
    /// What is read, where it is no manifest.
    document: Option<&'static str>,
    /// Which keys were asked for in which table: what the JSON Schema is held against.
    #[cfg(test)]
    pub asked: RefCell<std::collections::BTreeMap<String, std::collections::BTreeSet<&'static str>>>,
}

impl Problems {
    /// Of another file than a manifest, named as in "at the top of fermata.toml".
    pub fn of(document: &'static str) -> Self {
        Self {
            document: Some(document),
            ..Self::default()
        }
    }

    pub fn note(&self, problem: Problem) {
        self.found.borrow_mut().push(problem);
    }

    /// What was read, or `None` and a note.
    pub fn keep<T>(&self, read: Checked<T>) -> Option<T> {
        read.map_err(|problem| self.note(problem)).ok()
    }

    pub fn count(&self) -> usize {
        self.found.borrow().len()
    }

    pub fn into_found(self) -> Vec<Problem> {
        self.found.into_inner()
    }
}

/// A table whose keys are asked for one by one; [`Fields::close`] notes those that nobody asked for.
pub struct Fields<'a> {
    table: &'a DeTable<'a>,
    pub problems: &'a Problems,
    /// As in `stage.account`; empty at the top.
    pub path: String,
    pub span: Range<usize>,
    known: RefCell<Vec<&'static str>>,
}

/// A value and the path by which messages name it.
pub struct Value<'a> {
    inner: &'a Spanned<DeValue<'a>>,
    pub problems: &'a Problems,
    pub path: String,
}

impl<'a> Fields<'a> {
    pub fn top(table: &'a Spanned<DeTable<'a>>, problems: &'a Problems) -> Self {
        // Its span is the whole text: what is missing is missing at the top.
        Self::new(table.get_ref(), problems, String::new(), 0..0)
    }

    fn new(table: &'a DeTable<'a>, problems: &'a Problems, path: String, span: Range<usize>) -> Self {
        Self {
            table,
            problems,
            path,
            span,
            known: RefCell::default(),
        }
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    pub fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        self.table.get(key).map(|inner| Value {
            inner,
            problems: self.problems,
            path: self.path_of(key),
        })
    }

    pub fn need(&self, key: &'static str) -> Checked<Value<'a>> {
        self.get(key).ok_or_else(|| {
            let path = self.path_of(key);
            Problem::new(
                codes::MANIFEST_SYNTAX,
                self.span.clone(),
                format!("{path:?} is missing"),
            )
        })
    }

    /// What was read, or `None` and a note.
    pub fn keep<T>(&self, read: Checked<T>) -> Option<T> {
        self.problems.keep(read)
    }

    /// What `read` makes of an entry; `None` where there is none, and where it is wrong, which is noted.
    pub fn read<T>(&self, key: &'static str, read: impl FnOnce(&Value<'a>) -> Checked<T>) -> Option<T> {
        self.get(key).and_then(|value| self.keep(read(&value)))
    }

    /// As [`Fields::read`], where the entry must be there.
    pub fn must<T>(&self, key: &'static str, read: impl FnOnce(&Value<'a>) -> Checked<T>) -> Option<T> {
        self.keep(self.need(key).and_then(|value| read(&value)))
    }

    /// Every entry, for tables whose keys are names that the author chose.
    pub fn entries(&self) -> impl Iterator<Item = (At<String>, Value<'a>)> {
        self.table.iter().map(|(key, inner)| {
            let name = At {
                value: key.get_ref().to_string(),
                span: key.span(),
            };
            let path = self.path_of(&name.value);
            let problems = self.problems;
            (name, Value { inner, problems, path })
        })
    }

    /// Notes every key that nobody asked for.
    pub fn close(self) {
        let known = self.known.into_inner();
        #[cfg(test)]
        self.problems
            .asked
            .borrow_mut()
            .entry(self.path.clone())
            .or_default()
            .extend(&known);
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let found = key.get_ref();
            let place = match self.path.as_str() {
                "" => format!("at the top of {}", self.problems.document.unwrap_or("a manifest")),
                path => format!("in {path}"),
            };
            let message = format!("{found:?} is not a key {place}");
            let problem = Problem::new(codes::MANIFEST_SYNTAX, key.span(), message);
            self.problems.note(problem.nearest(found, known.iter().copied()));
        }
    }
}

impl<'a> Value<'a> {
    pub fn span(&self) -> Range<usize> {
        self.inner.span()
    }

    pub fn problem(&self, code: &'static str, message: impl Into<String>) -> Problem {
        Problem::new(code, self.span(), message)
    }

    pub fn expected(&self, what: &str) -> Problem {
        let found = self.inner.get_ref().type_str();
        self.problem(
            codes::MANIFEST_SYNTAX,
            format!("{:?} must be {what}, found a value of type {found}", self.path),
        )
    }

    pub fn bad(&self, message: impl Into<String>) -> Problem {
        self.problem(codes::MANIFEST_VALUE, format!("{:?}: {}", self.path, message.into()))
    }

    pub fn string(&self) -> Checked<At<String>> {
        let text = self.inner.get_ref().as_str();
        let value = text.ok_or_else(|| self.expected("a string"))?.to_owned();
        if value.contains("${") {
            let problem = self.bad(format!("${{...}} is filled in inside a config only, found {value:?}"));
            return Err(problem.help("for what differs between environments there is env.<name> = { ... }"));
        }
        Ok(At {
            value,
            span: self.span(),
        })
    }

    pub fn boolean(&self) -> Checked<bool> {
        let value = self.inner.get_ref().as_bool();
        value.ok_or_else(|| self.expected("true or false"))
    }

    pub fn integer(&self) -> Checked<i64> {
        let integer = self.inner.get_ref().as_integer();
        let integer = integer.ok_or_else(|| self.expected("a whole number"))?;
        i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| self.bad("the number does not fit 64 bits"))
    }

    pub fn count(&self, least: u64, most: u64) -> Checked<u64> {
        let found = self.integer()?;
        u64::try_from(found)
            .ok()
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| self.bad(format!("expected a number from {least} to {most}, found {found}")))
    }

    pub fn number(&self) -> Checked<f64> {
        let value = self.inner.get_ref();
        if value.is_integer() {
            return Ok(self.integer()? as f64);
        }
        let float = value.as_float().ok_or_else(|| self.expected("a number"))?;
        let number = float.as_str().parse::<f64>();
        let number = number.map_err(|_| self.bad("the number cannot be read"))?;
        if !number.is_finite() {
            return Err(self.bad(format!("expected a finite number, found {number}")));
        }
        Ok(number)
    }

    /// What was read, or `None` and a note.
    pub fn keep<T>(&self, read: Checked<T>) -> Option<T> {
        self.problems.keep(read)
    }

    /// A text that is not empty.
    pub fn text(&self) -> Checked<String> {
        let text = self.string()?.value;
        if text.trim().is_empty() {
            return Err(self.bad("expected a text, found an empty one"));
        }
        Ok(text)
    }

    /// A whole number of bytes from `least` to `most`.
    pub fn bytes_within(&self, least: u64, most: u64) -> Checked<u64> {
        let found = self.bytes()?;
        if (least..=most).contains(&found) {
            return Ok(found);
        }
        Err(self.bad(format!("expected {least} to {most} bytes, found {found}")))
    }

    /// A duration that is not zero and at most `most`.
    pub fn duration_within(&self, most: Duration) -> Checked<Duration> {
        let found = self.duration()?;
        if !found.is_zero() && found <= most {
            return Ok(found);
        }
        let most = duration_text(most);
        let found = duration_text(found);
        Err(self.bad(format!("expected a duration from 1ms to {most}, found {found}")))
    }

    /// `200ms`, `60s`, `5m`, `24h`, `30d`.
    pub fn duration(&self) -> Checked<Duration> {
        let text = self.string()?.value;
        let wrong = || {
            self.bad(format!(
                "expected a duration such as \"200ms\", \"60s\", \"5m\", \"24h\" or \"7d\", found {text:?}"
            ))
        };
        parse_duration(&text).ok_or_else(wrong)
    }

    /// `64MiB`, `1GiB`, or a number of bytes.
    pub fn bytes(&self) -> Checked<u64> {
        if self.inner.get_ref().is_integer() {
            return self.count(1, i64::MAX as u64);
        }
        let text = self.string()?.value;
        let wrong = || {
            self.bad(format!(
                "expected a size such as \"512KiB\", \"64MiB\" or \"1GiB\", found {text:?}"
            ))
        };
        parse_bytes(&text).filter(|n| *n > 0).ok_or_else(wrong)
    }

    pub fn as_text(&self) -> Option<&'a str> {
        self.inner.get_ref().as_str()
    }

    pub fn is_text(&self) -> bool {
        self.as_text().is_some()
    }

    pub fn is_list(&self) -> bool {
        self.inner.get_ref().is_array()
    }

    pub fn list(&self) -> Checked<Vec<Value<'a>>> {
        let list = self.inner.get_ref().as_array();
        let list = list.ok_or_else(|| self.expected("a list"))?;
        Ok(list
            .iter()
            .enumerate()
            .map(|(i, inner)| Value {
                inner,
                problems: self.problems,
                path: format!("{}[{i}]", self.path),
            })
            .collect())
    }

    pub fn fields(&self) -> Checked<Fields<'a>> {
        let table = self.inner.get_ref().as_table();
        let table = table.ok_or_else(|| self.expected("a table"))?;
        Ok(Fields::new(table, self.problems, self.path.clone(), self.span()))
    }

    /// As JSON, for values that only a component or a view understands.
    pub fn json(&self) -> Checked<serde_json::Value> {
        use serde_json::Value as Json;
        Ok(match self.inner.get_ref() {
            DeValue::String(s) => Json::String(s.to_string()),
            DeValue::Boolean(b) => Json::Bool(*b),
            DeValue::Integer(_) => self.integer()?.into(),
            DeValue::Float(_) => self.number()?.into(),
            DeValue::Datetime(d) => Json::String(d.to_string()),
            DeValue::Array(_) => Json::Array(self.list()?.iter().map(Self::json).collect::<Checked<_>>()?),
            DeValue::Table(_) => Json::Object(
                self.fields()?
                    .entries()
                    .map(|(key, value)| Ok((key.value, value.json()?)))
                    .collect::<Checked<_>>()?,
            ),
        })
    }
}

/// A number with a unit of time: `ms`, `s`, `m`, `h`, `d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let scale_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(scale_ms).map(Duration::from_millis)
}

/// In the largest unit that has no rest: `90s`, `5m`.
pub fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let unit = units
        .iter()
        .find(|(scale, _)| millis > 0 && millis.is_multiple_of(*scale));
    let (scale, unit) = unit.unwrap_or(&(1, "ms"));
    format!("{}{unit}", millis / scale)
}

/// In the largest unit that has no rest: `64MiB`.
pub fn bytes_text(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units
        .iter()
        .find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    let (shift, unit) = unit.unwrap_or(&(0, "B"));
    format!("{}{unit}", bytes >> shift)
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '_')?;
    let number = text[..at].replace('_', "").parse().ok()?;
    Some((number, text[at..].trim()))
}
