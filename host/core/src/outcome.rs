//! What goes into a stage and what it says of it.

use crate::{Header, Timestamp};
use bytes::Bytes;
use std::fmt;

/// One record on a declared input port, without the host's own headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub port: String,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
    pub timestamp: Timestamp,
    pub verdicts: Vec<Verdict>,
}

/// A validator's word on a record. No code: accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub validator: String,
    pub code: Option<String>,
    pub reason: String,
}

/// One record for a declared output port. No key: it stays on this shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emission {
    pub port: String,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

/// "I cannot treat this as my message": a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Kebab-case, at most 64 bytes.
    pub code: String,
    pub reason: String,
}

/// A timer that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub id: String,
    /// Key of the record whose processing set the timer.
    pub key: Option<Bytes>,
    pub at: Timestamp,
    pub payload: Bytes,
}

/// What a stage says of one input record or timer.
pub type Outcome = Result<Vec<Emission>, Rejection>;

/// The record could not be processed through the component's own doing: a dead letter of that record alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: FaultCode,
    /// What was found, for people; with a Wasm backtrace where there is one.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultCode {
    /// The guest trapped (`unreachable`, out of bounds, stack overflow, a panic).
    Trap,
    /// The record's fuel ran out.
    Fuel,
    /// The instance wanted more memory than its limit.
    Memory,
    /// An undeclared port, store or metric, a forged host header, a malformed answer.
    Contract,
    /// A key, value, header or number of emissions over its limit.
    Size,
}

impl FaultCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "fault-trap",
            Self::Fuel => "fault-fuel",
            Self::Memory => "fault-memory",
            Self::Contract => "fault-contract",
            Self::Size => "fault-size",
        }
    }
}
impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
impl Fault {
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
