//! What confirm keeps: ended ids for a while, counts by day, one-minute windows.

use std::collections::BTreeMap;

use fermata_payments::timed::Memory;
use fermata_payments::{Currency, Sum, Tally};
use fermata_stage::{Cbor, Context, Reader, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// Confirmed payments by when they were opened and id ([`fermata_payments::timed::key`]).
pub const ENDS: Table<Mark, Cbor> = Table::new("ends", 1);
/// By the beginning of the minute and currency, keyed likewise.
pub const WINDOWS: Table<Window, Cbor> = Table::new("windows", 1);
/// One entry.
pub const FIGURES: Table<Figures, Cbor> = Table::new("figures", 1);

#[derive(Debug, Clone, Copy, Encode, Decode)]
pub struct Mark {}

/// Sums over this shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Figures {
    /// Since the beginning.
    #[cbor(n(0), default)]
    pub total: BTreeMap<Currency, Tally>,
    /// By the day of the confirmation in UTC: `2026-11-22`.
    #[cbor(n(1), default)]
    pub days: BTreeMap<String, BTreeMap<Currency, Tally>>,
    #[cbor(n(2), default)]
    pub memory: Memory,
}

const KEY: &str = "all";

impl Figures {
    pub fn load(cx: &dyn Reader) -> Self {
        FIGURES.get(cx, KEY).unwrap_or_default()
    }

    pub fn save(&self, cx: &mut dyn Context) {
        FIGURES.put(cx, KEY, self);
    }

    pub fn count(&mut self, day: &str, currency: Currency, amount: i64, keep: usize) {
        self.total.entry(currency).or_default().add(amount);
        if !self.days.contains_key(day) {
            self.days.insert(day.to_owned(), BTreeMap::new());
            while self.days.len() > keep {
                self.days.pop_first();
            }
        }
        if let Some(day) = self.days.get_mut(day) {
            day.entry(currency).or_default().add(amount);
        }
    }
}

/// The payments of one currency that were confirmed in one minute. Latencies in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(default)]
pub struct Window {
    #[cbor(n(0), default)]
    pub count: u64,
    #[cbor(n(1), default)]
    pub value_minor: Sum,
    #[cbor(n(2), default)]
    pub latency_min: i64,
    #[cbor(n(3), default)]
    pub latency_max: i64,
    #[cbor(n(4), default)]
    pub latency_sum: Sum,
    #[cbor(n(5), default)]
    pub latencies: Histogram,
    #[cbor(n(6), default)]
    pub largest: Largest,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Largest {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub amount: i64,
}

impl Window {
    pub fn add(&mut self, id: &str, amount: i64, latency: i64) {
        let first = self.count == 0;
        self.latency_min = if first { latency } else { self.latency_min.min(latency) };
        self.latency_max = if first { latency } else { self.latency_max.max(latency) };
        self.latency_sum += latency.into();
        self.latencies.add(latency);
        self.count += 1;
        self.value_minor += amount.into();
        if first || amount > self.largest.amount {
            self.largest = Largest {
                id: id.to_owned(),
                amount,
            };
        }
    }

    pub fn merge(&mut self, other: Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other;
            return;
        }
        self.latency_min = self.latency_min.min(other.latency_min);
        self.latency_max = self.latency_max.max(other.latency_max);
        self.latency_sum += other.latency_sum;
        self.latencies.merge(&other.latencies);
        self.count += other.count;
        self.value_minor += other.value_minor;
        if other.largest.amount > self.largest.amount {
            self.largest = other.largest;
        }
    }
}
