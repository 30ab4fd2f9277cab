//! Two stages, `first: in -> mid` and `second: mid -> out`, on two shards, and their journals.

use std::collections::BTreeMap;

use bytes::Bytes;
use fermata_core::journal::{
    CONTRACT, Counts, Event, Fused, JournalRecord, Position, Receipt, Run, TaskEntry, VersionEntry, What,
};
use fermata_core::manifest::{Manifest, parse};
use fermata_core::names::headers;
use fermata_core::output_hash::OutputHash;
use fermata_core::partition::shard_of;
use fermata_core::ports::Log;
use fermata_core::{Digest, Header, Identity, NewRecord, Offset, Shard, StageName, Timestamp, TopicName};

use super::memory::MemoryLog;
use super::stages;

const MANIFEST: &str = r#"
manifest = 1
name = "p"
partitions = 2
topics.in = { head = true }
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
    /// The second stage sets a timer for every record, which emits one record more.
    timers: bool,
}

#[derive(Default)]
struct Journal {
    sequence: u64,
    previous: Vec<u8>,
    last_tick: i64,
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
    /// Timers by due time and id, with the key of the record that set them.
    timers: BTreeMap<(i64, String), String>,
}

fn version(stage: &str, index: u32, timers: bool) -> VersionEntry {
    let component = Digest::of(&stages::component(stage, index));
    let config_json = format!("{{\"timers\":{timers}}}");
    VersionEntry {
        component: component.0.to_vec(),
        config: Digest::of(config_json.as_bytes()).0.to_vec(),
        schemas: Vec::new(),
        config_json,
    }
}

/// Place of a stage's version among those of a journal record.
fn place(stage: &str, index: u32) -> u32 {
    index + if stage == STAGES[0] { 0 } else { 2 }
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name).unwrap()
}

impl Story {
    pub fn new() -> Self {
        let manifest = parse::parse("pipeline.toml", MANIFEST).unwrap_or_else(|e| panic!("{e}"));
        let task = |input: &str| Task {
            positions: BTreeMap::from([(input.into(), 0)]),
            ..Default::default()
        };
        let journal = || Journal {
            tasks: BTreeMap::from([("first", task("in")), ("second", task("mid"))]),
            ..Default::default()
        };
        Self {
            manifest,
            log: MemoryLog::default(),
            shards: vec![journal(), journal()],
            made: 0,
            timers: false,
        }
    }

    pub fn with_timers() -> Self {
        Self {
            timers: true,
            ..Self::new()
        }
    }

    /// Everything a verification looks at, on both shards; ended and drained.
    pub fn full() -> Self {
        Self::new().told()
    }

    pub fn told(self) -> Self {
        let mut story = self;
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
        self.task(shard, "second").events.push(What::Fused(Fused {
            topic: "mid".into(),
            identity: mid.to_string(),
        }));
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
        let (offset, id, key) = self.take_in_value(shard, stages::REFUSED);
        self.read(shard, "first", "in", offset);
        let mut letter = self.record(shard, "first", "p.dlq", &id, &format!("in/{shard}/{offset}"), &key);
        letter.value = Some(Bytes::from_static(stages::REFUSED));
        letter.headers.push(Header::new(headers::CODE, stages::CODE));
        let task = self.task(shard, "first");
        task.counts.rejected += 1;
        task.hash.add(&letter);
        self.commit(shard, vec![letter], vec![]);
    }

    pub fn tick(&mut self, shard: u32) {
        self.made += 1;
        // Far enough apart for every timer to be due at the next.
        let at = 1_000 * self.made as i64;
        self.shards[shard as usize].last_tick = at;
        let ticks = topic("p.ticks");
        let id = Identity::tick(&ticks, Shard(shard), Timestamp(at));
        for stage in STAGES {
            let event = What::Fused(Fused {
                topic: ticks.to_string(),
                identity: id.to_string(),
            });
            self.task(shard, stage).events.push(event);
        }
        let mut records = self.fire(shard, &id);
        let headers = vec![
            Header::new(headers::ID, id.to_string()),
            Header::new(headers::DONE, "first@1,second@1"),
        ];
        let value = Some(Bytes::from(at.to_string()));
        let timestamp = Timestamp(at);
        records.push(NewRecord {
            topic: ticks,
            shard: Shard(shard),
            timestamp,
            key: None,
            value,
            headers,
        });
        self.commit(shard, records, vec![]);
    }

