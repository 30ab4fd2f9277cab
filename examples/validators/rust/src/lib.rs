//! At most `per-minute` debits of one account within any minute; a debit that is refused does not count.
//!
//! The memo of an account holds the times of its counted debits, 8 bytes each, big-endian.

use fermata_validator::{Memo, Record, Validator, Verdict, export};
use serde::Deserialize;
use std::borrow::Cow;

/// Milliseconds.
const WINDOW: i64 = 60_000;
const MOST: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    per_minute: usize,
    /// Accounts whose names begin so may be as fast as they like.
    except_prefix: Option<String>,
}

pub struct Velocity(Config);

/// All that matters of a message on `payment.inflight`.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
}

impl Validator for Velocity {
    type Config = Config;

    fn init(config: Config) -> Result<Self, String> {
        if !(1..=MOST).contains(&config.per_minute) {
            return Err(format!("config: per-minute must be from 1 to {MOST}"));
        }
        Ok(Self(config))
    }

    fn validate(&self, record: &Record, memo: Memo) -> (Verdict, Memo) {
        let account = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let Some(account) = account.filter(|_| is_debit(record)) else {
            return (Verdict::Accept, memo);
        };
        if self
            .0
            .except_prefix
            .as_ref()
            .is_some_and(|prefix| account.starts_with(prefix))
        {
            return (Verdict::Accept, memo);
        }
        let mut counted = times(memo.as_deref().unwrap_or_default());
        counted.retain(|time| record.timestamp.saturating_sub(*time) < WINDOW);
        if counted.len() >= self.0.per_minute {
            let reason = format!("{} debits within a minute", counted.len());
            let code = "too-fast";
            return (Verdict::Reject { code, reason }, bytes(&counted));
        }
        counted.push(record.timestamp);
        (Verdict::Accept, bytes(&counted))
    }
}

fn is_debit(record: &Record) -> bool {
    let message: Option<Message<'_>> = record
        .value
        .as_deref()
        .and_then(|value| serde_json::from_slice(value).ok());
    message.is_some_and(|message| message.kind == "debit")
}

fn times(memo: &[u8]) -> Vec<i64> {
    let (times, _) = memo.as_chunks::<8>();
    times.iter().map(|time| i64::from_be_bytes(*time)).collect()
}

fn bytes(times: &[i64]) -> Memo {
    (!times.is_empty()).then(|| times.iter().flat_map(|time| time.to_be_bytes()).collect())
}

export!(Velocity);

#[cfg(test)]
mod tests {
    use super::*;

    fn velocity(per_minute: usize) -> Velocity {
        let config = format!(r#"{{"per-minute": {per_minute}, "except-prefix": "funding-"}}"#);
        fermata_validator::init(&config).expect("a good configuration")
    }
    fn message(account: &str, kind: &str, timestamp: i64) -> Record {
        Record {
            key: Some(account.into()),
            value: Some(format!(r#"{{"v":1,"type":"{kind}"}}"#).into_bytes()),
            timestamp,
            ..Record::default()
        }
    }
    /// The times at which debits of one account pass.
    fn passed(per_minute: usize, times: &[i64]) -> Vec<i64> {
        let velocity = velocity(per_minute);
        let mut memo = None;
        let mut passed = Vec::new();
        for time in times {
            let (verdict, next) = velocity.validate(&message("acct-1", "debit", *time), memo);
            memo = next;
            if verdict == Verdict::Accept {
                passed.push(*time);
            }
            assert!(memo.as_ref().is_none_or(|memo| memo.len() <= 8 * per_minute));
        }
        passed
    }

    #[test]
    fn the_window_slides_and_what_was_refused_does_not_count() {
        assert_eq!(
            passed(2, &[0, 10, 20, 59_999, 60_000, 60_005, 60_010]),
            [0, 10, 60_000, 60_010]
        );
        assert_eq!(passed(1, &[0, 59_999, 60_000]), [0, 60_000]);
    }

    #[test]
    fn a_clock_that_steps_back_neither_frees_nor_breaks() {
        assert_eq!(passed(2, &[100_000, 10, i64::MIN, i64::MAX]), [100_000, 10, i64::MAX]);
    }

    #[test]
    fn what_is_no_debit_passes_and_keeps_the_memo() {
        let velocity = velocity(1);
        let memo = bytes(&[5]);
        let debit = message("acct-1", "debit", 6);
        let mut others = vec![
            message("acct-1", "credit", 6),
            message("funding-EUR", "debit", 6),
            Record {
                value: None,
                ..debit.clone()
            },
            Record {
                key: None,
                ..debit.clone()
            },
        ];
        for value in ["not JSON", "[1]", "null", r#"{"type":7}"#] {
            others.push(Record {
                value: Some(value.into()),
                ..debit.clone()
            });
        }
        for other in others {
            assert_eq!(
                velocity.validate(&other, memo.clone()),
                (Verdict::Accept, memo.clone()),
                "{other:?}"
            );
        }
        assert_ne!(velocity.validate(&debit, memo).0, Verdict::Accept);
    }

    #[test]
    fn a_bad_configuration_is_refused() {
        for bad in [
            "{}",
            r#"{"per-minute":0}"#,
            r#"{"per-minute":1001}"#,
            r#"{"per-minute":1,"x":1}"#,
            "7",
        ] {
            assert!(fermata_validator::init::<Velocity>(bad).is_err(), "{bad}");
        }
    }
}
