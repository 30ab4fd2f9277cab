//! Two stages, `first: in -> mid` and `second: mid -> out`, on two shards, and their journals.

use std::collections::BTreeMap;

use bytes::Bytes;
use fermata_core::journal::{
    CONTRACT, Counts, Event, Fused, JournalRecord, Position, Receipt, Run, TaskEntry, VersionEntry, What,
};
use fermata_core::manifest::{Manifest, parse};
use fermata_core::names::headers;
use fermata_core::output_hash::OutputHash;
use fermata_core::ports::Log;
use fermata_core::{Digest, Header, Identity, NewRecord, Offset, Shard, StageName, Timestamp, TopicName};

use super::memory::MemoryLog;

const MANIFEST: &str = r#"
manifest = 1
name = "p"
partitions = 2
drain = { complete-when = { view = "work", field = "/open", equals = 0 } }
invariant = [
  { name = "books", view = "books", each = 0 },
  { name = "open", view = "work", field = "/open", each = 0, when = "drained" },
  { name = "ends-once", of = "in", ends-in = ["out"] },
]
[stage.first]
component = "builtin:first@1.0.0"
in = ["in"]
out = { mid = "mid" }
[stage.second]
component = "builtin:second@1.0.0"
in = ["mid"]
out = { out = "out" }
"#;

pub const STAGES: [&str; 2] = ["first", "second"];

pub struct Story {
    pub manifest: Manifest,
    pub log: MemoryLog,
    shards: Vec<Journal>,
    made: u64,
}

#[derive(Default)]
struct Journal {
    sequence: u64,
    previous: Vec<u8>,
    tasks: BTreeMap<&'static str, Task>,
}

#[derive(Clone, Default)]
struct Task {
    /// 0 or 1.
    version: u32,
    deployment: u64,
    events: Vec<What>,
    positions: BTreeMap<String, u64>,
    counts: Counts,
    hash: OutputHash,
}

fn version(index: u32) -> VersionEntry {
    let digest = Digest::of(&index.to_be_bytes());
    VersionEntry { component: digest.0.to_vec(), config: vec![7; 32], ..Default::default() }
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).unwrap()
}

impl Story {
    pub fn new() -> Self {
        let manifest = parse::parse("pipeline.toml", MANIFEST).unwrap_or_else(|e| panic!("{e}"));
        let task = |input: &str| Task { positions: BTreeMap::from([(input.into(), 0)]), ..Default::default() };
        let journal = || Journal {
            tasks: BTreeMap::from([("first", task("in")), ("second", task("mid"))]),
            ..Default::default()
        };
        Self { manifest, log: MemoryLog::default(), shards: vec![journal(), journal()], made: 0 }
    }

    /// Everything a verification looks at, on both shards; ended and drained.
    pub fn full() -> Self {
        let mut story = Self::new();
        for shard in [0, 1] {
            story.fused(shard);
            story.tick(shard);
            story.apart(shard);
            story.cutover(shard, "second", 1, 4);
            story.fused(shard);
            story.fused(shard);
            story.catch_up(shard);
        }
        story
    }

    /// One record through both stages in one transaction.
    pub fn fused(&mut self, shard: u32) {
        let (offset, id, key) = self.take_in(shard);
        self.read(shard, "first", "in", offset);
        let mid = id.emission(&StageName::new("first").unwrap(), 0);
        let cause = format!("in/{shard}/{offset}");
        let one = self.emission(shard, "first", "mid", &mid, &cause, &key, Some("second@1"));
        self.task(shard, "second").events.push(What::Fused(Fused { topic: "mid".into(), identity: mid.to_string() }));
        self.task(shard, "second").counts.processed += 1;
        let two = self.output(shard, &mid, &format!("mid/{shard}/#first.0"), &key);
        self.commit(shard, vec![one, two], vec![]);
    }

