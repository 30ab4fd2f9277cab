//! Lengths of time as configs give them.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A length of time in milliseconds, never negative. In configs: `"200ms"`, `"30s"`, `"5m"`, `"1h"`, `"8d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

/// Longest first, so that `ms` is not taken for `s`.
const UNITS: [(&str, i64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A hundred years.
const LONGEST: Span = Span::days(36_525);

impl Span {
    pub const fn millis(millis: i64) -> Self {
        assert!(millis >= 0, "a length of time is not negative");
        Self(millis)
    }

    pub const fn days(days: i64) -> Self {
        Self::millis(days * 86_400_000)
    }

    pub const fn hours(hours: i64) -> Self {
        Self::millis(hours * 3_600_000)
    }

    pub const fn seconds(seconds: i64) -> Self {
        Self::millis(seconds * 1_000)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// None: not a whole number with a unit, or longer than a hundred years: added to any time, it stays a time.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, millis) = UNITS
            .iter()
            .find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)))?;
        if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let length = number.parse::<i64>().ok()?.checked_mul(*millis).map(Self);
        length.filter(|length| *length <= LONGEST)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}ms", self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a length of time such as \"200ms\", \"30s\", \"5m\", \"1h\" or \"8d\", at most a hundred years",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                Span::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        for (text, millis) in [
            ("0s", 0),
            ("200ms", 200),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("8d", 691_200_000),
            ("36525d", 3_155_760_000_000),
        ] {
            assert_eq!(Span::parse(text), Some(Span::millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "30",
            "-1s",
            "+1s",
            "1.5s",
            "1 s",
            "1w",
            "99999999999999999999d",
            "999999999999999d",
            "36526d",
            "9223372036854775807ms",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
