//! What lies where in the database.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `meta` | `commit` | id of the last commit, u64 |
//! | `meta` | `topic/<topic>` | JSON: partitions, generations |
//! | `pos` | `<group> 00 <topic> 00` + partition u32 | next offset, u64 |
//! | `log.<topic>.<generation>` | partition u32 + offset u64 | record (`encoding`) |
//! | `state.<stage>.<store>.<schema>` | shard u32 + key | value |
//!
//! Numbers in keys and values are big-endian, so that keys sort as numbers do. A generation or a schema that is no
//! longer needed is dropped as a whole keyspace.

use fermata_core::{Digest, Offset, Shard, TopicName, ports::Namespace};
use serde::{Deserialize, Serialize};

pub(crate) const META: &str = "meta";
pub(crate) const POSITIONS: &str = "pos";
pub(crate) const COMMIT: &[u8] = b"commit";
pub(crate) const TOPIC_PREFIX: &str = "topic/";

/// What `meta` holds about a topic.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TopicMeta {
    pub partitions: u32,
    /// Oldest first; never empty.
    pub generations: Vec<GenerationMeta>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GenerationMeta {
    pub number: u32,
    /// By partition: the first offset that lies here and not in the generation before.
    pub first: Vec<u64>,
    /// Bytes of records, as far as they were counted: 0 for the one that is appended to.
    pub bytes: u64,
}

pub(crate) fn topic_key(topic: &TopicName) -> String {
    format!("{TOPIC_PREFIX}{topic}")
}

/// Names of keyspaces have at most 255 bytes; a topic's name that does not fit is shortened and gets its hash.
pub(crate) fn log_keyspace(topic: &TopicName, generation: u32) -> String {
    const LONGEST: usize = 200;
    let name = topic.as_str();
    if name.len() <= LONGEST {
        format!("log.{name}.{generation}")
    } else {
        let hash = Digest::of(name.as_bytes()).short();
        format!("log.{}#{hash}.{generation}", &name[..LONGEST])
    }
}

pub(crate) fn state_keyspace(namespace: &Namespace) -> String {
    format!("state.{}.{}.{}", namespace.stage, namespace.store, namespace.schema)
}

/// Parses the name of a state keyspace; `None`: it is another's.
pub(crate) fn namespace_of(keyspace: &str) -> Option<Namespace> {
    let (stage, rest) = keyspace.strip_prefix("state.")?.split_once('.')?;
    let (store, schema) = rest.rsplit_once('.')?;
    let namespace = Namespace {
        stage: fermata_core::StageName::new(stage).ok()?,
        store: store.into(),
        schema: schema.parse().ok()?,
    };
    (state_keyspace(&namespace) == keyspace).then_some(namespace)
}

/// As people read it in errors.
pub(crate) fn shown(namespace: &Namespace) -> String {
    format!("{}/{} (schema {})", namespace.stage, namespace.store, namespace.schema)
}

pub(crate) fn record_key(shard: Shard, offset: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&shard.0.to_be_bytes());
    key[4..].copy_from_slice(&offset.to_be_bytes());
    key
}

pub(crate) fn parse_record_key(key: &[u8]) -> Option<(Shard, u64)> {
    let (shard, offset) = key.split_at_checked(4)?;
    Some((
        Shard(u32::from_be_bytes(shard.try_into().ok()?)),
        u64::from_be_bytes(offset.try_into().ok()?),
    ))
}

pub(crate) fn position_key(group: &str, topic: &TopicName, shard: Shard) -> Vec<u8> {
    let mut key = Vec::with_capacity(group.len() + topic.as_str().len() + 6);
    key.extend_from_slice(group.as_bytes());
    key.push(0);
    key.extend_from_slice(topic.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(&shard.0.to_be_bytes());
    key
}

pub(crate) fn parse_position(key: &[u8], value: &[u8]) -> Option<(String, TopicName, Shard, Offset)> {
    let (names, shard) = key.split_at_checked(key.len().checked_sub(4)?)?;
    let mut parts = std::str::from_utf8(names).ok()?.split('\0');
    let group = parts.next()?.to_string();
    let topic = TopicName::new(parts.next()?).ok()?;
    Some((
        group,
        topic,
        Shard(u32::from_be_bytes(shard.try_into().ok()?)),
        Offset(parse_u64(value)?),
    ))
}

pub(crate) fn parse_u64(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

pub(crate) fn state_key(shard: Shard, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(4 + key.len());
    full.extend_from_slice(&shard.0.to_be_bytes());
    full.extend_from_slice(key);
    full
}

/// The first key behind all that begin with `prefix`; `None` when there is none.
pub(crate) fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back() {
        let topic = TopicName::new("a.b").unwrap();
        let key = position_key("g", &topic, Shard(7));
        assert_eq!(
            parse_position(&key, &9_u64.to_be_bytes()),
            Some(("g".into(), topic, Shard(7), Offset(9)))
        );
        assert_eq!(
            parse_record_key(&record_key(Shard(3), 1 << 40)),
            Some((Shard(3), 1 << 40))
        );
        assert_eq!(parse_record_key(b"short"), None);
    }

    #[test]
    fn behind_a_prefix_is_the_next_that_does_not_begin_with_it() {
        assert_eq!(behind(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(behind(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(behind(&[255, 255]), None);
    }

    #[test]
    fn the_longest_topic_name_still_names_a_keyspace() {
        let one = TopicName::new("x".repeat(249)).unwrap();
        let other = TopicName::new(format!("{}y", "x".repeat(248))).unwrap();
        assert!(log_keyspace(&one, u32::MAX).len() <= 255);
        assert_ne!(log_keyspace(&one, 0), log_keyspace(&other, 0));
    }
}