    /// Every timer of the second stage is due at the next tick; each emits a record that bears its id as key.
    fn fire(&mut self, shard: u32, tick: &Identity) -> Vec<NewRecord> {
        let second = StageName::new("second").unwrap();
        let due = std::mem::take(&mut self.task(shard, "second").timers);
        let mut records = Vec::new();
        for ((_, timer), _key) in due {
            let id = Identity::timer(tick, &second, &timer);
            let task = self.task(shard, "second");
            task.counts.processed += 1;
            task.counts.timers += 1;
            let cause = format!("p.ticks/{shard}/#");
            let mut record = self.emission(shard, "second", "out", &id.emission(&second, 0), &cause, &timer, None);
            record.shard = shard_of(timer.as_bytes(), 2);
            records.push(record);
        }
        records
    }

    /// The second stage passes what it was fused on.
    pub fn catch_up(&mut self, shard: u32) {
        let (from, next) = (self.task(shard, "second").positions["mid"], self.log.end("mid", shard));
        if from < next {
            let task = self.task(shard, "second");
            task.events.push(What::Run(Run {
                topic: "mid".into(),
                from,
                next,
            }));
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
            old: place(stage, task.version),
            new: place(stage, to),
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
        self.take_in_value(shard, b"{}")
    }

    fn take_in_value(&mut self, shard: u32, value: &'static [u8]) -> (u64, Identity, String) {
        let key = loop {
            self.made += 1;
            let key = format!("key-{}", self.made);
            if shard_of(key.as_bytes(), 2) == Shard(shard) {
                break key;
            }
        };
        let record = NewRecord {
            topic: topic("in"),
            shard: Shard(shard),
            timestamp: Timestamp(1),
            key: Some(key.clone().into()),
            value: Some(Bytes::from_static(value)),
            headers: vec![],
        };
        let offset = self.log.append(vec![record]).unwrap().offsets[0];
        (offset.0, Identity::root(&topic("in"), Shard(shard), offset), key)
    }

    fn read(&mut self, shard: u32, stage: &str, topic: &str, offset: u64) {
        let task = self.task(shard, stage);
        let from = task.positions[topic];
        task.events.push(What::Run(Run {
            topic: topic.into(),
            from,
            next: offset + 1,
        }));
        task.positions.insert(topic.into(), offset + 1);
        task.counts.processed += 1;
    }

    fn output(&mut self, shard: u32, input: &Identity, cause: &str, key: &str) -> NewRecord {
        let id = input.emission(&StageName::new("second").unwrap(), 0);
        if self.timers {
            let at = self.shards[shard as usize].last_tick + 1;
            let task = self.task(shard, "second");
            let timer = stages::timer(task.counts.emitted + 1);
            task.timers.insert((at, timer), key.to_owned());
        }
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
        record
            .headers
            .extend(done.map(|mark| Header::new(headers::DONE, mark.to_owned())));
        let task = self.task(shard, stage);
        task.counts.emitted += 1;
        task.hash.add(&record);
        record
    }

    fn record(&mut self, shard: u32, stage: &str, to: &str, id: &Identity, cause: &str, key: &str) -> NewRecord {
        let timers = self.timers;
        let task = self.task(shard, stage);
        let digest = version(stage, task.version, timers).id().unwrap().component;
        let value = stages::value(id.as_str(), task.counts.emitted + 1);
        NewRecord {
            topic: topic(to),
            shard: Shard(shard),
            timestamp: Timestamp(2),
            key: Some(key.to_owned().into()),
            value: Some(value.into()),
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
            let version = place(stage, task.version);
            let events = std::mem::take(&mut task.events);
            TaskEntry {
                stage: stage.into(),
                version,
                deployment: task.deployment,
                events: events
                    .into_iter()
                    .map(|what| Event {
                        version,
                        what: Some(what),
                    })
                    .collect(),
                positions: positions(task),
                counts: Some(task.counts),
                output_hash: task.hash.0.to_vec(),
                now: journal.last_tick,
                generation: 1,
                ..Default::default()
            }
        });
        let bytes = JournalRecord {
            sequence: journal.sequence,
            previous: std::mem::take(&mut journal.previous),
            epoch: 1,
            contract: CONTRACT.into(),
            engine: "none".into(),
            versions: STAGES
                .iter()
                .flat_map(|s| [0, 1].map(|index| version(s, index, self.timers)))
                .collect(),
            tasks: tasks.into(),
            receipts,
            last_tick: journal.last_tick,
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
    task.positions
        .iter()
        .map(|(topic, next)| Position {
            topic: topic.clone(),
            next: *next,
        })
        .collect()
}
