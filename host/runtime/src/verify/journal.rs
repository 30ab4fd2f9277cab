//! Reads the journals: the chain of records, and each task's way along it.

use std::collections::BTreeMap;

use fermata_core::journal::JournalRecord;
use fermata_core::names::Purpose;
use fermata_core::ports::LogError;
use fermata_core::{Offset, Record, Shard, Timestamp};

use super::cut::{self, Bounds};
use super::report::{Check, Findings};
use super::task::{Step, TaskLedger};
use super::{VerifySpec, scan};

/// What one shard's journal says, as of the cut.
pub struct ShardLedger {
    pub shard: Shard,
    /// Offsets of the journal partition that were read.
    pub from: Offset,
    pub end: Offset,
    /// Sequence of the last record; 0: none.
    pub sequence: u64,
    pub last_tick: Timestamp,
    /// Every record from the first is there: sets built from it have no holes.
    pub complete: bool,
    /// By stage.
    pub tasks: BTreeMap<String, TaskLedger>,
}

/// Checks every journal and answers what they say, one ledger for each shard.
pub fn audit(spec: &VerifySpec<'_>, settled: &Bounds, findings: &mut Findings) -> Result<Vec<ShardLedger>, LogError> {
    let topic = Purpose::Journal.topic(&spec.manifest.name);
    findings.figures.shards = spec.manifest.partitions;
    (0..spec.manifest.partitions)
        .map(Shard)
        .map(|shard| {
            let bounds = cut::decided(spec.log, &topic, shard)?;
            let mut chain = Chain::new(spec, shard, settled.of(&topic, shard).end);
            let from = scan::partition(spec.log, &topic, shard, bounds.start, bounds.end, |record| {
                chain.record(record, findings);
            })?;
            Ok(chain.end(from, bounds.end, findings))
        })
        .collect()
}

/// Follows one journal.
struct Chain<'a> {
    spec: &'a VerifySpec<'a>,
    shard: Shard,
    /// Journal records from here on may belong to records beyond the settled bounds.
    lately: Offset,
    /// Hash of the last record's bytes, and its sequence.
    last: Option<(Vec<u8>, u64)>,
    first: Option<u64>,
    gap: bool,
    last_tick: i64,
    tasks: BTreeMap<String, TaskLedger>,
}

impl<'a> Chain<'a> {
    fn new(spec: &'a VerifySpec<'a>, shard: Shard, lately: Offset) -> Self {
        Self {
            spec,
            shard,
            lately,
            last: None,
            first: None,
            gap: false,
            last_tick: 0,
            tasks: BTreeMap::new(),
        }
    }

    fn record(&mut self, record: &Record, findings: &mut Findings) {
        findings.figures.journal_records += 1;
        let bytes = record.value.as_deref().unwrap_or_default();
        let hash = JournalRecord::hash(bytes).0.to_vec();
        match JournalRecord::decode_bytes(bytes) {
            Ok(entry) => {
                let joined = self.join(record, &entry, findings);
                self.tasks(record, &entry, joined, findings);
                self.last = Some((hash, entry.sequence));
            }
            Err(error) => {
                findings.problem(Check::JournalChain, format!("{}: {error}", record.coordinates()));
                self.gap = true;
                self.last = self.last.take().map(|(_, sequence)| (hash, sequence + 1));
            }
        }
    }

    /// Does the record follow the one before? Where one is missing, tasks cannot be compared across the hole.
    fn join(&mut self, record: &Record, entry: &JournalRecord, findings: &mut Findings) -> bool {
        let place = record.coordinates();
        let Some((hash, sequence)) = &self.last else {
            self.first = Some(entry.sequence);
            if entry.sequence == 1 && !entry.previous.is_empty() {
                findings.problem(
                    Check::JournalChain,
                    format!("{place}: sequence 1 names a record before it, expected none"),
                );
            }
            return true;
        };
        if entry.sequence != sequence + 1 {
            findings.problem(
                Check::JournalChain,
                format!(
                    "{place}: sequence {} follows {sequence}, expected {}",
                    entry.sequence,
                    sequence + 1
                ),
            );
            self.gap = true;
            return false;
        }
        if &entry.previous != hash {
            findings.problem(
                Check::JournalChain,
                format!(
                    "{place}: sequence {} names the hash {} of the record before it, found {}",
                    entry.sequence,
                    hex(&entry.previous),
                    hex(hash)
                ),
            );
        }
        true
    }

    fn tasks(&mut self, record: &Record, entry: &JournalRecord, joined: bool, findings: &mut Findings) {
        let step = Step {
            spec: self.spec,
            shard: self.shard,
            record: entry,
            lately: record.offset >= self.lately,
        };
        findings.figures.receipts += entry.receipts.len() as u64;
        if entry.last_tick < self.last_tick {
            let what = format!(
                "{}: last tick {} after {}",
                step.place(),
                entry.last_tick,
                self.last_tick
            );
            findings.problem(Check::JournalChain, what);
        }
        self.last_tick = entry.last_tick;
        for stage in &self.spec.manifest.stages {
            if !entry.tasks.iter().any(|t| t.stage == stage.name.as_str()) {
                findings.problem(
                    Check::JournalChain,
                    format!("{}: no entry for stage {}", step.place(), stage.name),
                );
            }
        }
        for receipt in entry
            .receipts
            .iter()
            .filter(|r| !entry.tasks.iter().any(|t| t.stage == r.stage))
        {
            findings.problem(
                Check::Receipts,
                format!(
                    "{}: receipt of stage {}, which has no entry in the record",
                    step.place(),
                    receipt.stage
                ),
            );
        }
        for task in &entry.tasks {
            let ledger = self.tasks.entry(task.stage.clone()).or_default();
            if !joined {
                ledger.forget();
            }
            ledger.step(&step, task, findings);
        }
    }

    fn end(self, from: Offset, end: Offset, findings: &mut Findings) -> ShardLedger {
        let shard = self.shard;
        let complete = !self.gap && self.first.is_none_or(|first| first == 1);
        match self.first {
            Some(first) if first != 1 && from.0 == 0 => findings.problem(
                Check::JournalChain,
                format!("journal of shard {shard} begins with sequence {first}, expected 1"),
            ),
            Some(first) if first != 1 => findings.limited(format!(
                "journal of shard {shard} is kept from sequence {first} on: what lies before is not compared"
            )),
            _ => {}
        }
        if self.gap {
            findings.limited(format!(
                "journal of shard {shard} has a hole: its fused inputs and causes are not compared"
            ));
        }
        ShardLedger {
            shard,
            from,
            end,
            sequence: self.last.map_or(0, |(_, sequence)| sequence),
            last_tick: Timestamp(self.last_tick),
            complete,
            tasks: self.tasks,
        }
    }
}

/// First 12 hex digits, as digests are shown.
pub fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "(none)".into();
    }
    bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
