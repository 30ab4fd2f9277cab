//! What validate keeps: accepted ids for a while, and counts.

use std::collections::BTreeMap;

use fermata_payments::timed::Alarm;
use fermata_payments::{Code, Fingerprint};
use fermata_stage::{Cbor, Context, Reader, Table};
use minicbor::{Decode, Encode};

/// Accepted ids.
pub const IDS: Table<Remembered, Cbor> = Table::new("ids", 1);
/// Accepted ids by the time at which they may be forgotten ([`fermata_payments::timed::key`]).
pub const EXPIRY: Table<Expiry, Cbor> = Table::new("expiry", 1);
/// One entry.
pub const FIGURES: Table<Figures, Cbor> = Table::new("figures", 1);

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Remembered {
    #[n(0)]
    pub content: Fingerprint,
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub struct Expiry {}

/// Counts since the beginning, of this shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Figures {
    #[cbor(n(0), default)]
    pub accepted: u64,
    /// Of the accepted: those that a funding account pays.
    #[cbor(n(1), default)]
    pub setup: u64,
    /// Same id, same content.
    #[cbor(n(2), default)]
    pub repeated: u64,
    #[cbor(n(3), default)]
    pub rejected: BTreeMap<String, u64>,
    #[cbor(n(4), default)]
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
