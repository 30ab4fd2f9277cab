//! What validate keeps: accepted ids for a while, and counts.

use std::collections::BTreeMap;

use fermata_payments::Code;
use fermata_payments::timed::Alarm;
use fermata_stage::{Context, Reader, Table};
use serde::{Deserialize, Serialize};

/// Accepted ids.
pub const IDS: Table<Remembered> = Table::new("ids", 1);
/// Accepted ids by the time at which they may be forgotten ([`fermata_payments::timed::key`]).
pub const EXPIRY: Table<Expiry> = Table::new("expiry", 1);
/// One entry.
pub const FIGURES: Table<Figures> = Table::new("figures", 1);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Fingerprint of the content.
    pub hash: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Expiry {}

/// Counts since the beginning, of this shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    pub accepted: u64,
    /// Of the accepted: those that a funding account pays.
    pub setup: u64,
    /// Same id, same content.
    pub repeated: u64,
    pub rejected: BTreeMap<String, u64>,
    pub forget: Alarm,
}

const KEY: &str = "all";

impl Figures {
    pub fn load(cx: &dyn Reader) -> Self {
        FIGURES.get(cx, KEY).unwrap_or_default()
    }

    pub fn save(&self, cx: &mut dyn Context) {
        FIGURES.put(cx, KEY, self);
    }

    pub fn reject(&mut self, code: &Code) {
        match self.rejected.get_mut(code.as_str()) {
            Some(count) => *count += 1,
            None => {
                self.rejected.insert(code.as_str().to_owned(), 1);
            }
        }
    }
}
