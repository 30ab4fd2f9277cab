//! The records that pass between host and stage: the types of `wit/stage.wit` as plain Rust.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A header of a record. No value: a null header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// What a validator said of a record that was delivered with its word. No code: accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub validator: String,
    pub code: Option<String>,
    pub reason: String,
}

/// One record on a declared input port, without the host's own headers. No value: a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub port: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    /// The record's own timestamp, milliseconds since the epoch. It is data: producers' clocks lie.
    pub timestamp: i64,
    pub verdicts: Vec<Verdict>,
}

impl Input {
    /// A record without key, value or headers, as tests begin with.
    pub fn new(port: impl Into<String>) -> Self {
        Self {
            port: port.into(),
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp: 0,
            verdicts: Vec::new(),
        }
    }

    pub fn with_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub fn with_value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    pub fn with_timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = timestamp;
        self
    }

    /// The value as JSON, or the rejection `bad-json`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Rejection> {
        let value = self
            .value
            .as_deref()
            .ok_or_else(|| Rejection::new("bad-json", "the record has no value"))?;
        serde_json::from_slice(value).map_err(|error| Rejection::new("bad-json", error.to_string()))
    }
}

/// One record for a declared output port. No key: it stays on this shard. No value: a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emission {
    pub port: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
}

impl Emission {
    pub fn new(port: impl Into<String>) -> Self {
        Self {
            port: port.into(),
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// A record whose value is `message` as JSON.
    pub fn json<T: Serialize + ?Sized>(port: impl Into<String>, key: impl Into<Vec<u8>>, message: &T) -> Self {
        let value = serde_json::to_vec(message).expect("a message is plain data with string keys");
        Self::new(port).with_key(key).with_value(value)
    }

    pub fn with_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub fn with_value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    pub fn with_header(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header {
            key: key.into(),
            value: Some(value.into()),
        });
        self
    }
}

/// "I cannot treat this as my message": the record becomes a dead letter, and its writes are undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Kebab-case, stable, at most 64 bytes.
    pub code: String,
    /// For people.
    pub reason: String,
}

impl Rejection {
    pub fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            reason: reason.into(),
        }
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for Rejection {}

/// A timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub id: String,
    /// Key of the record whose processing set the timer.
    pub key: Option<Vec<u8>>,
    /// When it was due, milliseconds since the epoch.
    pub at: i64,
    pub payload: Vec<u8>,
}

/// One entry of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// Why a view has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewError {
    NotFound,
    BadParams(String),
}

impl std::fmt::Display for ViewError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::BadParams(why) => write!(f, "bad parameters: {why}"),
        }
    }
}

impl std::error::Error for ViewError {}

/// Of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}
