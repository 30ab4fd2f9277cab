//! Where a task's outputs differ: each of its transactions, as the journal says and as the topics hold.

use std::collections::{BTreeMap, HashMap};

use fermata_core::journal::{JournalRecord, What};
use fermata_core::names::Purpose;
use fermata_core::output_hash::OutputHash;
use fermata_core::ports::LogError;
use fermata_core::{Record, StageName};

use super::cut::Cut;
use super::journal::ShardLedger;
use super::lineage::{Cause, Lineage, caused_key, fused_key};
use super::report::{Check, Findings};
use super::topics::{Kind, Tally, all};
use super::{VerifySpec, scan};

/// Transactions named for one task.
const NAMED: usize = 5;

/// Names the transactions of one task whose records are not what its journal says.
pub fn differences(
    spec: &VerifySpec<'_>,
    cut: &Cut,
    ledger: &ShardLedger,
    stage: &StageName,
    findings: &mut Findings,
) -> Result<(), LogError> {
    let script = Script::read(spec, ledger, stage)?;
    let mut found: BTreeMap<u64, Transaction> = BTreeMap::new();
    for (topic, kind) in all(spec.manifest).filter(|(_, kind)| matches!(kind, Kind::Written | Kind::DeadLetters)) {
        for shard in cut.shards().map(|l| l.shard) {
            let range = cut.range(&topic, shard);
            scan::partition(spec.log, &topic, shard, range.start, range.end, |record| {
                let Ok(lineage) = Lineage::of(&record.headers) else {
                    return;
                };
                let ours = lineage.stage == stage.as_str() && lineage.cause.shard() == ledger.shard;
                let within = cut.settled(&topic, shard, record.offset) || cut.caused(&lineage);
                if ours && within {
                    let sequence = script.sequence(&lineage).unwrap_or(NOWHERE);
                    found
                        .entry(sequence)
                        .or_default()
                        .add(record, kind == Kind::DeadLetters);
                }
            })?;
        }
    }
    let place = format!("stage {stage} on shard {}", ledger.shard);
    if let Some(strangers) = found.remove(&NOWHERE) {
        findings.problem(
            Check::Outputs,
            format!("{place}: no journal record holds the cause of {}", strangers.names()),
        );
    }
    let mut named = 0;
    for step in &script.steps {
        let transaction = found.remove(&step.sequence).unwrap_or_default();
        let mut expected = step.before;
        expected.combine(transaction.tally.hash);
        if expected != step.after && named < NAMED {
            named += 1;
            let held = transaction.tally;
            findings.problem(
                Check::Outputs,
                format!(
                    "{place}, journal sequence {}: it says {} records and {} dead letters, the topics hold {} and {} and their hash differs: {}",
                    step.sequence, step.emitted, step.dead_letters, held.emitted, held.dead_letters, transaction.names()
                ),
            );
        }
    }
    Ok(())
}

/// Stands for "no sequence": journals begin with 1.
const NOWHERE: u64 = 0;

#[derive(Default)]
struct Transaction {
    tally: Tally,
    records: Vec<String>,
}

impl Transaction {
    fn add(&mut self, record: &Record, dead_letter: bool) {
        self.tally.add(record, dead_letter);
        if self.records.len() <= NAMED {
            self.records.push(record.coordinates());
        }
    }

    fn names(&self) -> String {
        match self.records.len() {
            0 => "no record at all".into(),
            n if n > NAMED => format!("{} and more", self.records[..NAMED].join(", ")),
            _ => self.records.join(", "),
        }
    }
}

/// One task's journal: what each transaction did, and which inputs it processed.
struct Script {
    steps: Vec<Step>,
    /// By topic: where each run ends, and its sequence; ascending.
    runs: BTreeMap<String, Vec<(u64, u64)>>,
    fused: BTreeMap<String, HashMap<String, u64>>,
}

struct Step {
    sequence: u64,
    before: OutputHash,
    after: OutputHash,
    emitted: u64,
    dead_letters: u64,
    /// The last tick processed.
    now: i64,
}

impl Script {
    fn read(spec: &VerifySpec<'_>, ledger: &ShardLedger, stage: &StageName) -> Result<Self, LogError> {
        let mut script = Self {
            steps: Vec::new(),
            runs: BTreeMap::new(),
            fused: BTreeMap::new(),
        };
        let topic = Purpose::Journal.topic(&spec.manifest.name);
        let mut last = (OutputHash::default(), 0, 0);
        scan::partition(spec.log, &topic, ledger.shard, ledger.from, ledger.end, |record| {
            let Ok(entry) = JournalRecord::decode_bytes(record.value.as_deref().unwrap_or_default()) else {
                return;
            };
            let Some(task) = entry.task(stage) else { return };
            let counts = task.counts.unwrap_or_default();
            let now = (task.output_hash(), counts.emitted, counts.dead_letters());
            script.steps.push(Step {
                sequence: entry.sequence,
                before: last.0,
                after: now.0,
                emitted: now.1.saturating_sub(last.1),
                dead_letters: now.2.saturating_sub(last.2),
                now: task.now,
            });
            last = now;
            for event in &task.events {
                match &event.what {
                    Some(What::Run(run)) => {
                        script
                            .runs
                            .entry(run.topic.clone())
                            .or_default()
                            .push((run.next, entry.sequence));
                    }
                    Some(What::Fused(fused)) => {
                        let inputs = script.fused.entry(fused.topic.clone()).or_default();
                        inputs.insert(fused_key(&fused.identity), entry.sequence);
                    }
                    Some(What::Released(_)) | None => {}
                }
            }
        })?;
        Ok(script)
    }

    /// The transaction that processed a record's cause.
    fn sequence(&self, lineage: &Lineage<'_>) -> Option<u64> {
        if lineage.released.is_some() {
            return lineage.released;
        }
        match lineage.cause {
            Cause::Read { topic, offset, .. } => {
                let runs = self.runs.get(topic)?;
                let at = runs.partition_point(|(next, _)| *next <= offset.0);
                runs.get(at).map(|(_, sequence)| *sequence)
            }
            Cause::Fused { topic, steps, .. } => self.fused.get(topic)?.get(&caused_key(lineage.id, steps)).copied(),
            Cause::Tick { at, .. } => {
                let first = self.steps.partition_point(|step| step.now < at.0);
                self.steps.get(first).map(|step| step.sequence)
            }
        }
    }
}
