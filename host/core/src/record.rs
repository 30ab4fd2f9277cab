//! Records as they lie on a log.

use crate::{Offset, Shard, Timestamp, TopicName};
use bytes::Bytes;
use std::borrow::Cow;

/// One header. Names are UTF-8, values any bytes; a value may be absent, as on Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Most are the host's own and borrowed: every record has several, and records are copied often.
    pub key: Cow<'static, str>,
    pub value: Option<Bytes>,
}

impl Header {
    pub fn new(key: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) -> Self {
        Self {
            key: key.into(),
            value: Some(value.into()),
        }
    }
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub topic: TopicName,
    pub shard: Shard,
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

/// A record to be appended. The partition is explicit: the host, never the client library, partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    pub topic: TopicName,
    pub shard: Shard,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

/// The first header of that name that has a value, as text; `None` when absent or not UTF-8.
pub fn header<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    let value = headers.iter().find(|h| h.key == name)?.value.as_ref()?;
    std::str::from_utf8(value).ok()
}

impl Record {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
    /// `topic/partition/offset`.
    pub fn coordinates(&self) -> String {
        format!("{}/{}/{}", self.topic, self.shard, self.offset)
    }
    /// Bytes of key, value and headers: what limits are compared with.
    pub fn size(&self) -> usize {
        size(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }
}

impl NewRecord {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
    pub fn size(&self) -> usize {
        size(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }
    pub fn at(self, offset: Offset) -> Record {
        Record {
            topic: self.topic,
            shard: self.shard,
            offset,
            timestamp: self.timestamp,
            key: self.key,
            value: self.value,
            headers: self.headers,
        }
    }
}

fn size(key: Option<&Bytes>, value: Option<&Bytes>, headers: &[Header]) -> usize {
    key.map_or(0, Bytes::len)
        + value.map_or(0, Bytes::len)
        + headers
            .iter()
            .map(|h| h.key.len() + h.value.as_ref().map_or(0, Bytes::len))
            .sum::<usize>()
}
