//! Records as librdkafka has them.

use bytes::Bytes;
use fermata_core::{Header, NewRecord, Offset, Record, Shard, Timestamp, TopicName, names};
use rdkafka::message::{BorrowedMessage, Header as KafkaHeader, Headers, Message, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::{Timestamp as KafkaTimestamp, TopicPartitionList};
use std::borrow::Cow;

/// Kafka counts partitions in an i32.
pub(crate) fn partition(shard: Shard) -> i32 {
    i32::try_from(shard.0).unwrap_or(i32::MAX)
}
pub(crate) fn shard(partition: i32) -> Shard {
    Shard(u32::try_from(partition).unwrap_or_default())
}
pub(crate) fn offset(raw: i64) -> Offset {
    Offset(u64::try_from(raw).unwrap_or_default())
}
pub(crate) fn raw(offset: Offset) -> i64 {
    i64::try_from(offset.0).unwrap_or(i64::MAX)
}

pub(crate) fn record(topic: &TopicName, message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let own = |header: KafkaHeader<'_, &[u8]>| Header {
            key: names::headers::known(header.key).map_or_else(|| Cow::Owned(header.key.to_owned()), Cow::Borrowed),
            value: header.value.map(Bytes::copy_from_slice),
        };
        headers.iter().map(own).collect()
    });
    let at = match message.timestamp() {
        KafkaTimestamp::CreateTime(at) | KafkaTimestamp::LogAppendTime(at) => at,
        KafkaTimestamp::NotAvailable => -1,
    };
    Record {
        topic: topic.clone(),
        shard: shard(message.partition()),
        offset: offset(message.offset()),
        timestamp: Timestamp(at),
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
    }
}

/// `number` comes back with the delivery report.
pub(crate) fn outgoing(record: &NewRecord, number: usize) -> BaseRecord<'_, [u8], [u8], usize> {
    let mut out = BaseRecord::with_opaque_to(record.topic.as_str(), number)
        .partition(partition(record.shard))
        // librdkafka takes 0 for "now".
        .timestamp(if record.timestamp.0 == 0 { 1 } else { record.timestamp.0 });
    if let Some(key) = &record.key {
        out = out.key(&key[..]);
    }
    if let Some(value) = &record.value {
        out = out.payload(&value[..]);
    }
    if !record.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for header in &record.headers {
            headers = headers.insert(KafkaHeader {
                key: &header.key,
                value: header.value.as_deref(),
            });
        }
        out = out.headers(headers);
    }
    out
}

/// A list of one partition, to be asked about or read.
pub(crate) fn places<'a>(
    places: impl IntoIterator<Item = (&'a TopicName, Shard, Option<Offset>)>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, shard, at) in places {
        let mut element = list.add_partition(topic.as_str(), partition(shard));
        if let Some(at) = at {
            element
                .set_offset(rdkafka::Offset::Offset(raw(at)))
                .expect("an offset that is not negative can be set");
        }
    }
    list
}
