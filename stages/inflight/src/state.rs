//! What inflight keeps: open payments, ended ones for a while, and sums.

use std::collections::BTreeMap;

use fermata_payments::timed::Alarm;
use fermata_payments::{Code, Currency, Tally, Terms};
use fermata_stage::{Context, Reader, Table};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// By id.
pub const PAYMENTS: Table<Entry> = Table::new("payments", 1);
/// Open payments by when they were opened ([`fermata_payments::timed::key`]).
pub const OPEN: Table<Index> = Table::new("open", 1);
/// Ended payments by when they ended, keyed likewise.
pub const ENDED: Table<Index> = Table::new("ended", 1);
/// One entry.
pub const FIGURES: Table<Figures> = Table::new("figures", 1);

#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since the epoch.
    pub opened: i64,
    /// The whole payment while it is open, its terms when it has ended.
    pub payment: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

impl Entry {
    pub fn end(self, terms: &Terms, ended: Ended) -> Self {
        let terms = serde_json::value::to_raw_value(terms).expect("terms are plain data");
        Self {
            opened: self.opened,
            payment: terms,
            ended: Some(ended),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub how: How,
    pub at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    Complete,
    Refused,
    Refunded,
}

impl How {
    pub fn label(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::Refunded => "refunded",
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Index {}

/// What is in flight on this shard, and the sweeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    pub currencies: BTreeMap<Currency, Tally>,
    pub time_out: Alarm,
    /// Open payments up to this one have been asked to be cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Place>,
    pub forget: Alarm,
}

/// A key of [`OPEN`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub opened: i64,
    pub id: String,
}

const KEY: &str = "all";

impl Figures {
    pub fn load(cx: &dyn Reader) -> Self {
        FIGURES.get(cx, KEY).unwrap_or_default()
    }

    pub fn save(&self, cx: &mut dyn Context) {
        FIGURES.put(cx, KEY, self);
    }
}