    /// One record through both stages in two transactions.
    pub fn apart(&mut self, shard: u32) {
        self.catch_up(shard);
        let (offset, id, key) = self.take_in(shard);
        self.read(shard, "first", "in", offset);
        let mid = id.emission(&StageName::new("first").unwrap(), 0);
        let one = self.emission(shard, "first", "mid", &mid, &format!("in/{shard}/{offset}"), &key, None);
        let offset = self.log.end("mid", shard);
        self.commit(shard, vec![one], vec![]);
        self.read(shard, "second", "mid", offset);
        let two = self.output(shard, &mid, &format!("mid/{shard}/{offset}"), &key);
        self.commit(shard, vec![two], vec![]);
    }

    /// The first stage refuses a record.
    pub fn refused(&mut self, shard: u32) {
        let (offset, id, key) = self.take_in(shard);
        self.read(shard, "first", "in", offset);
        let mut letter = self.record(shard, "first", "p.dlq", &id, &format!("in/{shard}/{offset}"), &key);
        letter.headers.push(Header::new(headers::CODE, "bad"));
        let task = self.task(shard, "first");
        task.counts.rejected += 1;
        task.hash.add(&letter);
        self.commit(shard, vec![letter], vec![]);
    }

    pub fn tick(&mut self, shard: u32) {
        self.made += 1;
        let ticks = topic("p.ticks");
        let id = Identity::tick(&ticks, Shard(shard), Timestamp(self.made as i64));
        for stage in STAGES {
            let event = What::Fused(Fused { topic: ticks.to_string(), identity: id.to_string() });
            self.task(shard, stage).events.push(event);
        }
        let headers = vec![
            Header::new(headers::ID, id.to_string()),
            Header::new(headers::DONE, "first@1,second@1"),
        ];
        let value = Some(Bytes::from(self.made.to_string()));
        let tick =
            NewRecord { topic: ticks, shard: Shard(shard), timestamp: Timestamp(0), key: None, value, headers };
        self.commit(shard, vec![tick], vec![]);
    }

    /// The second stage passes what it was fused on.
    pub fn catch_up(&mut self, shard: u32) {
        let (from, next) = (self.task(shard, "second").positions["mid"], self.log.end("mid", shard));
        if from < next {
            let task = self.task(shard, "second");
            task.events.push(What::Run(Run { topic: "mid".into(), from, next }));
            task.positions.insert("mid".into(), next);
            task.counts.skipped += next - from;
            self.commit(shard, vec![], vec![]);
        }
    }

    pub fn cutover(&mut self, shard: u32, stage: &'static str, to: u32, deployment: u64) {
        let task = self.task(shard, stage);
        let receipt = Receipt {
            deployment,
            stage: stage.into(),
            shard,
            old: task.version,
            new: to,
            positions: positions(task),
            processed_before: task.counts.processed,
            ..Default::default()
        };
        task.version = to;
        task.deployment = deployment;
        self.commit(shard, vec![], vec![receipt]);
    }

    fn task(&mut self, shard: u32, stage: &str) -> &mut Task {
        self.shards[shard as usize].tasks.get_mut(stage).unwrap()
    }

    /// Puts a record on the head; its offset, identity and key.
    fn take_in(&mut self, shard: u32) -> (u64, Identity, String) {
        self.made += 1;
        let key = format!("key-{}", self.made);
        let record = NewRecord {
            topic: topic("in"),
            shard: Shard(shard),
            timestamp: Timestamp(1),
            key: Some(key.clone().into()),
            value: Some(Bytes::from_static(b"{}")),
            headers: vec![],
        };
        let offset = self.log.append(vec![record]).unwrap().offsets[0];
        (offset.0, Identity::root(&topic("in"), Shard(shard), offset), key)
    }

    fn read(&mut self, shard: u32, stage: &str, topic: &str, offset: u64) {
        let task = self.task(shard, stage);
        let from = task.positions[topic];
        task.events.push(What::Run(Run { topic: topic.into(), from, next: offset + 1 }));
        task.positions.insert(topic.into(), offset + 1);
        task.counts.processed += 1;
    }

