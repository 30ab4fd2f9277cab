//! How long ends and figures are kept.

use fermata_payments::Span;
use serde::Deserialize;

/// `[stage.confirm.config]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// How long ended ids are remembered; as validate remembers them.
    pub remember: Span,
    /// How long the one-minute windows are kept.
    pub keep_windows: Span,
    /// How many days of confirmed payments are kept.
    pub keep_days: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            remember: Span::days(8),
            keep_windows: Span::days(1),
            keep_days: 31,
        }
    }
}

pub const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "remember": { "type": "string", "default": "8d" },
    "keep-windows": { "type": "string", "default": "1d" },
    "keep-days": { "type": "integer", "minimum": 1, "default": 31 }
  }
}"#;

impl Config {
    pub fn check(&self) -> Result<(), String> {
        if self.remember.as_millis() == 0 {
            return Err("remember is 0: a payment could be confirmed twice".to_owned());
        }
        if self.keep_days == 0 {
            return Err("keep-days is 0: not even today would be kept".to_owned());
        }
        Ok(())
    }
}
