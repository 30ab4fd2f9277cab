//! What inflight keeps: open payments, ended ones for a while, and sums.

use std::collections::BTreeMap;

use fermata_payments::timed::Alarm;
use fermata_payments::{Code, Currency, Tally, Terms};
use fermata_stage::{Cbor, Context, Reader, Table};
use minicbor::{Decode, Encode};

/// By id.
pub const PAYMENTS: Table<Entry, Cbor> = Table::new("payments", 1);
/// Open payments by when they were opened ([`fermata_payments::timed::key`]).
pub const OPEN: Table<Index, Cbor> = Table::new("open", 1);
/// Ended payments by when they ended, keyed likewise.
pub const ENDED: Table<Index, Cbor> = Table::new("ended", 1);
/// One entry.
pub const FIGURES: Table<Figures, Cbor> = Table::new("figures", 1);

#[derive(Debug, Encode, Decode)]
pub struct Entry {
    /// Milliseconds since the epoch.
    #[n(0)]
    pub opened: i64,
    #[n(1)]
    pub life: Life,
}

#[derive(Debug, Encode, Decode)]
pub enum Life {
    /// The whole payment, as JSON.
    #[n(0)]
    Open(#[n(0)] String),
    #[n(1)]
    Ended(#[n(0)] Ended),
}

#[derive(Debug, Encode, Decode)]
pub struct Ended {
    #[n(0)]
    pub terms: Terms,
    #[n(1)]
    pub how: How,
    #[n(2)]
    pub at: i64,
    #[n(3)]
    pub code: Option<Code>,
    #[n(4)]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum How {
    #[n(0)]
    Complete,
    #[n(1)]
    Refused,
    #[n(2)]
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

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub struct Index {}

/// What is in flight on this shard, and the sweeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Figures {
    #[cbor(n(0), default)]
    pub currencies: BTreeMap<Currency, Tally>,
    #[cbor(n(1), default)]
    pub time_out: Alarm,
    /// Open payments up to this one have been asked to be cancelled.
    #[n(2)]
    pub cancelled: Option<Place>,
    #[cbor(n(3), default)]
    pub forget: Alarm,
}

/// A key of [`OPEN`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    #[n(0)]
    pub opened: i64,
    #[n(1)]
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
