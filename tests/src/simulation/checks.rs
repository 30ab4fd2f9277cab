//! What must hold at every step, and what must hold at the end.

use super::plane::Plane;
use crate::simulated::Simulated;
use fermata_core::journal::{JournalRecord, What};
use fermata_core::manifest::Manifest;
use fermata_core::names::{Purpose, headers};
use fermata_core::{Digest, Offset, Record, Shard, TopicName};
use fermata_runtime::views::Views;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

#[derive(Debug, Clone)]
pub struct Violation {
    pub what: String,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    pub accepted: u64,
    pub confirmed: u64,
    pub failed: u64,
    pub rejected: u64,
    pub dead: u64,
}

/// Reads on where it stopped; keeps only what the next step needs.
pub struct Checks {
    manifest: Arc<Manifest>,
    next: BTreeMap<(TopicName, Shard), Offset>,
    journals: BTreeMap<Shard, (u64, Option<Digest>)>,
    positions: BTreeMap<(Shard, String, String), u64>,
    running: BTreeMap<(Shard, String), Vec<u8>>,
    accepted: BTreeSet<String>,
    ended: HashMap<String, String>,
    identities: BTreeSet<(TopicName, String)>,
    counted: Counted,
    /// The log's stamp when it was last looked at.
    seen: (u64, u64),
}

pub fn bad<T>(what: String) -> Result<T, Violation> {
    Err(Violation { what })
}

impl Checks {
    pub fn new(manifest: Arc<Manifest>) -> Self {
        Self {
            manifest,
            next: BTreeMap::new(),
            journals: BTreeMap::new(),
            positions: BTreeMap::new(),
            running: BTreeMap::new(),
            accepted: BTreeSet::new(),
            ended: HashMap::new(),
            identities: BTreeSet::new(),
            counted: Counted::default(),
            seen: (0, 0),
        }
    }

    pub fn counted(&self) -> Counted {
        self.counted
    }

    /// `views`: of the process that runs, if one does.
    pub fn step(&mut self, log: &Simulated, plane: &mut Plane, views: Option<&Views>) -> Result<(), Violation> {
        let stamp = log.stamp();
        if stamp == self.seen {
            return Ok(());
        }
        self.seen = stamp;
        let manifest = self.manifest.clone();
        let mut moved = false;
        for shard in (0..manifest.partitions).map(Shard) {
            for record in self.fresh(log, &Purpose::Journal.topic(&manifest.name), shard) {
                self.journal(shard, &record, plane)?;
                moved = true;
            }
            for topic in manifest.topics.keys() {
                for record in self.fresh(log, topic, shard) {
                    self.record(&record)?;
                }
            }
            for record in self.fresh(log, &Purpose::DeadLetters.topic(&manifest.name), shard) {
                self.dead_letter(&record)?;
            }
        }
        if moved && let Some(views) = views {
            self.ledger(views)?;
        }
        Ok(())
    }

    fn fresh(&mut self, log: &Simulated, topic: &TopicName, shard: Shard) -> Vec<Record> {
        let next = self.next.entry((topic.clone(), shard)).or_default();
        let records = log.look(topic, shard, *next);
        if let Some(last) = records.last() {
            *next = last.offset.next();
        }
        records
    }

    /// Only bad input is one: a version that faults does so in its probation, where the one before it is asked.
    fn dead_letter(&mut self, record: &Record) -> Result<(), Violation> {
        self.counted.dead += 1;
        let code = record.header(headers::CODE).unwrap_or_default();
        if code.starts_with("fault-") {
            return bad(format!("{}: a dead letter of a fault: {code}", record.coordinates()));
        }
        Ok(())
    }

