//! The host's headers on a record that a stage wrote.

use fermata_core::names::headers;
use fermata_core::{Header, Offset, Shard, record::header};

/// Where a record came from, as its headers say.
#[derive(Clone, Copy, Debug)]
pub struct Lineage<'a> {
    pub id: &'a str,
    pub cause: Cause<'a>,
    pub stage: &'a str,
    pub digest: &'a str,
}

/// The input that led to a record. Its partition is the shard of the task that wrote the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// `topic/partition/offset`.
    Read { topic: &'a str, shard: Shard, offset: Offset },
    /// `topic/partition/#id`: processed before it had an offset.
    Fused { topic: &'a str, shard: Shard, identity: &'a str },
}

impl<'a> Cause<'a> {
    /// Topic names hold no slash, identities do.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (topic, rest) = text.split_once('/')?;
        let (shard, place) = rest.split_once('/')?;
        let shard = shard.parse().ok()?;
        match place.strip_prefix('#') {
            Some(identity) => Some(Self::Fused { topic, shard, identity }),
            None => Some(Self::Read { topic, shard, offset: place.parse().ok()? }),
        }
    }

    pub fn shard(&self) -> Shard {
        match *self {
            Self::Read { shard, .. } | Self::Fused { shard, .. } => shard,
        }
    }
}

impl<'a> Lineage<'a> {
    /// The error names the header that is missing or malformed.
    pub fn of(all: &'a [Header]) -> Result<Self, String> {
        let text = |name: &str| header(all, name).ok_or_else(|| format!("header {name} is missing"));
        let cause = text(headers::CAUSE)?;
        let root_time = text(headers::ROOT_TIME)?;
        if root_time.parse::<i64>().is_err() {
            return Err(format!("header {} is {root_time:?}, not a time in microseconds", headers::ROOT_TIME));
        }
        Ok(Self {
            id: text(headers::ID)?,
            cause: Cause::parse(cause)
                .ok_or_else(|| format!("header {} is {cause:?}, not topic/partition/place", headers::CAUSE))?,
            stage: text(headers::STAGE)?,
            digest: text(headers::DIGEST)?,
        })
    }
}

/// Stages that concluded a record in the transaction that appended it (`stage@generation,...`).
pub fn done(all: &[Header]) -> impl Iterator<Item = &str> {
    header(all, headers::DONE)
        .unwrap_or_default()
        .split(',')
        .filter(|mark| !mark.is_empty())
        .map(|mark| mark.split_once('@').map_or(mark, |(stage, _generation)| stage))
}
