//! A small histogram of latencies that shards can merge.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Sixteen buckets for each doubling: a quantile is off by at most a sixteenth.
const BITS: u32 = 4;

/// Counts by bucket, in order, empty ones left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct Histogram(#[n(0)] Vec<(u16, u64)>);

impl Histogram {
    /// `value`: not negative.
    pub fn add(&mut self, value: i64) {
        self.add_to(bucket(value), 1);
    }

    pub fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.0 {
            self.add_to(bucket, count);
        }
    }

    fn add_to(&mut self, bucket: u16, count: u64) {
        match self.0.binary_search_by_key(&bucket, |entry| entry.0) {
            Ok(index) => self.0[index].1 += count,
            Err(index) => self.0.insert(index, (bucket, count)),
        }
    }

    /// The highest value of the bucket in which the quantile lies; 0 of nothing.
    pub fn quantile(&self, per_mille: u64) -> i64 {
        let total: u64 = self.0.iter().map(|entry| entry.1).sum();
        let rank = (total * per_mille).div_ceil(1_000);
        let mut seen = 0;
        for &(bucket, count) in &self.0 {
            seen += count;
            if seen >= rank {
                return highest(bucket);
            }
        }
        0
    }
}

/// Below 16 the value itself; above, how often it can be halved and the four bits behind the first.
fn bucket(value: i64) -> u16 {
    let value = u64::try_from(value).unwrap_or(0);
    let shift = value.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    let bucket = (u64::from(shift) << BITS) + (value >> shift);
    u16::try_from(bucket).expect("at most 64 doublings of 16 buckets")
}

fn highest(bucket: u16) -> i64 {
    let bucket = u64::from(bucket);
    let shift = (bucket >> BITS).saturating_sub(1);
    let first = bucket - (shift << BITS);
    i64::try_from(((first + 1) << shift) - 1).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_ordered_and_narrow() {
        let mut last = 0;
        for value in (0..100_000).chain([i64::MAX / 2, i64::MAX]) {
            let bucket = bucket(value);
            assert!(bucket >= last, "{value}");
            last = bucket;
            let highest = highest(bucket);
            assert!(
                highest >= value && highest - value <= value / 16,
                "{value} stands as {highest}"
            );
        }
    }

    #[test]
    fn quantiles_of_parts_are_those_of_the_whole() {
        let (mut whole, mut odd, mut even) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 1..=1_000 {
            whole.add(value);
            if value % 2 == 0 {
                even.add(value)
            } else {
                odd.add(value)
            }
        }
        odd.merge(&even);
        assert_eq!(odd, whole);
        assert_eq!(whole.quantile(990), 991);
        assert_eq!(whole.quantile(1), 1);
        assert_eq!(Histogram::default().quantile(990), 0);
    }
}