    /// The chain has no hole, positions join, and a version changes only with its receipt.
    fn journal(&mut self, shard: Shard, record: &Record, plane: &mut Plane) -> Result<(), Violation> {
        let bytes = record.value.as_deref().unwrap_or_default();
        let journal = JournalRecord::decode_bytes(bytes).map_err(|e| Violation {
            what: format!("journal {}: {e}", record.coordinates()),
        })?;
        let (sequence, hash) = self.journals.get(&shard).copied().unwrap_or_default();
        if journal.sequence != sequence + 1 {
            return bad(format!(
                "shard {shard}: journal {} follows {sequence}",
                journal.sequence
            ));
        }
        let previous = hash.map(|h| h.0.to_vec()).unwrap_or_default();
        if journal.previous != previous {
            return bad(format!(
                "shard {shard}: journal {sequence} and its successor do not chain"
            ));
        }
        self.journals.insert(shard, (journal.sequence, Some(Digest::of(bytes))));
        for task in &journal.tasks {
            for event in &task.events {
                let Some(What::Run(run)) = &event.what else { continue };
                let key = (shard, task.stage.clone(), run.topic.clone());
                let at = self.positions.insert(key, run.next).unwrap_or_default();
                if run.from != at || run.next <= run.from {
                    let (stage, topic) = (&task.stage, &run.topic);
                    return bad(format!(
                        "shard {shard} {stage}: run of {topic} [{}, {}) after position {at}",
                        run.from, run.next
                    ));
                }
            }
            let component = journal.versions[task.version as usize].component.clone();
            let before = self.running.insert((shard, task.stage.clone()), component.clone());
            let receipt = journal.receipts.iter().find(|r| r.stage == task.stage);
            if before.is_some_and(|b| b != component) && receipt.is_none() {
                return bad(format!(
                    "shard {shard} {}: another version without a receipt",
                    task.stage
                ));
            }
        }
        plane.journal(shard, &journal)
    }

    fn record(&mut self, record: &Record) -> Result<(), Violation> {
        let id = record.header(headers::ID).map(str::to_owned);
        if let Some(id) = id.filter(|id| !self.identities.insert((record.topic.clone(), id.clone()))) {
            return bad(format!("{} doubles {id}", record.coordinates()));
        }
        let key = || String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
        match record.topic.as_str() {
            "payment.accepted" => {
                self.counted.accepted += 1;
                if !self.accepted.insert(key()) {
                    return bad(format!("payment {} was accepted twice", key()));
                }
            }
            "payment.confirmed" => {
                self.counted.confirmed += 1;
                self.end(key(), record)?;
            }
            "payment.failed" => {
                self.counted.failed += 1;
                self.end(key(), record)?;
            }
            "payment.rejected" => self.counted.rejected += 1,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, key: String, record: &Record) -> Result<(), Violation> {
        match self.ended.insert(key.clone(), record.coordinates()) {
            Some(before) => bad(format!(
                "payment {key} ended at {before} and at {}",
                record.coordinates()
            )),
            None => Ok(()),
        }
    }

    /// On every shard, per currency: balances + clearing = 0.
    fn ledger(&self, views: &Views) -> Result<(), Violation> {
        let answers = match views.shard_answers("ledger", serde_json::json!({})) {
            Ok(answers) => answers,
            // The log was away; the next step asks again.
            Err(_) => return Ok(()),
        };
        for (shard, _, answer) in answers {
            for (currency, sum) in answer.as_object().into_iter().flatten().filter(|(_, v)| v.is_number()) {
                if sum.as_i64() != Some(0) {
                    return bad(format!(
                        "shard {shard}: balances + clearing of {currency} are {sum}: {answer}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// When nothing is in flight: every accepted payment ended once, and nothing hangs between shards.
    pub fn drained(&self, views: &Views) -> Result<(), Violation> {
        let missing: Vec<_> = self
            .accepted
            .iter()
            .filter(|id| !self.ended.contains_key(*id))
            .collect();
        if !missing.is_empty() {
            return bad(format!("accepted payments that never ended: {missing:?}"));
        }
        let unknown: Vec<_> = self.ended.keys().filter(|id| !self.accepted.contains(*id)).collect();
        if !unknown.is_empty() {
            return bad(format!("payments that ended without being accepted: {unknown:?}"));
        }
        let ledger = views
            .query("ledger", None, serde_json::json!({}))
            .map_err(|e| Violation {
                what: format!("the ledger does not answer: {e}"),
            })?;
        for (currency, sum) in ledger.data["clearing"].as_object().into_iter().flatten() {
            if sum.as_i64() != Some(0) {
                return bad(format!("drained, yet {sum} of {currency} are between shards"));
            }
        }
        Ok(())
    }
}
