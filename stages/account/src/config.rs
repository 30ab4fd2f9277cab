//! How accounts behave.

use fermata_payments::Span;
use serde::Deserialize;

/// `[stage.account.config]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// A credit to an account that does not exist opens it, in the credit's currency. For demos.
    pub auto_open: bool,
    /// One debit of an account is in flight at a time; later ones wait in order.
    pub one_debit_in_flight: bool,
    /// How long ended, refused and cancelled ids are remembered: as long as cancels of them may come, which is the
    /// payment time-out and the time for which dead letters may be redriven taken together.
    pub remember: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            auto_open: false,
            one_debit_in_flight: false,
            remember: Span::days(8),
        }
    }
}

pub const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auto-open": { "type": "boolean", "default": false },
    "one-debit-in-flight": { "type": "boolean", "default": false },
    "remember": { "type": "string", "default": "8d" }
  }
}"#;

impl Config {
    pub fn check(&self) -> Result<(), String> {
        if self.remember.as_millis() == 0 {
            return Err("remember is 0: a payment could be cancelled after its end".to_owned());
        }
        Ok(())
    }
}
