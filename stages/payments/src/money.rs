//! Sums of money. An amount is an `i64` of minor units; a sum of amounts has 128 bits and so cannot overflow.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use minicbor::{Decode, Encode};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A sum of minor units. In JSON a number while it fits in 64 bits, otherwise a string of digits: a JSON number
/// beyond that would be read as a float.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Sum(#[n(0)] pub i128);

impl Sum {
    pub const ZERO: Self = Self(0);

    /// The mean over `count`, rounded down; none of nothing.
    pub fn mean(self, count: u64) -> Option<Self> {
        (count > 0).then(|| Self(self.0.div_euclid(i128::from(count))))
    }
}

impl From<i64> for Sum {
    fn from(amount: i64) -> Self {
        Self(i128::from(amount))
    }
}

impl Add for Sum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Sum {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Sum {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Sum {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(sum) => serializer.serialize_i64(sum),
            Err(_) => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Sum;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer of minor units, or its digits in a string")
            }

            fn visit_i64<E: Error>(self, sum: i64) -> Result<Sum, E> {
                Ok(Sum(i128::from(sum)))
            }

            fn visit_u64<E: Error>(self, sum: u64) -> Result<Sum, E> {
                Ok(Sum(i128::from(sum)))
            }

            fn visit_str<E: Error>(self, digits: &str) -> Result<Sum, E> {
                digits
                    .parse()
                    .map(Sum)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(digits), &self))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

/// How many, and how much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(default)]
pub struct Tally {
    #[cbor(n(0), default)]
    pub count: u64,
    #[cbor(n(1), default)]
    pub value_minor: Sum,
}

impl Tally {
    pub fn add(&mut self, amount: i64) {
        self.count += 1;
        self.value_minor += amount.into();
    }

    /// Takes back what was added before.
    pub fn remove(&mut self, amount: i64) {
        self.count -= 1;
        self.value_minor -= amount.into();
    }

    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.value_minor += other.value_minor;
    }

    pub fn mean_minor(&self) -> Option<Sum> {
        self.value_minor.mean(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_survives_json_whatever_its_size() {
        let large = i128::from(i64::MAX) * 1_000;
        for (sum, json) in [
            (Sum(0), "0".to_owned()),
            (Sum(i128::from(i64::MAX)), i64::MAX.to_string()),
            (Sum(i128::from(i64::MIN)), i64::MIN.to_string()),
            (
                Sum(i128::from(i64::MAX) + 1),
                format!("\"{}\"", i128::from(i64::MAX) + 1),
            ),
            (Sum(-large), format!("\"{}\"", -large)),
        ] {
            assert_eq!(serde_json::to_string(&sum).expect("plain data"), json);
            assert_eq!(serde_json::from_str::<Sum>(&json).expect("a sum"), sum);
            let kept = minicbor::to_vec(sum).expect("plain data");
            assert_eq!(minicbor::decode::<Sum>(&kept).expect("a sum"), sum);
            let value = serde_json::to_value(sum).expect("a view's answer");
            assert_eq!(serde_json::from_value::<Sum>(value).expect("a view's part"), sum);
        }
        assert!(serde_json::from_str::<Sum>("1.5").is_err());
        assert!(serde_json::from_str::<Sum>("\"1.5\"").is_err());
    }

    #[test]
    fn what_is_added_can_be_taken_back() {
        let mut tally = Tally::default();
        tally.add(i64::MAX);
        tally.add(i64::MAX);
        assert_eq!(tally.mean_minor(), Some(i64::MAX.into()));
        tally.remove(i64::MAX);
        assert_eq!(
            tally,
            Tally {
                count: 1,
                value_minor: i64::MAX.into()
            }
        );
        assert_eq!(Tally::default().mean_minor(), None);
    }
}
