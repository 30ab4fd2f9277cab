//! A value that may have come out of a secret.

use fermata_core::codes;
use fermata_core::manifest::problem::Problem;
use fermata_core::manifest::raw::{Checked, Value};
use fermata_core::manifest::secrets::{self, Secrets};
use std::fmt;

/// A text, and how it may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    value: String,
    shown: String,
    secret: bool,
}

impl Setting {
    /// A text that anybody may see.
    pub fn plain(value: impl Into<String>) -> Self {
        let value = value.into();
        Self {
            shown: value.clone(),
            value,
            secret: false,
        }
    }

    /// A secret that was written down as such: shown as stars.
    pub fn hidden(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            shown: "***".to_owned(),
            secret: true,
        }
    }

    /// A text with its references filled in; shown as it was written.
    pub fn read(value: &Value<'_>, from: &dyn Secrets) -> Checked<Self> {
        let written = value.as_text().ok_or_else(|| value.expected("a text"))?;
        let before = value.problems.count();
        secrets::check(value);
        if value.problems.count() > before {
            // Told already, with its place.
            return Ok(Self::plain(String::new()));
        }
        let json = serde_json::Value::from(written).to_string();
        let filled = secrets::fill(&json, from).map_err(|unresolved| {
            let (reference, found) = (unresolved.reference, unresolved.found);
            let message = format!("{:?}: {reference}: {found}", value.path);
            Problem::new(codes::MANIFEST_SECRET, value.span(), message)
        })?;
        let text = serde_json::from_str(&filled.text).expect("a JSON text stays one when its references are filled in");
        Ok(Self {
            value: text,
            shown: written.to_owned(),
            secret: filled.holds_secrets(),
        })
    }

    /// The value itself, for whoever must use it.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown)
    }
}
