//! One task's way along its journal: positions that join, versions that change by receipt.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use fermata_core::journal::{Counts, Event, JournalRecord, Position, Receipt, Run, TaskEntry, What};
use fermata_core::names::Purpose;
use fermata_core::output_hash::OutputHash;
use fermata_core::{Offset, Shard, Timestamp, VersionId};

use super::VerifySpec;
use super::lineage::fused_key;
use super::report::{Check, Findings};

/// The journal record in hand.
pub struct Step<'a> {
    pub spec: &'a VerifySpec<'a>,
    pub shard: Shard,
    pub record: &'a JournalRecord,
    /// Its transaction may have records beyond the settled bounds.
    pub lately: bool,
}

impl Step<'_> {
    pub fn place(&self) -> String {
        format!("journal of shard {}, sequence {}", self.shard, self.record.sequence)
    }
}

/// Offsets `[first, next)` of an input topic that the task has passed.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    pub first: u64,
    pub next: u64,
}

/// What the journal says of one task so far.
#[derive(Default)]
pub struct TaskLedger {
    /// `None` at the beginning and behind a hole: nothing to compare with.
    known: Option<Known>,
    pub inputs: BTreeMap<String, Passed>,
    pub counts: Counts,
    pub output_hash: OutputHash,
    /// The last tick processed.
    pub now: Timestamp,
    /// First digits of every component that the task has run.
    pub digests: BTreeSet<String>,
    /// Version that the last receipt ended: it may still give second opinions.
    ended: Option<VersionId>,
    /// Keys of the fused inputs of the journal's newest records, by topic.
    lately: BTreeMap<String, HashSet<String>>,
}

struct Known {
    version: Option<VersionId>,
    deployment: u64,
}

impl TaskLedger {
    /// Was the record at `offset` of `topic` passed?
    pub fn passed(&self, topic: &str, offset: Offset) -> bool {
        self.inputs.get(topic).is_some_and(|passed| offset.0 < passed.next)
    }

    pub fn fused_lately(&self, topic: &str, key: &str) -> bool {
        self.lately.get(topic).is_some_and(|set| set.contains(key))
    }

    /// A journal record is missing: what follows begins anew. Positions still tell where reading began.
    pub fn forget(&mut self) {
        self.known = None;
    }

    pub fn step(&mut self, step: &Step<'_>, task: &TaskEntry, findings: &mut Findings) {
        let compare = self.known.is_some();
        self.versions(step, task, findings);
        self.events(step, task, compare, findings);
        self.positions(step, task, compare, findings);
        self.counters(step, task, compare, findings);
    }

    fn versions(&mut self, step: &Step<'_>, task: &TaskEntry, findings: &mut Findings) {
        let place = || format!("{}, stage {}", step.place(), task.stage);
        let after = step.record.version(task.version);
        if after.is_none() {
            findings.problem(
                Check::Receipts,
                format!("{}: version {} is not listed", place(), task.version),
            );
        }
        let mut current = self.known.take().unwrap_or_else(|| {
            let first = step.record.receipts.iter().find(|r| r.stage == task.stage);
            Known {
                version: first.map_or(after, |r| step.record.version(r.old)),
                deployment: first.map_or(task.deployment, |r| r.deployment),
            }
        });
        self.note(current.version);
        for receipt in step.record.receipts.iter().filter(|r| r.stage == task.stage) {
            let (old, new) = (step.record.version(receipt.old), step.record.version(receipt.new));
            if old != current.version {
                findings.problem(
                    Check::Receipts,
                    format!(
                        "{}: the receipt of deployment {} ends version {}, but the task ran {}",
                        place(),
                        receipt.deployment,
                        shown(old),
                        shown(current.version)
                    ),
                );
            }
            receipt_fits(step, task, receipt, findings);
            self.ended = old;
            current = Known {
                version: new,
                deployment: receipt.deployment,
            };
            self.note(new);
        }
        if current.version != after {
            findings.problem(
                Check::Receipts,
                format!(
                    "{}: version {} became {} without a receipt",
                    place(),
                    shown(current.version),
                    shown(after)
                ),
            );
        }
        if current.deployment != task.deployment {
            findings.problem(
                Check::Receipts,
                format!(
                    "{}: deployment {} became {} without a receipt",
                    place(),
                    current.deployment,
                    task.deployment
                ),
            );
        }
        self.note(after);
        self.known = Some(Known {
            version: after,
            deployment: task.deployment,
        });
    }

    fn note(&mut self, version: Option<VersionId>) {
        self.digests.extend(version.map(|v| v.component.short()));
    }

    fn events(&mut self, step: &Step<'_>, task: &TaskEntry, compare: bool, findings: &mut Findings) {
        for event in &task.events {
            self.by_whom(step, task, event, findings);
            match &event.what {
                Some(What::Run(run)) => self.run(step, task, run, compare, findings),
                Some(What::Fused(fused)) if step.lately => {
                    self.lately
                        .entry(fused.topic.clone())
                        .or_default()
                        .insert(fused_key(&fused.identity));
                }
                Some(What::Fused(_)) => {}
                Some(What::Released(released)) => self.released(step, task, released.count, compare, findings),
                None => findings.problem(
                    Check::JournalChain,
                    format!("{}, stage {}: an event without content", step.place(), task.stage),
                ),
            }
        }
    }

    /// Only the version before, the one after and, in probation, the one asked for a second opinion may have run.
    fn by_whom(&self, step: &Step<'_>, task: &TaskEntry, event: &Event, findings: &mut Findings) {
        let by = step.record.version(event.version);
        let of_receipts = step
            .record
            .receipts
            .iter()
            .filter(|r| r.stage == task.stage)
            .flat_map(|r| [r.old, r.new])
            .any(|index| index == event.version);
        let known = event.version == task.version || of_receipts || (by.is_some() && by == self.ended);
        if !known {
            findings.problem(
                Check::Receipts,
                format!(
                    "{}, stage {}: an event by version {}, which neither the task nor a receipt names",
                    step.place(),
                    task.stage,
                    shown(by)
                ),
            );
        }
    }

