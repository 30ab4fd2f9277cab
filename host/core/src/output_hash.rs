//! What a task has put out, as one number that a reader of the topics can compute again.

use crate::record::{Header, header};
use crate::{NewRecord, TopicName, names::headers};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// Sum, modulo 2^256, of the SHA-256 of each record that a task appended (emissions and dead letters).
///
/// A sum does not depend on the order in which partitions are read back, yet a record lost, doubled or changed
/// changes it; order is guarded by identities, which are part of what is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputHash(pub [u8; 32]);

impl OutputHash {
    pub fn add(&mut self, record: &NewRecord) {
        self.add_parts(
            &record.topic,
            record.key.as_ref(),
            record.value.as_ref(),
            &record.headers,
        );
    }

    /// The same from a record's parts, as a reader finds them.
    pub fn add_parts(&mut self, topic: &TopicName, key: Option<&Bytes>, value: Option<&Bytes>, all: &[Header]) {
        let mut hash = Sha256::new();
        let mut part = |bytes: Option<&[u8]>| {
            // Length first, absence apart from emptiness: no two records share an encoding.
            hash.update(bytes.map_or(u64::MAX, |b| b.len() as u64).to_be_bytes());
            hash.update(bytes.unwrap_or_default());
        };
        part(Some(topic.as_str().as_bytes()));
        part(header(all, headers::ID).map(str::as_bytes));
        part(header(all, headers::CODE).map(str::as_bytes));
        part(key.map(AsRef::as_ref));
        part(value.map(AsRef::as_ref));
        for h in all.iter().filter(|h| !headers::reserved(&h.key)) {
            part(Some(h.key.as_bytes()));
            part(h.value.as_ref().map(AsRef::as_ref));
        }
        self.sum(hash.finalize().into());
    }

    /// Adds what other records of the same task gave.
    pub fn combine(&mut self, other: Self) {
        self.sum(other.0);
    }

    fn sum(&mut self, other: [u8; 32]) {
        let mut carry = 0u16;
        for (a, b) in self.0.iter_mut().zip(other) {
            let s = u16::from(*a) + u16::from(b) + carry;
            *a = (s & 0xff) as u8;
            carry = s >> 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shard, Timestamp};

    fn record(value: &str) -> NewRecord {
        NewRecord {
            topic: TopicName::new("t").unwrap(),
            shard: Shard(0),
            timestamp: Timestamp(1),
            key: None,
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: vec![Header::new(headers::ID, "t/0/1#s.0")],
        }
    }

    #[test]
    fn order_does_not_matter_but_content_and_count_do() {
        let sum = |values: &[&str]| {
            let mut h = OutputHash::default();
            values.iter().for_each(|v| h.add(&record(v)));
            h
        };
        assert_eq!(sum(&["a", "b"]), sum(&["b", "a"]));
        assert_ne!(sum(&["a", "b"]), sum(&["a", "b", "b"]));
        assert_ne!(sum(&["a", "b"]), sum(&["a", "c"]));
        assert_ne!(sum(&["a"]), sum(&[]));
    }
}
