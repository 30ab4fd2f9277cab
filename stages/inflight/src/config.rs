//! How long payments may take, and how long their ends can be asked for.

use fermata_payments::Span;
use serde::Deserialize;

/// `[stage.inflight.config]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// After this time the accounts are asked to cancel.
    pub timeout: Span,
    /// How long `payment/{id}` answers for a payment that has ended.
    pub keep_ended: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Span::seconds(30),
            keep_ended: Span::seconds(15 * 60),
        }
    }
}

pub const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "timeout": { "type": "string", "default": "30s" },
    "keep-ended": { "type": "string", "default": "15m" }
  }
}"#;

impl Config {
    pub fn check(&self) -> Result<(), String> {
        if self.timeout.as_millis() == 0 {
            return Err("timeout is 0: every payment would be cancelled as it begins".to_owned());
        }
        Ok(())
    }
}
