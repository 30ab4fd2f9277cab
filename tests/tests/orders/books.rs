//! The orders' books, reckoned from the topics alone.

use fermata_core::Record;
use fermata_stage::Input;
use fermata_tests::harness::Topics;
use orders_messages::{Cancelled, Name, Opened, Shipped, decode};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What became of one order: how often it was opened, cancelled and shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Life {
    opened: u32,
    cancelled: u32,
    shipped: u32,
    ordered: u32,
    packed: u32,
}

#[derive(Default)]
pub struct Orders {
    lives: BTreeMap<String, Life>,
    /// By article.
    parcels: BTreeMap<String, BTreeSet<u64>>,
    /// Records of the hop between the stages, and those of them that did not wait on the log.
    sold: u64,
    pub fused: u64,
}

impl Orders {
    pub fn read(topics: &Topics) -> Self {
        let mut orders = Self::default();
        topics.each("order.opened", |record| {
            let opened: Opened = message(record);
            let life = orders.life(record, &opened.article, opened.number);
            life.opened += 1;
            life.ordered = opened.quantity;
        });
        topics.each("order.cancelled", |record| {
            let cancelled: Cancelled = message(record);
            orders.life(record, &cancelled.article, cancelled.number).cancelled += 1;
        });
        topics.each("order.shipped", |record| {
            let shipped: Shipped = message(record);
            let life = orders.life(record, &shipped.article, shipped.number);
            life.shipped += 1;
            life.packed = shipped.quantity;
            let parcels = orders.parcels.entry(shipped.article).or_default();
            assert!(
                parcels.insert(shipped.parcel),
                "two parcels {} {record:?}",
                shipped.parcel
            );
        });
        topics.each("order.sold", |record| {
            orders.sold += 1;
            orders.fused += u64::from(record.header("fermata-done").is_some_and(|done| done.contains("ship")));
        });
        orders
    }

    fn life(&mut self, record: &Record, article: &str, number: u64) -> &mut Life {
        let name = Name { article, number }.to_string();
        assert_eq!(record.key.as_deref(), Some(name.as_bytes()), "{record:?}");
        self.lives.entry(name).or_default()
    }

    /// Each order has ended once, with what was ordered; each article's parcels are counted without a gap.
    pub fn check_drained(&self) {
        let right = |life: &Life| {
            life.opened == 1 && life.cancelled + life.shipped == 1 && (life.shipped == 0 || life.packed == life.ordered)
        };
        let wrong: Vec<_> = self.lives.iter().filter(|(_, life)| !right(life)).take(10).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        for (article, parcels) in &self.parcels {
            assert!(
                parcels.iter().copied().eq(1..=parcels.len() as u64),
                "parcels of {article} have a gap: {parcels:?}"
            );
        }
        let shipped: u32 = self.lives.values().map(|life| life.shipped).sum();
        assert_eq!(u64::from(shipped), self.sold, "what was sold was shipped");
        assert!(shipped > 0, "nothing was shipped");
    }
}

fn message<M: prost::Message + Default>(record: &Record) -> M {
    let input = Input {
        value: record.value.as_ref().map(|value| value.to_vec()),
        ..Input::new(record.topic.as_str())
    };
    decode(&input).unwrap_or_else(|rejection| panic!("{rejection}: {record:?}"))
}

impl fmt::Display for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lives, sold, fused, .. } = self;
        write!(f, "{} orders, {sold} sold, {fused} of them on a fused hop", lives.len())
    }
}
