//! State changes as records: what a log without state of its own keeps of them, one compacted topic for each pipeline.
//! One, because each partition that a transaction touches is written to, verified and marked for itself.
//!
//! Key: stage, a zero byte, store name, a zero byte, schema version (4 bytes, big-endian), the entry's key. Value: the
//! entry, or none where it was deleted. The partition says which shard. A shard's changes of one commit lie there in
//! their order, and the last of them notes the journal sequence that they make.

use crate::names::{self, stores};
use crate::ports::{Namespace, StateChange};
use crate::record::{NewRecord, Record};
use crate::{PipelineName, Sequence, StageName, Timestamp};
use std::sync::Arc;

/// Namespace of a shard's own notes; no stage of a manifest can be called so long a name with these stores.
pub fn shard_namespace() -> Arc<Namespace> {
    let stage = StageName::new("host").expect("a constant within the alphabet");
    Arc::new(Namespace {
        stage,
        store: stores::SHARD.into(),
        schema: 1,
    })
}
/// Key, in [`shard_namespace`], of the journal sequence as of this state: 8 bytes, big-endian. Every commit that changes
/// the state of a shard carries it, behind the shard's other changes.
pub const SEQUENCE_KEY: &[u8] = b"sequence";

/// The journal sequence that a change notes, if it is that note.
pub fn noted(change: &StateChange) -> Option<Sequence> {
    if change.key != SEQUENCE_KEY || change.namespace.store != stores::SHARD {
        return None;
    }
    sequence(change.value.as_deref()?)
}

/// The journal sequence in the note's value.
pub fn sequence(value: &[u8]) -> Option<Sequence> {
    Some(Sequence(u64::from_be_bytes(value.try_into().ok()?)))
}

/// Why a record of a changelog is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a changelog record has a key that fermata did not write: {found}")]
pub struct NotAChange {
    pub found: String,
}

/// The record of `change`.
pub fn record(pipeline: &PipelineName, change: &StateChange, at: Timestamp) -> NewRecord {
    let Namespace { stage, store, schema } = &*change.namespace;
    let mut key = Vec::with_capacity(stage.as_str().len() + store.len() + 6 + change.key.len());
    for name in [stage.as_str(), store] {
        key.extend_from_slice(name.as_bytes());
        key.push(0);
    }
    key.extend_from_slice(&schema.to_be_bytes());
    key.extend_from_slice(&change.key);
    NewRecord {
        topic: names::changelog(pipeline),
        shard: change.shard,
        key: Some(key.into()),
        value: change.value.clone(),
        headers: Vec::new(),
        timestamp: at,
    }
}

/// The change that a record of the changelog stands for.
pub fn change(record: &Record) -> Result<StateChange, NotAChange> {
    let strange = || NotAChange {
        found: format!("{}/{}/{}", record.topic, record.shard, record.offset),
    };
    let key = record.key.as_ref().ok_or_else(strange)?;
    let (namespace, entry) = split(key).ok_or_else(strange)?;
    Ok(StateChange {
        namespace: Arc::new(namespace),
        shard: record.shard,
        key: key.slice_ref(entry),
        value: record.value.clone(),
    })
}

/// Whose entry the key of a record is of, and the entry's key.
fn split(key: &[u8]) -> Option<(Namespace, &[u8])> {
    let (stage, rest) = name(key)?;
    let (store, rest) = name(rest)?;
    let (schema, entry) = rest.split_first_chunk()?;
    let namespace = Namespace {
        stage: StageName::new(stage).ok()?,
        store: store.to_owned(),
        schema: u32::from_be_bytes(*schema),
    };
    Some((namespace, entry))
}

/// What stands before the next zero byte, and behind it.
fn name(key: &[u8]) -> Option<(&str, &[u8])> {
    let end = key.iter().position(|b| *b == 0)?;
    let name = std::str::from_utf8(&key[..end]).ok()?;
    Some((name, &key[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Offset, Shard};
    use bytes::Bytes;

    fn of(key: &'static [u8], value: Option<&'static [u8]>) -> StateChange {
        StateChange {
            namespace: Arc::new(Namespace {
                stage: StageName::new("account").expect("valid"),
                store: "balances".into(),
                schema: 258,
            }),
            shard: Shard(3),
            key: Bytes::from_static(key),
            value: value.map(Bytes::from_static),
        }
    }

    fn read(written: NewRecord) -> Record {
        Record {
            topic: written.topic,
            shard: written.shard,
            offset: Offset(7),
            key: written.key,
            value: written.value,
            headers: written.headers,
            timestamp: written.timestamp,
        }
    }

    #[test]
    fn a_change_comes_back_as_it_went() {
        let pipeline = PipelineName::new("payments").expect("valid");
        for asked in [of(b"acct-7", Some(b"{}")), of(b"", Some(b"")), of(b"\0\0\xff", None)] {
            let written = record(&pipeline, &asked, Timestamp(5));
            assert_eq!(written.topic.as_str(), "payments.changelog");
            assert_eq!(change(&read(written)), Ok(asked));
        }
    }

    #[test]
    fn entries_of_two_stages_have_two_keys() {
        let pipeline = PipelineName::new("payments").expect("valid");
        let one = of(b"k", None);
        let mut other = one.clone();
        other.namespace = Arc::new(Namespace {
            stage: StageName::new("ledger").expect("valid"),
            ..(*one.namespace).clone()
        });
        let key = |change| record(&pipeline, &change, Timestamp(5)).key;
        assert_ne!(key(one), key(other));
    }

    #[test]
    fn only_the_shards_own_note_says_the_sequence() {
        let note = StateChange {
            namespace: shard_namespace(),
            key: Bytes::from_static(SEQUENCE_KEY),
            value: Some(Bytes::copy_from_slice(&7_u64.to_be_bytes())),
            ..of(b"", None)
        };
        assert_eq!(noted(&note), Some(Sequence(7)));
        assert_eq!(noted(&of(SEQUENCE_KEY, Some(b"\0\0\0\0\0\0\0\x07"))), None);
        let deleted = StateChange { value: None, ..note };
        assert_eq!(noted(&deleted), None);
    }

    #[test]
    fn a_strange_key_is_named_and_never_applied() {
        let pipeline = PipelineName::new("payments").expect("valid");
        let keys = [
            b"".as_slice(),
            b"account",
            b"account\0balances",
            b"account\0balances\0\0\0",
            b"No Stage\0balances\0\0\0\0\x01",
            b"account\0\xff\0\0\0\0\x01",
        ];
        for key in keys.into_iter().map(Some).chain([None]) {
            let mut written = read(record(&pipeline, &of(b"k", None), Timestamp(5)));
            written.key = key.map(Bytes::from_static);
            let said = change(&written).expect_err("not a change");
            assert_eq!(said.found, "payments.changelog/3/7");
        }
    }
}
