//! From a shard's open batch to its journal record, and back at an assignment.

use super::shard::ShardState;
use super::task::{Happened, Loaded, Task};
use fermata_core::journal::{
    CONTRACT, Event, Fused, JournalRecord, Position, QuarantineEntry, Receipt, Released, Run, SchemaEntry, TaskEntry,
    VersionEntry, What,
};
use fermata_core::names::Purpose;
use fermata_core::{Digest, Header, NewRecord, PipelineName, Sequence, Timestamp, VersionId};
use std::collections::BTreeMap;

/// End of a shard's hash chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chained {
    pub sequence: Sequence,
    /// Hash of the last record's bytes; `None` before the first.
    pub hash: Option<Digest>,
}

/// What a cutover adds to the record of its transaction.
pub struct Cutover {
    pub receipt: Receipt,
    pub old: VersionEntry,
}

pub struct Frame<'a> {
    pub pipeline: &'a PipelineName,
    pub epoch: u64,
    pub engine: &'a str,
    pub at_micros: i64,
}

pub fn version_entry(loaded: &Loaded) -> VersionEntry {
    let id = loaded.id();
    let schemas = loaded.stores.description.stores.iter();
    VersionEntry {
        component: id.component.0.to_vec(),
        config: id.config.0.to_vec(),
        schemas: schemas
            .map(|s| SchemaEntry {
                store: s.name.clone(),
                schema: s.schema,
            })
            .collect(),
        config_json: loaded.config_json.clone(),
    }
}

/// The versions of one record, each once.
#[derive(Default)]
struct Versions(Vec<VersionEntry>, BTreeMap<VersionId, u32>);

impl Versions {
    fn index(&mut self, id: VersionId, entry: impl FnOnce() -> VersionEntry) -> u32 {
        *self.1.entry(id).or_insert_with(|| {
            self.0.push(entry());
            self.0.len() as u32 - 1
        })
    }
}

/// Takes the events of the open batch out of the tasks and makes the shard's journal record of them.
///
/// `known`: versions that may have concluded a record in place of the live one (second opinions).
pub fn record(
    shard: &mut ShardState,
    frame: &Frame<'_>,
    known: &dyn Fn(&VersionId) -> Option<VersionEntry>,
    cutovers: Vec<Cutover>,
) -> (NewRecord, Chained) {
    let mut versions = Versions::default();
    let mut tasks = Vec::with_capacity(shard.tasks.len());
    for task in &mut shard.tasks {
        let events = std::mem::take(&mut task.events);
        task.settle_state();
        let version = versions.index(task.runs(), || {
            task.ran.clone().unwrap_or_else(|| version_entry(&task.loaded))
        });
        let events = events
            .into_iter()
            .map(|(by, what)| Event {
                version: versions.index(by, || known(&by).unwrap_or_else(|| bare(&by))),
                what: Some(match what {
                    Happened::Run { topic, from, next } => What::Run(Run {
                        topic: topic.to_string(),
                        from: from.0,
                        next: next.0,
                    }),
                    Happened::Fused { topic, identity } => What::Fused(Fused {
                        topic: topic.to_string(),
                        identity: identity.to_string(),
                    }),
                    Happened::Released { key, count, skipped } => What::Released(Released {
                        key: key.to_vec(),
                        count,
                        skipped,
                    }),
                }),
            })
            .collect();
        tasks.push(TaskEntry {
            stage: task.wiring.stage.to_string(),
            version,
            deployment: task.deployment,
            events,
            positions: positions(task),
            counts: Some(task.counts),
            output_hash: task.output_hash.0.to_vec(),
            now: task.now().0,
            generation: task.wiring.generation,
            quarantine: QuarantineEntry::of(&task.policy),
            unparking: (task.unparking.order > 0).then(|| task.unparking.clone()),
            faults_in_a_row: task.faults_in_a_row,
            stores: task.footprint.entries(),
            timers_stopped: std::mem::take(&mut task.timers_stopped),
        });
    }
    let receipts = cutovers
        .into_iter()
        .map(|Cutover { mut receipt, old }| {
            let id = old.id().unwrap_or_default_id();
            receipt.old = versions.index(id, || old);
            let task = tasks.iter().find(|t| t.stage == receipt.stage);
            receipt.new = task.map_or(0, |t| t.version);
            receipt
        })
        .collect();
    let journal = JournalRecord {
        sequence: shard.journal.sequence.next().0,
        previous: shard.journal.hash.map(|h| h.0.to_vec()).unwrap_or_default(),
        epoch: frame.epoch,
        contract: CONTRACT.into(),
        engine: frame.engine.into(),
        versions: versions.0,
        tasks,
        receipts,
        last_tick: shard.last_tick.0,
        at_micros: frame.at_micros,
    };
    let bytes = journal.encode_bytes();
    let chained = Chained {
        sequence: journal.sequence(),
        hash: Some(JournalRecord::hash(&bytes)),
    };
    let record = NewRecord {
        topic: Purpose::Journal.topic(frame.pipeline),
        shard: shard.shard,
        timestamp: Timestamp(frame.at_micros / 1_000),
        key: Some(shard.shard.to_string().into()),
        value: Some(bytes.into()),
        headers: Vec::<Header>::new(),
    };
    (record, chained)
}

pub fn positions(task: &Task) -> Vec<Position> {
    task.positions
        .iter()
        .map(|(topic, next)| Position {
            topic: topic.to_string(),
            next: next.0,
        })
        .collect()
}

fn bare(id: &VersionId) -> VersionEntry {
    VersionEntry {
        component: id.component.0.to_vec(),
        config: id.config.0.to_vec(),
        ..Default::default()
    }
}

trait OrEmptyId {
    fn unwrap_or_default_id(self) -> VersionId;
}
impl OrEmptyId for Option<VersionId> {
    fn unwrap_or_default_id(self) -> VersionId {
        self.unwrap_or(VersionId {
            component: Digest::default(),
            config: Digest::default(),
        })
    }
}
