//! What may pass.

use fermata_payments::{Code, Content, Currency, MAX_MESSAGE, Refusal, Span, is_funding};
use serde::Deserialize;

/// `[stage.validate.config]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The largest amount of one payment, in minor units. Payments from a funding account have none.
    pub max_amount: i64,
    /// The largest payment that may pass, in bytes; at most [`MAX_MESSAGE`].
    pub max_bytes: usize,
    pub currencies: Vec<Currency>,
    /// How long an accepted id is remembered, and how old a payment may be. Longer than the payment time-out and the
    /// time for which dead letters may be redriven taken together.
    pub window: Span,
    /// How far ahead of the pipeline's clock a payment's time may lie.
    pub max_ahead: Span,
}

impl Default for Config {
    fn default() -> Self {
        let currencies = ["CHF", "EUR", "GBP", "JPY", "SEK", "USD"];
        Self {
            max_amount: 10_000_000,
            max_bytes: MAX_MESSAGE,
            currencies: currencies.iter().filter_map(|code| Currency::parse(code)).collect(),
            window: Span::days(8),
            max_ahead: Span::days(1),
        }
    }
}

pub const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "max-amount": { "type": "integer", "minimum": 1, "default": 10000000, "description": "minor units" },
    "max-bytes": { "type": "integer", "minimum": 1, "maximum": 8192, "default": 8192 },
    "currencies": { "type": "array", "items": { "type": "string", "pattern": "^[A-Z]{3}$" }, "minItems": 1 },
    "window": { "type": "string", "default": "8d" },
    "max-ahead": { "type": "string", "default": "1d" }
  }
}"#;

impl Config {
    pub fn check(&self) -> Result<(), String> {
        if self.max_amount <= 0 {
            return Err(format!("max-amount is {}, it must be positive", self.max_amount));
        }
        if !(1..=MAX_MESSAGE).contains(&self.max_bytes) {
            let found = self.max_bytes;
            return Err(format!("max-bytes is {found}, it must lie between 1 and {MAX_MESSAGE}"));
        }
        if self.currencies.is_empty() {
            return Err("currencies is empty: no payment could pass".to_owned());
        }
        if self.window.as_millis() == 0 {
            return Err("window is 0: no id would be remembered".to_owned());
        }
        Ok(())
    }

    /// May a payment of this content pass, as far as the content alone says?
    pub fn permit(&self, content: &Content, now: i64) -> Result<(), Refusal> {
        let terms = &content.terms;
        if !self.currencies.contains(&terms.currency) {
            return Err(Code::BAD_CURRENCY.refusal(format!("{} is not known here", terms.currency)));
        }
        if content.at < now.saturating_sub(self.window.as_millis()) {
            return Err(Code::TOO_OLD.refusal("its time lies before the window in which ids are remembered"));
        }
        if content.at > now.saturating_add(self.max_ahead.as_millis()) {
            return Err(Code::BAD_TIME.refusal("its time lies too far ahead"));
        }
        if terms.from == terms.to {
            return Err(Code::SAME_ACCOUNT.refusal(format!("{} cannot pay itself", terms.from)));
        }
        if terms.amount > self.max_amount && is_funding(&terms.from).is_none() {
            let most = self.max_amount;
            return Err(Code::TOO_LARGE.refusal(format!("the amount is {}, at most {most} is allowed", terms.amount)));
        }
        Ok(())
    }
}
