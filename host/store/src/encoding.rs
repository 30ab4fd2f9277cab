//! Records as bytes. Topic, partition and offset are in the key.
//!
//! `timestamp i64 | key | value | count of headers | (length of name, name, value)*`. Lengths and counts are LEB128;
//! key and values begin with their length + 1, or 0 when absent.

use bytes::Bytes;
use fermata_core::names::headers::known;
use fermata_core::{Header, Offset, Record, Shard, Timestamp, TopicName};
use std::borrow::Cow;

pub(crate) fn encode(timestamp: Timestamp, key: Option<&Bytes>, value: Option<&Bytes>, headers: &[Header]) -> Vec<u8> {
    let optional = |bytes: Option<&Bytes>| bytes.map_or(1, |b| b.len() + 3);
    let size = 8
        + optional(key)
        + optional(value)
        + 2
        + headers
            .iter()
            .map(|h| h.key.len() + 2 + optional(h.value.as_ref()))
            .sum::<usize>();
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&timestamp.0.to_be_bytes());
    put_optional(&mut out, key);
    put_optional(&mut out, value);
    put_number(&mut out, headers.len());
    for header in headers {
        put_number(&mut out, header.key.len());
        out.extend_from_slice(header.key.as_bytes());
        put_optional(&mut out, header.value.as_ref());
    }
    out
}

/// `None`: not what [`encode`] makes. Key and values share the memory of `bytes`.
pub(crate) fn decode(topic: &TopicName, shard: Shard, offset: Offset, bytes: Bytes) -> Option<Record> {
    let mut from = Reader { bytes, at: 0 };
    let timestamp = Timestamp(i64::from_be_bytes(from.take(8)?.as_ref().try_into().ok()?));
    let key = from.optional()?;
    let value = from.optional()?;
    let count = from.number()?;
    let mut headers = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let length = from.number()?;
        let name = from.take(length)?;
        let name = std::str::from_utf8(&name).ok()?;
        headers.push(Header {
            key: known(name).map_or_else(|| name.to_owned().into(), Cow::Borrowed),
            value: from.optional()?,
        });
    }
    (from.at == from.bytes.len()).then_some(Record {
        topic: topic.clone(),
        shard,
        offset,
        timestamp,
        key,
        value,
        headers,
    })
}

fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_optional(out: &mut Vec<u8>, bytes: Option<&Bytes>) {
    match bytes {
        None => out.push(0),
        Some(bytes) => {
            put_number(out, bytes.len() + 1);
            out.extend_from_slice(bytes);
        }
    }
}

struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        let end = self.at.checked_add(length)?;
        (end <= self.bytes.len()).then(|| {
            let taken = self.bytes.slice(self.at..end);
            self.at = end;
            taken
        })
    }
    fn number(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        for shift in (0..63).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
    fn optional(&mut self) -> Option<Option<Bytes>> {
        match self.number()? {
            0 => Some(None),
            length => Some(Some(self.take(length - 1)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(key: Option<&'static [u8]>, value: Option<Vec<u8>>, headers: Vec<Header>) {
        let key = key.map(Bytes::from_static);
        let value = value.map(Bytes::from);
        let bytes = encode(Timestamp(-5), key.as_ref(), value.as_ref(), &headers);
        let topic = TopicName::new("t").unwrap();
        let record = decode(&topic, Shard(1), Offset(2), bytes.clone().into()).unwrap();
        assert_eq!(
            (record.timestamp, &record.key, &record.value, &record.headers),
            (Timestamp(-5), &key, &value, &headers)
        );
        for cut in 0..bytes.len() {
            let part = Bytes::copy_from_slice(&bytes[..cut]);
            assert_eq!(decode(&topic, Shard(1), Offset(2), part), None, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        round_trip(None, None, vec![]);
        round_trip(Some(b""), Some(vec![]), vec![]);
        round_trip(
            Some(b"key"),
            Some(vec![7; 70_000]),
            vec![
                Header::new("a", "b"),
                Header {
                    key: "".into(),
                    value: None,
                },
                Header::new("fermata-id", vec![1_u8; 300]),
            ],
        );
    }
}
