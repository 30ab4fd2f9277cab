//! Validators: third-party components that say of each input of a stage whether it may pass.
//!
//! A validator imports nothing: it sees the record and the memo that the host keeps for the record's key, and answers
//! with a verdict and the next memo. What follows from the verdict is the manifest's choice ([`Policy`]).

use crate::limits::{Limits, MAX_CODE};
use crate::ports::Failure;
use crate::{Fault, Input, Rejection, ValidatorName, VersionId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Does a verdict count?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Verdicts and faults are counted, and change nothing.
    #[default]
    Report,
    Enforce,
}

/// What becomes of a record that an enforcing validator refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnReject {
    /// The stage gets the record with the verdict, and decides.
    #[default]
    Deliver,
    /// The record is a dead letter; the stage never sees it.
    DeadLetter,
}

/// What becomes of a record on which an enforcing validator faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFault {
    /// Refused, with the fault's code.
    #[default]
    Reject,
    /// As if the validator had accepted it.
    Accept,
    /// The task pauses before the record and says why.
    Pause,
}

/// How one validator stands in front of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// Unique within its stage; the first part of its codes.
    pub name: ValidatorName,
    pub mode: Mode,
    pub on_reject: OnReject,
    pub on_fault: OnFault,
    /// Bytes of the longest memo.
    pub memo_bytes: u64,
    pub limits: Allowance,
}

/// What a validator may use for one record. `wall` never condemns the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Bytes of linear memory of one instance.
    pub memory: u64,
    pub fuel: u64,
    pub wall: Duration,
}

impl Default for Allowance {
    /// A stage's.
    fn default() -> Self {
        let Limits { memory, fuel, wall, .. } = Limits::default();
        Self { memory, fuel, wall }
    }
}

impl From<Allowance> for Limits {
    fn from(Allowance { memory, fuel, wall }: Allowance) -> Self {
        let own = Self::default();
        Self {
            memory,
            fuel,
            wall,
            ..own
        }
    }
}

/// Bytes of a memo when the manifest names no other bound, and the most that it may name.
pub const MEMO_BYTES: u64 = 1 << 10;
pub const MAX_MEMO_BYTES: u64 = 64 << 10;

/// Beginnings of codes that are the host's: of faults, and of the figures for what is no refusal.
const RESERVED: [&str; 3] = ["fault-", "accepted", "no-verdict"];

impl Policy {
    /// `validator-name/code`.
    pub fn code(&self, code: &str) -> String {
        format!("{}/{code}", self.name)
    }

    /// Is it a code that a validator of this name may give? Kebab-case, none of the host's own words, not too long.
    pub fn permits(&self, code: &str) -> bool {
        let kebab = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let room = MAX_CODE - 1 - self.name.as_str().len();
        // As a stage's own code has to be, which may pass this one on.
        let word = !code.starts_with('-') && !code.ends_with('-') && code.bytes().all(kebab);
        word && (1..=room).contains(&code.len()) && !RESERVED.iter().any(|own| code.starts_with(own))
    }
}

/// What a validator says of one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opinion {
    /// None: accepted.
    pub refusal: Option<Rejection>,
    /// Kept for the record's key until the next; none removes it.
    pub memo: Option<Bytes>,
}

/// A validator with its configuration, ready to be instantiated.
pub trait ValidatorVersion: Send + Sync {
    fn id(&self) -> VersionId;
    /// Instantiates and runs `init`.
    fn instantiate(&self) -> Result<Box<dyn ValidatorInstance>, Fault>;
}

/// A running validator. After [`Failure::Fault`] or [`Failure::Deadline`] it is dead: make another.
pub trait ValidatorInstance: Send {
    /// The verdict on one record, of which port and earlier verdicts are not shown. The engine bounds what the call
    /// uses; whether the answer keeps to the [`Policy`] is for the caller to see.
    fn validate(&mut self, input: &Input, memo: Option<&[u8]>) -> Result<Opinion, Failure>;
    /// As [`crate::ports::Instance::stretch`].
    fn stretch(&mut self, factor: u32);
}

/// A validator in its place.
#[derive(Clone)]
pub struct Attached {
    pub policy: Policy,
    pub version: Arc<dyn ValidatorVersion>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_kebab_case_fits_its_header_and_is_not_the_hosts() {
        let policy = Policy {
            name: "velocity".parse().unwrap(),
            mode: Mode::Enforce,
            on_reject: OnReject::Deliver,
            on_fault: OnFault::Reject,
            memo_bytes: MEMO_BYTES,
            limits: Allowance::default(),
        };
        assert_eq!(policy.code("too-fast"), "velocity/too-fast");
        let longest = "x".repeat(MAX_CODE - "velocity/".len());
        for good in ["too-fast", "x", "2nd", &longest] {
            assert!(policy.permits(good), "{good}");
            assert!(policy.code(good).len() <= MAX_CODE);
        }
        let longer = format!("{longest}x");
        for bad in [
            "",
            "Too-Fast",
            "too fast",
            "a/b",
            "fault-trap",
            "accepted",
            "no-verdict",
            "é",
            "-",
            "-fast",
            "fast-",
            &longer,
        ] {
            assert!(!policy.permits(bad), "{bad}");
        }
    }
}
