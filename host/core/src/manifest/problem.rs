//! What is wrong with a manifest, where, and what was meant.

use std::ops::Range;

/// One fault of a manifest, with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message} ({file}:{line}{})", self.help.as_ref().map(|h| format!("; {h}")).unwrap_or_default())]
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
    /// Bytes of `source`.
    pub span: Range<usize>,
    /// The whole text, so that the place can be drawn.
    pub source_text: String,
}

/// A fault before the file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
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

    pub fn at(self, file: &str, source: &str) -> ManifestError {
        let start = self.span.start.min(source.len());
        let before = source.as_bytes()[..start].iter();
        ManifestError {
            code: self.code,
            message: self.message,
            help: self.help,
            file: file.to_owned(),
            line: before.filter(|b| **b == b'\n').count() + 1,
            span: self.span,
            source_text: source.to_owned(),
        }
    }
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
