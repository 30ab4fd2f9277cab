//! What is in quarantine, read from committed state: for people, and for a drain that cannot end.

use crate::worker::overlay::Overlay;
use crate::worker::quarantine::{Parked, Quarantine, namespace};
use bytes::Bytes;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{StateError, StateRead};
use fermata_core::{Shard, StageName};

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

/// Keys with parked records, by stage, shard and key; at most `limit`. `stage`: of it alone.
pub fn keys(
    state: &dyn StateRead,
    manifest: &Manifest,
    stage: Option<&StageName>,
    limit: usize,
) -> Result<Vec<ParkedKey>, StateError> {
    let mut found = Vec::new();
    for (stage, shard) in tasks(manifest, stage) {
        let room = limit - found.len();
        if room == 0 {
            break;
        }
        let namespace = namespace(stage);
        let quarantine = Quarantine {
            namespace: &namespace,
            state,
            shard,
        };
        let nothing_open = Overlay::default();
        for (key, queue) in quarantine.keys(&nothing_open, None, room)? {
            // The two are written together.
            let Some(first) = quarantine.first(&nothing_open, &key)? else {
                continue;
            };
            found.push(ParkedKey {
                stage: stage.clone(),
                shard,
                key,
                records: queue.records,
                first,
            });
        }
    }
    Ok(found)
}

/// The queues of one key at all stages that have one, each with its first `limit` records in order.
pub fn of_key(
    state: &dyn StateRead,
    manifest: &Manifest,
    stage: Option<&StageName>,
    key: &[u8],
    limit: usize,
) -> Result<Vec<(ParkedKey, Vec<Parked>)>, StateError> {
    let mut found = Vec::new();
    for (stage, shard) in tasks(manifest, stage) {
        let namespace = namespace(stage);
        let quarantine = Quarantine {
            namespace: &namespace,
            state,
            shard,
        };
        let nothing_open = Overlay::default();
        let Some(queue) = quarantine.queue(&nothing_open, key)? else {
            continue;
        };
        let records = quarantine.records(&nothing_open, key, limit.max(1))?;
        let Some(first) = records.first().cloned() else {
            continue;
        };
        let summary = ParkedKey {
            stage: stage.clone(),
            shard,
            key: Bytes::copy_from_slice(key),
            records: queue.records,
            first,
        };
        found.push((summary, records));
    }
    Ok(found)
}

fn tasks<'a>(manifest: &'a Manifest, stage: Option<&'a StageName>) -> impl Iterator<Item = (&'a StageName, Shard)> {
    let meant = manifest
        .stages
        .iter()
        .filter(move |s| stage.is_none_or(|only| *only == s.name));
    meant.flat_map(|s| (0..manifest.partitions).map(move |shard| (&s.name, Shard(shard))))
}
