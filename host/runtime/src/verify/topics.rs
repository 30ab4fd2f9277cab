//! Reads every topic once: attributes each record to the task that wrote it, and checks its headers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fermata_core::manifest::Manifest;
use fermata_core::names::{Purpose, headers};
use fermata_core::output_hash::OutputHash;
use fermata_core::ports::LogError;
use fermata_core::{Offset, Record, Shard, TopicName};

use super::cut::Cut;
use super::ends::Ends;
use super::fused::Fused;
use super::lineage::{self, Lineage};
use super::report::{Check, Findings};
use super::{VerifySpec, scan};

/// What the topics hold, within the cut.
pub struct Seen {
    /// By producing shard and stage.
    pub tallies: BTreeMap<(Shard, String), Tally>,
    /// By reading shard and stage.
    pub inputs: BTreeMap<(Shard, String), Inputs>,
    /// One for each `ends-once` invariant of the manifest, by its name.
    pub ends: BTreeMap<String, Ends>,
    /// Topics whose first records retention has dropped.
    pub trimmed: BTreeSet<TopicName>,
    /// A record that some stage has yet to read, if there is one.
    pub unread: Option<String>,
}

/// What one task has passed, ticks apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Records that it had to process when it came to them.
    pub read: u64,
    /// Records that bore its done mark.
    pub skipped: u64,
    /// Fused inputs that the journal lists.
    pub fused: u64,
}

/// What one task has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub emitted: u64,
    pub dead_letters: u64,
    pub hash: OutputHash,
}

impl Tally {
    pub fn add(&mut self, record: &Record, dead_letter: bool) {
        *(if dead_letter {
            &mut self.dead_letters
        } else {
            &mut self.emitted
        }) += 1;
        self.hash.add_parts(
            &record.topic,
            record.key.as_ref(),
            record.value.as_ref(),
            &record.headers,
        );
    }
}

/// Who writes a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Head,
    Written,
    Ticks,
    DeadLetters,
}

/// Every topic that is read, with who writes it.
pub fn all(manifest: &Manifest) -> impl Iterator<Item = (TopicName, Kind)> {
    let data = manifest.topics.keys().map(|topic| {
        let written = manifest.writers(topic).next().is_some();
        (topic.clone(), if written { Kind::Written } else { Kind::Head })
    });
    data.chain([
        (Purpose::Ticks.topic(&manifest.name), Kind::Ticks),
        (Purpose::DeadLetters.topic(&manifest.name), Kind::DeadLetters),
    ])
}

/// Shard by shard, so that only one shard's identities are in memory.
pub fn read(spec: &VerifySpec<'_>, cut: &Cut, findings: &mut Findings) -> Result<Seen, LogError> {
    let mut seen = Seen {
        tallies: BTreeMap::new(),
        inputs: BTreeMap::new(),
        ends: Ends::all(spec.manifest),
        trimmed: BTreeSet::new(),
        unread: None,
    };
    for ledger in cut.shards() {
        let mut fused = Fused::read(spec, ledger, findings)?;
        for stage in &spec.manifest.stages {
            let inputs = seen.inputs.entry((ledger.shard, stage.name.to_string())).or_default();
            inputs.fused = fused.of_stage(stage.name.as_str());
        }
        for (topic, kind) in all(spec.manifest) {
            let range = cut.range(&topic, ledger.shard);
            let mut partition = Partition {
                spec,
                cut,
                topic: &topic,
                kind,
                shard: ledger.shard,
                complete: ledger.complete,
                seen: &mut seen,
                fused: &mut fused,
                ids: HashMap::new(),
            };
            let begun = scan::partition(spec.log, &topic, ledger.shard, range.start, range.end, |record| {
                partition.record(record, findings);
            })?;
            partition.end(range.end, findings);
            if begun.0 > 0 {
                findings.limited(format!("{topic}/{} is kept from offset {begun} on", ledger.shard));
                seen.trimmed.insert(topic.clone());
            }
            let whole = ledger.complete && begun.0 == 0;
            findings.figures.fused += fused.close(topic.as_str(), whole, findings);
        }
    }
    Ok(seen)
}

/// One partition while it is read.
struct Partition<'a> {
    spec: &'a VerifySpec<'a>,
    cut: &'a Cut,
    topic: &'a TopicName,
    kind: Kind,
    shard: Shard,
    /// The shard's journal has no hole.
    complete: bool,
    seen: &'a mut Seen,
    fused: &'a mut Fused,
    /// Where each identity was met.
    ids: HashMap<Box<str>, Offset>,
}

