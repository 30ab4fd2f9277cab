//! The fused inputs of one shard: what the journal lists must be what the records' done marks say, and no more.

use std::collections::{BTreeMap, HashMap};

use fermata_core::journal::{JournalRecord, What};
use fermata_core::names::Purpose;
use fermata_core::ports::LogError;

use super::journal::ShardLedger;
use super::lineage::root;
use super::report::{Check, Findings};
use super::{VerifySpec, scan};

/// Fused inputs by topic, stage and identity.
pub struct Fused {
    shard: String,
    ticks: String,
    inputs: BTreeMap<String, BTreeMap<String, HashMap<Box<str>, Entry>>>,
}

struct Entry {
    /// Journal sequence.
    sequence: u64,
    /// Its record was met, with the done mark.
    met: bool,
}

impl Fused {
    /// From the journal of one shard, as far as the cut reaches.
    pub fn read(spec: &VerifySpec<'_>, ledger: &ShardLedger, findings: &mut Findings) -> Result<Self, LogError> {
        let ticks = Purpose::Ticks.topic(&spec.manifest.name).to_string();
        let mut fused = Self {
            shard: ledger.shard.to_string(),
            ticks,
            inputs: BTreeMap::new(),
        };
        let topic = Purpose::Journal.topic(&spec.manifest.name);
        scan::partition(spec.log, &topic, ledger.shard, ledger.from, ledger.end, |record| {
            // What cannot be decoded was named when the chain was read.
            if let Ok(entry) = JournalRecord::decode_bytes(record.value.as_deref().unwrap_or_default()) {
                fused.take(&entry, findings);
            }
        })?;
        Ok(fused)
    }

    fn take(&mut self, record: &JournalRecord, findings: &mut Findings) {
        for task in &record.tasks {
            for event in &task.events {
                let Some(What::Fused(input)) = &event.what else {
                    continue;
                };
                // A single timer of a tick, named because another version concluded it: it has no record of its own.
                if input.topic == self.ticks && root(&input.identity) != input.identity {
                    continue;
                }
                let stages = self.inputs.entry(input.topic.clone()).or_default();
                let entries = stages.entry(task.stage.clone()).or_default();
                let entry = Entry {
                    sequence: record.sequence,
                    met: false,
                };
                if let Some(earlier) = entries.insert(input.identity.as_str().into(), entry) {
                    findings.problem(
                        Check::Fusion,
                        format!(
                            "journal of shard {}: stage {} processed {} of {} twice, at sequences {} and {}",
                            self.shard, task.stage, input.identity, input.topic, earlier.sequence, record.sequence
                        ),
                    );
                }
            }
        }
    }

    /// How many fused inputs the journal lists for a stage, ticks apart.
    pub fn of_stage(&self, stage: &str) -> u64 {
        let topics = self.inputs.iter().filter(|(topic, _)| **topic != self.ticks);
        topics
            .filter_map(|(_, stages)| stages.get(stage))
            .map(|entries| entries.len() as u64)
            .sum()
    }

    /// A record with a done mark was met. False: the journal lists no such input, or it was met before.
    pub fn met(&mut self, topic: &str, stage: &str, identity: &str) -> bool {
        let entry = self
            .inputs
            .get_mut(topic)
            .and_then(|s| s.get_mut(stage))
            .and_then(|e| e.get_mut(identity));
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.met, true))
    }

    /// The topic is read: what of it was not met is missing. Answers how many were met.
    pub fn close(&mut self, topic: &str, whole: bool, findings: &mut Findings) -> u64 {
        let mut met = 0;
        for (stage, entries) in self.inputs.remove(topic).unwrap_or_default() {
            let mut missing: Vec<_> = entries.iter().filter(|(_, entry)| !entry.met).collect();
            met += (entries.len() - missing.len()) as u64;
            missing.sort_by_key(|(identity, entry)| (entry.sequence, *identity));
            for (identity, entry) in missing.into_iter().filter(|_| whole) {
                findings.problem(
                    Check::Fusion,
                    format!(
                        "{topic}/{}: no record {identity} with a done mark of {stage}, which journal sequence {} says it processed",
                        self.shard, entry.sequence
                    ),
                );
            }
        }
        met
    }
}
