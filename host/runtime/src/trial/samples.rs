//! The records that a stage processed last, on all shards.

use crate::worker::lineage::Work;
use crate::worker::wiring::Wiring;
use fermata_core::journal::JournalRecord;
use fermata_core::manifest::{Manifest, Stage};
use fermata_core::names::Purpose;
use fermata_core::ports::{Log, LogError};
use fermata_core::{Offset, Record, Shard, Timestamp, TopicName};

/// Of one stage together, but at least one of each topic and shard.
const SAMPLES: usize = 32;
/// Offsets looked through for each sample: a log may spend some of them on its transactions.
const OFFSETS: u64 = 4;

#[derive(Default)]
pub struct Samples {
    /// In the order of their times.
    records: Vec<Record>,
    /// The newest time that a task of the stage knew.
    pub now: Timestamp,
}

impl Samples {
    pub fn works(&self, wiring: &Wiring) -> Vec<(Shard, Work)> {
        let inlets = self
            .records
            .iter()
            .filter_map(|r| Some((r, wiring.inputs.get(&r.topic)?)));
        inlets
            .map(|(record, inlet)| (record.shard, Work::of_record(record, inlet, wiring.partitions)))
            .collect()
    }
}

/// Those that lie just before the positions of the newest journal records.
pub fn gather(log: &dyn Log, manifest: &Manifest, stage: &Stage) -> Result<Samples, LogError> {
    let journal = Purpose::Journal.topic(&manifest.name);
    let places = (stage.inputs.len() * manifest.partitions as usize).max(1);
    let each = (SAMPLES / places).max(1);
    let mut samples = Samples::default();
    for shard in (0..manifest.partitions).map(Shard) {
        let last = log.last(&journal, shard)?;
        // A record that cannot be read is for its worker to complain of.
        let last = last.and_then(|r| JournalRecord::decode_bytes(r.value.as_deref().unwrap_or_default()).ok());
        let Some(task) = last.as_ref().and_then(|record| record.task(&stage.name)) else {
            continue;
        };
        samples.now = samples.now.max(Timestamp(task.now));
        for (_, topic) in &stage.inputs {
            if let Some(next) = task.position(topic) {
                samples.records.extend(before(log, topic, shard, next, each)?);
            }
        }
    }
    samples.records.sort_by_key(|record| record.timestamp);
    Ok(samples)
}

/// The last records of a partition below `next`, `most` of them.
fn before(log: &dyn Log, topic: &TopicName, shard: Shard, next: Offset, most: usize) -> Result<Vec<Record>, LogError> {
    let start = log.bounds(topic, shard)?.start;
    let mut from = start.max(Offset(next.0.saturating_sub(most as u64 * OFFSETS)));
    let mut found = Vec::new();
    while from < next {
        let page = match log.read(topic, shard, from, most) {
            // Retention was quicker.
            Err(LogError::Trimmed { .. }) => break,
            page => page?,
        };
        let Some(last) = page.last() else { break };
        from = last.offset.next();
        found.extend(page.into_iter().filter(|record| record.offset < next));
    }
    Ok(found.split_off(found.len().saturating_sub(most)))
}