    fn output(&mut self, shard: u32, input: &Identity, cause: &str, key: &str) -> NewRecord {
        let id = input.emission(&StageName::new("second").unwrap(), 0);
        self.emission(shard, "second", "out", &id, cause, key, None)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of a record, each of another kind")]
    fn emission(
        &mut self,
        shard: u32,
        stage: &str,
        to: &str,
        id: &Identity,
        cause: &str,
        key: &str,
        done: Option<&str>,
    ) -> NewRecord {
        let mut record = self.record(shard, stage, to, id, cause, key);
        record.headers.extend(done.map(|mark| Header::new(headers::DONE, mark.to_owned())));
        let task = self.task(shard, stage);
        task.counts.emitted += 1;
        task.hash.add(&record);
        record
    }

    fn record(&mut self, shard: u32, stage: &str, to: &str, id: &Identity, cause: &str, key: &str) -> NewRecord {
        let digest = version(self.task(shard, stage).version).id().unwrap().component;
        NewRecord {
            topic: topic(to),
            shard: Shard(shard),
            timestamp: Timestamp(2),
            key: Some(key.to_owned().into()),
            value: Some(format!("{{\"of\":\"{id}\"}}").into()),
            headers: vec![
                Header::new(headers::ID, id.to_string()),
                Header::new(headers::CAUSE, cause.to_owned()),
                Header::new(headers::ROOT_TIME, "1000"),
                Header::new(headers::STAGE, stage.to_owned()),
                Header::new(headers::DIGEST, digest.short()),
            ],
        }
    }

    /// Appends a transaction: its records and its journal record.
    fn commit(&mut self, shard: u32, mut records: Vec<NewRecord>, receipts: Vec<Receipt>) {
        let journal = &mut self.shards[shard as usize];
        journal.sequence += 1;
        let tasks = STAGES.map(|stage| {
            let task = journal.tasks.get_mut(stage).unwrap();
            let version = task.version;
            let events = std::mem::take(&mut task.events);
            TaskEntry {
                stage: stage.into(),
                version,
                deployment: task.deployment,
                events: events.into_iter().map(|what| Event { version, what: Some(what) }).collect(),
                positions: positions(task),
                counts: Some(task.counts),
                output_hash: task.hash.0.to_vec(),
                now: 0,
                generation: 1,
            }
        });
        let bytes = JournalRecord {
            sequence: journal.sequence,
            previous: std::mem::take(&mut journal.previous),
            epoch: 1,
            contract: CONTRACT.into(),
            engine: "none".into(),
            versions: vec![version(0), version(1)],
            tasks: tasks.into(),
            receipts,
            last_tick: 0,
            at_micros: 0,
        }
        .encode_bytes();
        journal.previous = JournalRecord::hash(&bytes).0.to_vec();
        records.push(NewRecord {
            topic: topic("p.journal"),
            shard: Shard(shard),
            timestamp: Timestamp(3),
            key: Some(shard.to_string().into()),
            value: Some(bytes.into()),
            headers: vec![],
        });
        self.log.append(records).unwrap();
    }

    pub fn sequence(&self, shard: u32) -> u64 {
        self.shards[shard as usize].sequence
    }

    /// Changes one journal record and writes every later one anew, so that the chain holds.
    pub fn rewrite(&self, shard: u32, change: impl Fn(&mut JournalRecord)) {
        self.log.edit("p.journal", shard, |records| {
            let mut previous = Vec::new();
            for record in records {
                let mut entry = JournalRecord::decode_bytes(record.value.as_ref().unwrap()).unwrap();
                entry.previous = previous;
                change(&mut entry);
                let bytes = entry.encode_bytes();
                previous = JournalRecord::hash(&bytes).0.to_vec();
                record.value = Some(bytes.into());
            }
        });
    }

    pub fn offset_of(&self, topic: &str, shard: u32, index: usize) -> Offset {
        self.log.edit(topic, shard, |records| records[index].offset)
    }
}

fn positions(task: &Task) -> Vec<Position> {
    task.positions.iter().map(|(topic, next)| Position { topic: topic.clone(), next: *next }).collect()
}