    fn run(&mut self, step: &Step<'_>, task: &TaskEntry, run: &Run, compare: bool, findings: &mut Findings) {
        let place = || format!("{}, stage {}, topic {}", step.place(), task.stage, run.topic);
        if !reads(step, &task.stage, &run.topic) {
            findings.problem(Check::Positions, format!("{}: not an input of the stage", place()));
        }
        if run.from >= run.next {
            findings.problem(
                Check::Positions,
                format!("{}: an empty run [{}, {})", place(), run.from, run.next),
            );
        }
        let passed = self.inputs.entry(run.topic.clone()).or_insert(Passed {
            first: run.from,
            next: run.from,
        });
        if compare && passed.next != run.from {
            let kind = if run.from > passed.next { "gap" } else { "overlap" };
            findings.problem(
                Check::Positions,
                format!(
                    "{}: {kind}: run from {} where {} was next",
                    place(),
                    run.from,
                    passed.next
                ),
            );
        }
        passed.next = run.next;
    }

    /// A task can take out of quarantine only what it has put there.
    fn released(&self, step: &Step<'_>, task: &TaskEntry, count: u64, compare: bool, findings: &mut Findings) {
        let parked = task.counts.unwrap_or_default().parked;
        if count == 0 || (compare && parked == 0) {
            findings.problem(
                Check::Positions,
                format!(
                    "{}, stage {}: {count} records released from quarantine, where {parked} were ever put",
                    step.place(),
                    task.stage
                ),
            );
        }
    }

    /// The positions written beside the events are those the events lead to.
    fn positions(&mut self, step: &Step<'_>, task: &TaskEntry, compare: bool, findings: &mut Findings) {
        let place = || format!("{}, stage {}", step.place(), task.stage);
        let written = vector(&task.positions);
        for (&topic, &next) in &written {
            let known = self.inputs.contains_key(topic);
            let passed = self
                .inputs
                .entry(topic.to_owned())
                .or_insert(Passed { first: next, next });
            if known && compare && passed.next != next {
                findings.problem(
                    Check::Positions,
                    format!(
                        "{}: position of {topic} is {next}, its runs end at {}",
                        place(),
                        passed.next
                    ),
                );
            }
            passed.next = next;
        }
        for topic in self.inputs.keys().filter(|topic| !written.contains_key(topic.as_str())) {
            findings.problem(Check::Positions, format!("{}: no position of {topic}", place()));
        }
    }

    fn counters(&mut self, step: &Step<'_>, task: &TaskEntry, compare: bool, findings: &mut Findings) {
        let (before, after) = (self.counts, task.counts.unwrap_or_default());
        let hash = task.output_hash();
        let place = || format!("{}, stage {}", step.place(), task.stage);
        if compare {
            let fell = fields(before).into_iter().zip(fields(after)).any(|(b, a)| a < b);
            if fell {
                findings.problem(
                    Check::Outputs,
                    format!("{}: counts fell from {before:?} to {after:?}", place()),
                );
            }
            if after.unparked > after.parked {
                findings.problem(
                    Check::Positions,
                    format!(
                        "{}: {} records left quarantine, {} had been put there",
                        place(),
                        after.unparked,
                        after.parked
                    ),
                );
            }
            if task.events.is_empty() && (before != after || hash != self.output_hash) {
                findings.problem(
                    Check::Outputs,
                    format!("{}: counts or hash changed without an event", place()),
                );
            }
        }
        self.counts = after;
        self.output_hash = hash;
        self.now = Timestamp(task.now);
    }
}

/// What a receipt claims of the place of the cutover: the end of its record, which holds nothing by the new version.
fn receipt_fits(step: &Step<'_>, task: &TaskEntry, receipt: &Receipt, findings: &mut Findings) {
    let place = format!(
        "{}, receipt of deployment {} for {}",
        step.place(),
        receipt.deployment,
        task.stage
    );
    if receipt.shard() != step.shard {
        findings.problem(Check::Receipts, format!("{place}: it is for shard {}", receipt.shard));
    }
    let (said, stands) = (vector(&receipt.positions), vector(&task.positions));
    if said != stands {
        findings.problem(
            Check::Receipts,
            format!("{place}: it says positions {said:?}, the task stands at {stands:?}"),
        );
    }
    let processed = task.counts.unwrap_or_default().processed;
    if receipt.processed_before != processed {
        findings.problem(
            Check::Receipts,
            format!(
                "{place}: it says {} processed before, the task had processed {processed}",
                receipt.processed_before
            ),
        );
    }
}

fn fields(c: Counts) -> [u64; 10] {
    [
        c.processed,
        c.emitted,
        c.rejected,
        c.faulted,
        c.skipped,
        c.timers,
        c.parked,
        c.unparked,
        c.kept,
        c.turned_away,
    ]
}

fn vector(positions: &[Position]) -> BTreeMap<&str, u64> {
    positions.iter().map(|p| (p.topic.as_str(), p.next)).collect()
}

fn reads(step: &Step<'_>, stage: &str, topic: &str) -> bool {
    let manifest = step.spec.manifest;
    topic == Purpose::Ticks.topic(&manifest.name).as_str()
        || manifest
            .stage(stage)
            .is_some_and(|s| s.inputs.iter().any(|(_, t)| t.as_str() == topic))
}

/// A version for people.
pub fn shown(version: Option<VersionId>) -> String {
    version.map_or_else(|| "(unknown)".into(), |v| v.to_string())
}
