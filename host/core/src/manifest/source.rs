//! A manifest as text: what is read out of it, and where each thing stands.

use super::effective::{self, Shown};
use super::problem::{ManifestError, ManifestErrors, Problem};
use super::raw::{Fields, Problems};
use super::secrets::{self, Reference};
use super::{Manifest, layers, parse};
use crate::codes;
use serde::Deserialize;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// No manifest that a person wrote is longer, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// A manifest's text, and the environment that is chosen.
#[derive(Clone, Debug)]
pub struct Source {
    file: String,
    text: Arc<str>,
    environment: Option<String>,
}

impl Source {
    /// `file` names it in errors.
    pub fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            text: text.into(),
            environment: None,
        }
    }

    /// From the bytes of a file, which may be anything.
    pub fn from_bytes(file: &str, bytes: Vec<u8>) -> Result<Self, ManifestErrors> {
        let refuse = |text: String, at: usize, message: String| {
            let problem = Problem::new(codes::MANIFEST_SYNTAX, at..at, message);
            ManifestErrors::from(problem.at(file, &Arc::from(text)))
        };
        if bytes.len() > MAX_BYTES {
            let message = format!("a manifest has at most {MAX_BYTES} bytes, found {}", bytes.len());
            return Err(refuse(String::new(), 0, message));
        }
        String::from_utf8(bytes)
            .map(|text| Self::new(file, &text))
            .map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                let found = error.as_bytes()[at];
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                refuse(text, at, format!("a manifest is UTF-8 text, found byte 0x{found:02x}"))
            })
    }

    /// With the environment of this name laid over the rest.
    pub fn in_environment(mut self, name: Option<&str>) -> Self {
        self.environment = name.map(str::to_owned);
        self
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// The checked manifest, or everything that is wrong with it.
    pub fn manifest(&self) -> Result<Manifest, ManifestErrors> {
        self.read(|table, problems| parse::manifest(Fields::top(table, problems)))
    }

    /// Names of the environments, in order of declaration.
    pub fn environments(&self) -> Vec<String> {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        let all = table.get_ref().get(layers::KEY).and_then(|v| v.get_ref().as_table());
        let names = all.into_iter().flat_map(DeTable::keys);
        names.map(|name| name.get_ref().to_string()).collect()
    }

    /// The manifest with its environment merged into it, as TOML; as written where no environment is chosen. References
    /// to secrets stay references.
    pub fn merged(&self) -> Result<String, ManifestErrors> {
        let Some(environment) = &self.environment else {
            return Ok(self.text.to_string());
        };
        let table = self.read(|table, _| {
            let read = toml::de::Deserializer::from(table.clone());
            toml::Table::deserialize(read).ok()
        })?;
        Ok(format!("# {} in environment {environment}\n{table}", self.file))
    }

    /// Every value that holds, defaults among them, and where it comes from.
    pub fn effective(&self) -> Result<Vec<Shown>, ManifestErrors> {
        self.manifest()?;
        let overlay = self.overlay();
        self.read(|table, _| Some(effective::values(table.get_ref(), &self.text, overlay.as_ref())))
    }

    /// Every reference to a secret, with its place.
    pub fn references(&self) -> Vec<(Reference, Range<usize>)> {
        let mut found = Vec::new();
        let read = self.read(|table, _| {
            gather(table.get_ref(), &mut found);
            Some(())
        });
        if read.is_err() {
            found.clear();
        }
        found
    }

    /// A fault at `path`, or at the nearest thing around it that is written down.
    pub fn fault(&self, code: &'static str, path: &[&str], message: String, help: Option<String>) -> ManifestError {
        self.fault_at(code, self.place(path), message, help)
    }

    pub fn fault_at(
        &self,
        code: &'static str,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> ManifestError {
        let mut problem = Problem::new(code, span, message);
        problem.help = help;
        problem.at(&self.file, &self.text)
    }

    fn place(&self, path: &[&str]) -> Range<usize> {
        let mut at = 0..0;
        // A manifest that cannot be read has been refused before anyone asks for a place in it.
        let _ = self.read(|table, _| {
            let mut inside: Option<&DeValue<'_>> = None;
            for (i, step) in path.iter().enumerate() {
                let entry = match (i, inside) {
                    (0, _) => table.get_ref().get_key_value(*step),
                    (_, Some(DeValue::Table(table))) => table.get_key_value(*step),
                    (_, Some(DeValue::Array(items))) => {
                        let item = step.parse().ok().and_then(|n: usize| items.get(n));
                        if let Some(item) = item {
                            at = item.span();
                        }
                        inside = item.map(Spanned::get_ref);
                        continue;
                    }
                    _ => None,
                };
                let Some((key, value)) = entry else { break };
                at = match value.get_ref() {
                    // The span of a table with a header is all of it: its name is the place.
                    DeValue::Table(_) => key.span(),
                    _ => value.span(),
                };
                inside = Some(value.get_ref());
            }
            Some(())
        });
        at
    }

    /// Bytes that belong to the chosen environment, with its name.
    fn overlay(&self) -> Option<effective::Overlay> {
        let name = self.environment.clone()?;
        let (table, _) = DeTable::parse_recoverable(&self.text);
        let overlay = table.get_ref().get(layers::KEY)?.get_ref().get(name.as_str())?;
        let mut values = Vec::new();
        effective::leaves(overlay.get_ref(), &mut values);
        values.push(overlay.span());
        Some(effective::Overlay { name, values })
    }

    fn read<T>(&self, read: impl FnOnce(&Spanned<DeTable<'_>>, &Problems) -> Option<T>) -> Result<T, ManifestErrors> {
        let (mut table, errors) = DeTable::parse_recoverable(&self.text);
        let problems = Problems::default();
        let result = if errors.is_empty() {
            layers::apply(table.get_mut(), self.environment.as_deref(), &problems);
            read(&table, &problems)
        } else {
            // A brace that is not closed is a mistake in every line behind it: the first one is certain.
            let places = errors
                .iter()
                .map(|error| (error.span().unwrap_or(0..0), error.message()));
            if let Some((span, message)) = places.min_by_key(|(span, _)| span.start) {
                problems.note(Problem::new(codes::MANIFEST_SYNTAX, span, message.trim()));
            }
            None
        };
        let found = problems.into_found().into_iter();
        let found: Vec<_> = found.map(|problem| problem.at(&self.file, &self.text)).collect();
        match (ManifestErrors::of(found), result) {
            (None, Some(result)) => Ok(result),
            (Some(errors), _) => Err(errors),
            (None, None) => {
                let message = "the manifest cannot be read, and nothing says why".to_owned();
                Err(self.fault_at(codes::MANIFEST_SYNTAX, 0..0, message, None).into())
            }
        }
    }
}

fn gather(table: &DeTable<'_>, into: &mut Vec<(Reference, Range<usize>)>) {
    fn one(value: &Spanned<DeValue<'_>>, into: &mut Vec<(Reference, Range<usize>)>) {
        match value.get_ref() {
            DeValue::String(text) => {
                let found = secrets::references(text).into_iter();
                into.extend(found.map(|reference| (reference, value.span())));
            }
            DeValue::Array(items) => items.iter().for_each(|item| one(item, into)),
            DeValue::Table(table) => gather(table, into),
            _ => {}
        }
    }
    table.values().for_each(|value| one(value, into));
}
