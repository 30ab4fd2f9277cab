//! What is in quarantine, read from committed state: for people, and for a drain that cannot end.

use crate::worker::overlay::Overlay;
use crate::worker::quarantine::{Parked, Quarantine, namespace};
use bytes::Bytes;
use fermata_core::control::RecordKey;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{StateError, StateRead};
use fermata_core::{Shard, StageName};
use serde::{Deserialize, Serialize};

/// The queue of one key at one stage.
#[derive(Clone, Debug)]
pub struct ParkedKey {
    pub stage: StageName,
    pub shard: Shard,
    pub key: Bytes,
    /// Records in the queue, the first included.
    pub records: u64,
    pub first: Parked,
}

/// What somebody wants to know of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Of it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageName>,
    /// Its queues alone, with their first `limit` records; without one, the first of each of `limit` queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RecordKey>,
    pub limit: usize,
}

/// Queues of one shard, by stage and key, each with its first records.
pub fn queues(
    state: &dyn StateRead,
    manifest: &Manifest,
    shard: Shard,
    wanted: &Wanted,
) -> Result<Vec<(ParkedKey, Vec<Parked>)>, StateError> {
    let mut found = Vec::new();
    let only = wanted.stage.as_ref();
    for stage in manifest
        .stages
        .iter()
        .filter(|s| only.is_none_or(|only| *only == s.name))
    {
        let namespace = namespace(&stage.name);
        let quarantine = Quarantine {
            namespace: &namespace,
            state,
            shard,
        };
        let nothing_open = Overlay::default();
        let (keys, each) = match &wanted.key {
            Some(key) => {
                let queue = quarantine.queue(&nothing_open, &key.0)?;
                (
                    queue.map(|queue| (key.0.clone(), queue)).into_iter().collect(),
                    wanted.limit.max(1),
                )
            }
            None => (quarantine.keys(&nothing_open, None, wanted.limit - found.len())?, 1),
        };
        for (key, queue) in keys {
            // They are written together.
            let records = quarantine.records(&nothing_open, &key, each)?;
            let Some(first) = records.first().cloned() else {
                continue;
            };
            let summary = ParkedKey {
                stage: stage.name.clone(),
                shard,
                key,
                records: queue.records,
                first,
            };
            found.push((summary, records));
        }
        if wanted.key.is_none() && found.len() >= wanted.limit {
            break;
        }
    }
    Ok(found)
}
