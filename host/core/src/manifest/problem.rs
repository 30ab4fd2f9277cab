//! What is wrong with a manifest, where, and what was meant.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One fault of a manifest, with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message} ({file}:{line}:{column}{})", self.help.as_ref().map(|h| format!("; {h}")).unwrap_or_default())]
pub struct ManifestError {
    /// `F01xx`, one of [`crate::codes`].
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// What to do: the nearest valid name, where there is one.
    pub help: Option<String>,
    /// Name of the file, as given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Bytes of `source_text`.
    pub span: Range<usize>,
    /// The whole text, so that the place can be drawn.
    pub source_text: Arc<str>,
}

/// Everything that is wrong with a manifest, in the order of the text. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestErrors(Vec<ManifestError>);

impl ManifestErrors {
    /// `None`: nothing is wrong. The same thing found twice is said once.
    pub fn of(mut all: Vec<ManifestError>) -> Option<Self> {
        all.sort_by(|a, b| (a.span.start, a.code, &a.message).cmp(&(b.span.start, b.code, &b.message)));
        all.dedup();
        (!all.is_empty()).then_some(Self(all))
    }

    pub fn all(&self) -> &[ManifestError] {
        &self.0
    }

    pub fn into_all(self) -> Vec<ManifestError> {
        self.0
    }

    /// The topmost.
    pub fn into_first(self) -> ManifestError {
        self.0.into_iter().next().expect("`of` makes none that is empty")
    }
}

impl From<ManifestError> for ManifestErrors {
    fn from(one: ManifestError) -> Self {
        Self(vec![one])
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, one) in self.0.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{one}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}

/// A fault before the file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
    pub span: Range<usize>,
}

impl Problem {
    pub fn new(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            span,
        }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds `did you mean` when one of `valid` is near, else the list of them.
    pub fn nearest<'a>(self, found: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        let valid: Vec<&str> = valid.into_iter().collect();
        match nearest(found, valid.iter().copied()) {
            Some(name) => self.help(format!("did you mean {name:?}?")),
            None if valid.is_empty() => self,
            None => self.help(format!("valid here: {}", valid.join(", "))),
        }
    }

    pub fn at(self, file: &str, source: &Arc<str>) -> ManifestError {
        let (line, column) = place(source, self.span.start);
        ManifestError {
            code: self.code,
            message: self.message,
            help: self.help,
            file: file.to_owned(),
            line,
            column,
            span: self.span,
            source_text: source.clone(),
        }
    }
}

/// Line and column of a byte, both from 1; the column counts characters.
pub(super) fn place(source: &str, byte: usize) -> (usize, usize) {
    let mut end = byte.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let before = &source[..end];
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[begin..].chars().count() + 1)
}

/// The one of `valid` that a person most likely meant: at most a third of it differs.
pub fn nearest<'a>(found: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    valid
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(found, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(found.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
