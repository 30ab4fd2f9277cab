//! Newtypes for everything that is counted, named or hashed, so that an offset is never taken for a shard.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr, sync::Arc};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> { text.parse().map(Self) }
        }
    };
}

number!(
    /// Partition *p* of every keyed topic of a pipeline.
    Shard(u32)
);
number!(
    /// Place of a record in one partition of one topic. Offsets may have gaps (transaction markers).
    Offset(u64)
);
number!(
    /// Number of a shard's journal record, from 1 without gaps; 0 before the first.
    Sequence(u64)
);
number!(
    /// Number of a commit on this log, growing; compared only with [`crate::ports::Log::durable`].
    CommitId(u64)
);
number!(
    /// Milliseconds since the Unix epoch.
    Timestamp(i64)
);

impl Offset {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
impl Sequence {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);
        impl $name {
            pub fn new(text: impl AsRef<str>) -> Result<Self, BadName> {
                let text = text.as_ref();
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(BadName { what: $what, found: text.into() }) }
            }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
        impl std::borrow::Borrow<str> for $name { fn borrow(&self) -> &str { &self.0 } }
        impl FromStr for $name { type Err = BadName; fn from_str(t: &str) -> Result<Self, BadName> { Self::new(t) } }
        impl TryFrom<String> for $name { type Error = BadName; fn try_from(t: String) -> Result<Self, BadName> { Self::new(t) } }
        impl From<$name> for String { fn from(n: $name) -> String { n.0.as_ref().into() } }
    };
}

/// A name outside its alphabet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a {what}")]
pub struct BadName {
    pub what: &'static str,
    pub found: String,
}

fn word(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 64
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
fn topic(text: &str) -> bool {
    // Kafka's own rule for topic names.
    !text.is_empty()
        && text.len() <= 249
        && text != "."
        && text != ".."
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

name!(
    /// Name of a pipeline: `[a-z][a-z0-9-]*`, at most 64 bytes.
    PipelineName, "pipeline name ([a-z][a-z0-9-]*, at most 64 bytes)", word
);
name!(
    /// Name of a validator in front of a stage: `[a-z][a-z0-9-]*`, at most 32 bytes, so that its codes hold it.
    ValidatorName, "validator name ([a-z][a-z0-9-]*, at most 32 bytes)", |text| word(text) && text.len() <= 32
);
name!(
    /// Name of a stage: `[a-z][a-z0-9-]*`, at most 64 bytes.
    StageName, "stage name ([a-z][a-z0-9-]*, at most 64 bytes)", word
);
name!(
    /// Name of a topic, by Kafka's rule: `[A-Za-z0-9._-]{1,249}`.
    TopicName, "topic name ([A-Za-z0-9._-], at most 249 bytes)", topic
);

/// SHA-256 of a component, a configuration or a journal record. Shown by its first 12 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
    /// First 12 hex digits: what people read and what the header `fermata-digest` carries.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
    /// All 64 hex digits.
    pub fn full(&self) -> String {
        hex::encode(self.0)
    }
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}
impl From<Digest> for String {
    fn from(d: Digest) -> String {
        d.full()
    }
}
impl TryFrom<String> for Digest {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        let bad = || BadName {
            what: "sha256 digest (64 hex digits)",
            found: text.clone(),
        };
        let bytes = hex::decode(&text).map_err(|_| bad())?;
        Self::from_slice(&bytes).ok_or_else(bad)
    }
}

/// What runs in a stage: the component and the configuration it was initialised with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VersionId {
    pub component: Digest,
    pub config: Digest,
}
impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.component.fmt(f)
    }
}
