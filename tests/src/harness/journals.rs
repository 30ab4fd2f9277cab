//! What each task did, in order, and where its versions changed: read from the journals alone.

use super::Topics;
use fermata_core::VersionId;
use fermata_core::journal::{JournalRecord, Receipt, TaskEntry, What};
use std::collections::{BTreeMap, HashSet};

/// One stretch of a task between two cutovers: what one version processed.
#[derive(Clone, Debug)]
struct Stretch {
    version: VersionId,
    /// Records that the task had processed in all when it began.
    began: u64,
}

/// A cutover with the stretches that it parts.
#[derive(Clone, Debug)]
pub struct Side {
    pub deployment: u64,
    pub stage: String,
    pub shard: u32,
    pub old: VersionId,
    pub new: VersionId,
    pub rollback: bool,
    /// Records that the old version processed since the cutover before, and the new one until the next.
    pub before: u64,
    pub after: u64,
    pub pause_micros: u64,
    pub at_micros: i64,
}

#[derive(Default)]
struct Task {
    /// Where the next run of each topic must begin.
    next: BTreeMap<String, u64>,
    fused: HashSet<(String, String)>,
    live: Option<Stretch>,
    /// Records processed so far: no timers, none that were skipped.
    processed: u64,
    sides: Vec<Side>,
}

/// All tasks of a stopped pipeline.
pub struct Journals {
    pub sides: Vec<Side>,
    /// Times of the commits of each shard in which `stage` emitted, microseconds.
    emitted: BTreeMap<(String, u32), Vec<i64>>,
    pub records: u64,
}

impl Journals {
    /// Panics where a position has two versions, or none, or a version changes without its receipt.
    pub fn read(topics: &Topics, journal: &str) -> Self {
        let mut tasks: BTreeMap<(String, u32), Task> = BTreeMap::new();
        let mut counts: BTreeMap<(String, u32), u64> = BTreeMap::new();
        let mut journals = Self {
            sides: Vec::new(),
            emitted: BTreeMap::new(),
            records: 0,
        };
        topics.each(journal, |raw| {
            let record = JournalRecord::decode_bytes(raw.value.as_deref().unwrap_or_default())
                .unwrap_or_else(|e| panic!("{}: {e}", raw.coordinates()));
            journals.records += 1;
            let at = raw.coordinates();
            for entry in &record.tasks {
                let id = (entry.stage.clone(), raw.shard.0);
                let receipts = record.receipts.iter().filter(|r| r.stage == entry.stage);
                tasks
                    .entry(id.clone())
                    .or_default()
                    .record(&at, &record, entry, receipts);
                let emitted = entry.counts.unwrap_or_default().emitted;
                if counts.insert(id.clone(), emitted).unwrap_or_default() != emitted {
                    journals.emitted.entry(id).or_default().push(record.at_micros);
                }
            }
        });
        journals.sides = tasks.into_values().flat_map(Task::into_sides).collect();
        journals
    }

    /// The longest time in which `stage` emitted nothing on a shard, of those that end within `during`.
    pub fn silences(&self, stage: &str, during: std::ops::Range<i64>) -> BTreeMap<u32, u64> {
        let of_stage = self.emitted.iter().filter(|((name, _), _)| name == stage);
        of_stage
            .map(|((_, shard), times)| {
                let within: Vec<i64> = times.iter().copied().filter(|t| during.contains(t)).collect();
                let longest = within.windows(2).map(|pair| pair[1].abs_diff(pair[0])).max();
                (*shard, longest.unwrap_or_default())
            })
            .collect()
    }
}

impl Task {
    fn record<'a>(
        &mut self,
        at: &str,
        record: &JournalRecord,
        entry: &TaskEntry,
        receipts: impl Iterator<Item = &'a Receipt>,
    ) {
        let version = |index: u32| {
            record
                .version(index)
                .unwrap_or_else(|| panic!("{at}: no version {index}"))
        };
        let stage = &entry.stage;
        let mut receipts = receipts.peekable();
        let counts = entry.counts.unwrap_or_default();
        let began = self.processed;
        // A cutover is a transaction of its own; only records that were passed over may have waited for it.
        let done = counts.processed - counts.timers;
        let apart = receipts.peek().is_none() || done == self.processed;
        assert!(apart, "{at}: stage {stage} worked while it was cut over");
        for event in &entry.events {
            let by = version(event.version);
            let live = self.live.get_or_insert(Stretch { version: by, began });
            assert_eq!(
                live.version, by,
                "{at}: stage {stage} is run by another version without a receipt"
            );
            match event
                .what
                .as_ref()
                .unwrap_or_else(|| panic!("{at}: an event without content"))
            {
                What::Run(run) => {
                    let next = self.next.entry(run.topic.clone()).or_insert(run.from);
                    assert_eq!(
                        *next, run.from,
                        "{at}: stage {stage} goes on in {} elsewhere than it ended",
                        run.topic
                    );
                    *next = run.next;
                }
                // What it led to is counted where it was parked.
                What::Released(_) => {}
                What::Fused(fused) => {
                    let new = self.fused.insert((fused.topic.clone(), fused.identity.clone()));
                    assert!(new, "{at}: stage {stage} processed {} twice", fused.identity);
                }
            }
        }
        for receipt in receipts {
            self.cut(at, &version, receipt);
        }
        self.processed = done;
        let runs = version(entry.version);
        let live = self.live.get_or_insert(Stretch { version: runs, began });
        assert_eq!(
            live.version, runs,
            "{at}: stage {stage} has changed its version without a receipt"
        );
    }

    fn cut(&mut self, at: &str, version: &impl Fn(u32) -> VersionId, receipt: &Receipt) {
        let (stage, old, new) = (&receipt.stage, version(receipt.old), version(receipt.new));
        for position in &receipt.positions {
            let next = self.next.get(&position.topic).copied().unwrap_or(position.next);
            assert_eq!(
                next, position.next,
                "{at}: {stage} was cut in {} elsewhere than the old version ended",
                position.topic
            );
        }
        let live = self.live.take().unwrap_or(Stretch {
            version: old,
            began: self.processed,
        });
        assert_eq!(
            live.version, old,
            "{at}: the receipt of {stage} names an old version that did not run"
        );
        let done = self.processed - live.began;
        if let Some(last) = self.sides.last_mut() {
            last.after = done;
        }
        self.sides.push(Side {
            deployment: receipt.deployment,
            stage: stage.clone(),
            shard: receipt.shard,
            old,
            new,
            rollback: receipt.rollback,
            before: done,
            after: 0,
            pause_micros: receipt.pause_micros,
            at_micros: receipt.at_micros,
        });
        self.live = Some(Stretch {
            version: new,
            began: self.processed,
        });
    }

    /// The last stretch belongs to the last cutover.
    fn into_sides(mut self) -> Vec<Side> {
        if let (Some(last), Some(live)) = (self.sides.last_mut(), self.live) {
            last.after = self.processed - live.began;
        }
        self.sides
    }
}