impl Partition<'_> {
    fn record(&mut self, record: &Record, findings: &mut Findings) {
        let settled = self.cut.settled(self.topic, self.shard, record.offset);
        let within = match self.kind {
            Kind::Head => true,
            Kind::Ticks => settled || self.cut.ticked(self.shard, identity(record)),
            Kind::Written | Kind::DeadLetters => match Lineage::of(&record.headers) {
                Ok(lineage) => {
                    let within = settled || self.cut.caused(&lineage);
                    if within {
                        self.written(record, &lineage, findings);
                    }
                    within
                }
                Err(wrong) => {
                    findings.problem(Check::Headers, format!("{}: {wrong}", record.coordinates()));
                    return;
                }
            },
        };
        self.readers(record, findings);
        if !within {
            findings.figures.later += 1;
            return;
        }
        findings.figures.records += 1;
        for ends in self.seen.ends.values_mut() {
            ends.record(record);
        }
        if self.kind != Kind::Head {
            self.unique(record, findings);
        }
        if matches!(self.kind, Kind::Written | Kind::Ticks) {
            self.marks(record, findings);
        }
    }

    /// A stage wrote the record: is that true, and which task was it?
    fn written(&mut self, record: &Record, lineage: &Lineage<'_>, findings: &mut Findings) {
        let dead_letter = self.kind == Kind::DeadLetters;
        findings.figures.dead_letters += u64::from(dead_letter);
        let may_write = match dead_letter {
            true => self.spec.manifest.stage(lineage.stage).is_some(),
            false => self
                .spec
                .manifest
                .writers(self.topic)
                .any(|s| s.name.as_str() == lineage.stage),
        };
        let wrong = |what: String| format!("{}: {what}", record.coordinates());
        if !may_write {
            let what = format!(
                "header {} names {}, which does not write here",
                headers::STAGE,
                lineage.stage
            );
            findings.problem(Check::Headers, wrong(what));
        }
        match self.cut.task(lineage) {
            None => findings.problem(
                Check::Headers,
                wrong(format!(
                    "no journal knows stage {} on shard {}",
                    lineage.stage,
                    lineage.cause.shard()
                )),
            ),
            Some(task) if !task.digests.contains(lineage.digest) => findings.problem(
                Check::Headers,
                wrong(format!(
                    "header {} is {}, a component that stage {} never ran on shard {}",
                    headers::DIGEST,
                    lineage.digest,
                    lineage.stage,
                    lineage.cause.shard()
                )),
            ),
            Some(_) => {}
        }
        let task = (lineage.cause.shard(), lineage.stage.to_owned());
        self.seen.tallies.entry(task).or_default().add(record, dead_letter);
    }

    fn unique(&mut self, record: &Record, findings: &mut Findings) {
        let id = match self.kind {
            // A dead letter bears the identity of its input, which several stages may refuse.
            Kind::DeadLetters => {
                format!(
                    "{} refused by {}",
                    identity(record),
                    record.header(headers::STAGE).unwrap_or_default()
                )
            }
            _ => identity(record).to_owned(),
        };
        if let Some(first) = self.ids.get(id.as_str()) {
            findings.problem(
                Check::Duplicates,
                format!(
                    "{}/{}: {id} is there twice, at offsets {first} and {}",
                    self.topic, self.shard, record.offset
                ),
            );
        } else {
            self.ids.insert(id.into(), record.offset);
        }
    }

    fn marks(&mut self, record: &Record, findings: &mut Findings) {
        if !self.complete {
            return;
        }
        let id = identity(record);
        for stage in lineage::done(&record.headers) {
            if !self.fused.met(self.topic.as_str(), stage, id) {
                findings.problem(
                    Check::Fusion,
                    format!(
                        "{}: header {} says that {stage} processed {id}, the journal of shard {} does not (or once only)",
                        record.coordinates(),
                        headers::DONE,
                        self.shard
                    ),
                );
            }
        }
    }

    /// Every reader of the topic has passed the record, or is yet to come to it.
    fn readers(&mut self, record: &Record, findings: &mut Findings) {
        let Some(ledger) = self.cut.shard(self.shard) else {
            return;
        };
        for reader in self.spec.manifest.readers(self.topic) {
            let passed = ledger
                .tasks
                .get(reader.name.as_str())
                .and_then(|t| t.inputs.get(self.topic.as_str()));
            let offset = record.offset.0;
            // On a head, what looks like a host header is none.
            let done = self.kind == Kind::Written && lineage::done(&record.headers).any(|s| s == reader.name.as_str());
            match passed {
                Some(passed) if self.complete && offset < passed.first => findings.problem(
                    Check::Positions,
                    format!(
                        "{}: stage {} began at offset {} and never read it",
                        record.coordinates(),
                        reader.name,
                        passed.first
                    ),
                ),
                Some(passed) if offset < passed.next => {
                    let inputs = self
                        .seen
                        .inputs
                        .entry((self.shard, reader.name.to_string()))
                        .or_default();
                    *(if done { &mut inputs.skipped } else { &mut inputs.read }) += 1;
                }
                // Concluded when it was appended; the reader passes it with its next transaction.
                _ if done => {}
                _ if self.seen.unread.is_none() => {
                    self.seen.unread = Some(format!("stage {} is yet to read {}", reader.name, record.coordinates()));
                }
                _ => {}
            }
        }
    }

    /// No reader may stand behind the partition's end: what it read is gone.
    fn end(&self, end: Offset, findings: &mut Findings) {
        let Some(ledger) = self.cut.shard(self.shard) else {
            return;
        };
        for (stage, task) in &ledger.tasks {
            if let Some(passed) = task
                .inputs
                .get(self.topic.as_str())
                .filter(|passed| passed.next > end.0)
            {
                findings.problem(
                    Check::Positions,
                    format!(
                        "{}/{}: stage {stage} stands at offset {}, the partition ends at {end}",
                        self.topic, self.shard, passed.next
                    ),
                );
            }
        }
    }
}

fn identity(record: &Record) -> &str {
    record.header(headers::ID).unwrap_or_default()
}
