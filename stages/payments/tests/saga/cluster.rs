//! Shards with the four stages, and the topics between them.

use std::collections::{BTreeMap, VecDeque};

use fermata_account::Account;
use fermata_confirm::Confirm;
use fermata_inflight::Inflight;
use fermata_payments::topics;
use fermata_stage::{AnyStage, Emission, Input, Reader, Rejection, StageType};
use fermata_validate::Validate;
use serde_json::{Value, json};

use crate::memory::{Memory, Outcome};
use crate::watch::{Call, Watch};

/// When the clocks begin.
pub const START: i64 = 1_795_388_462_000;
/// What `inflight` is configured with, in milliseconds.
pub const TIMEOUT: i64 = 30_000;
/// Records that a cluster remembers having read, to read them again.
const READ: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Validate,
    Inflight,
    Account,
    Confirm,
}

pub const STAGES: [Stage; 4] = [Stage::Validate, Stage::Inflight, Stage::Account, Stage::Confirm];

/// A stage reads a topic in order; between its topics there is none.
pub type Lane = (Stage, &'static str);

pub const LANES: [Lane; 7] = [
    (Stage::Validate, topics::INCOMING),
    (Stage::Inflight, topics::ACCEPTED),
    (Stage::Inflight, topics::COMPLETE),
    (Stage::Inflight, topics::FAILED),
    (Stage::Account, topics::INFLIGHT),
    (Stage::Account, topics::COMMANDS),
    (Stage::Confirm, topics::COMPLETE),
];

/// State and unread records of one shard.
pub struct Shard {
    contexts: [Memory; 4],
    lanes: BTreeMap<Lane, VecDeque<Input>>,
}

/// A record at the stage that reads it.
#[derive(Clone)]
pub struct At {
    pub shard: usize,
    pub stage: Stage,
    pub input: Input,
}

pub struct Cluster {
    pub shards: Vec<Shard>,
    /// Lost for a while, to be redriven.
    pub faulted: Vec<At>,
    /// Rejected by the stage itself.
    pub rejected: Vec<(At, Rejection)>,
    /// Values of every record of every topic, in the order of their making.
    pub records: BTreeMap<&'static str, Vec<Value>>,
    pub watch: Watch,
    /// Records that stages have processed.
    pub delivered: u64,
    /// The last records that may be read twice; see [`Cluster::repeat`].
    read: VecDeque<At>,
    /// Every third call is for the newer version, as in the middle of a swap that goes back and forth.
    calls: u64,
    versions: Versions,
}

/// Both versions of each stage, over one state.
type Versions = [[Box<dyn AnyStage>; 2]; 4];

fn versions(validate: &Value, account: &Value) -> Versions {
    let both = |stages: [StageType; 2], config: &Value| {
        stages.map(|stage| stage.init(&config.to_string()).expect("a valid config"))
    };
    let none = json!({});
    [
        both(
            [StageType::of::<Validate<0>>(), StageType::of::<Validate<1>>()],
            validate,
        ),
        both([StageType::of::<Inflight<0>>(), StageType::of::<Inflight<1>>()], &none),
        both([StageType::of::<Account<0>>(), StageType::of::<Account<1>>()], account),
        both([StageType::of::<Confirm<0>>(), StageType::of::<Confirm<1>>()], &none),
    ]
}

/// The topic behind an output port.
fn topic(stage: Stage, port: &str) -> &'static str {
    match (stage, port) {
        (Stage::Validate, "accepted") => topics::ACCEPTED,
        (Stage::Validate, "rejected") => "payment.rejected",
        (Stage::Inflight | Stage::Account, "inflight") => topics::INFLIGHT,
        (Stage::Account, "complete") => topics::COMPLETE,
        (Stage::Account, "failed") => topics::FAILED,
        (Stage::Account, "results") => "account.results",
        (Stage::Confirm, "confirmed") => "payment.confirmed",
        (stage, port) => panic!("{stage:?} has no port {port}"),
    }
}

impl Cluster {
    /// With accounts that open by themselves.
    pub fn new(shards: usize, one_debit_in_flight: bool) -> Self {
        let account = json!({ "auto-open": true, "one-debit-in-flight": one_debit_in_flight });
        Self::with(shards, &json!({}), &account)
    }

    pub fn with(shards: usize, validate: &Value, account: &Value) -> Self {
        let shard = || Shard {
            contexts: STAGES.map(|_| Memory::at(START)),
            lanes: LANES.map(|lane| (lane, VecDeque::new())).into(),
        };
        Self {
            shards: (0..shards).map(|_| shard()).collect(),
            faulted: Vec::new(),
            rejected: Vec::new(),
            records: BTreeMap::new(),
            watch: Watch::new(shards, account["one-debit-in-flight"] == true),
            delivered: 0,
            read: VecDeque::new(),
            calls: 0,
            versions: versions(validate, account),
        }
    }

    /// The account stages are deployed anew with another config.
    pub fn redeploy(&mut self, validate: &Value, account: &Value) {
        self.versions = versions(validate, account);
        // What was in flight together before may still be.
        self.watch.one_debit &= account["one-debit-in-flight"] == true;
    }

    pub fn context(&self, shard: usize, stage: Stage) -> &Memory {
        &self.shards[shard].contexts[stage as usize]
    }

    /// Appends a record; what is keyed alike is on one shard.
    pub fn produce(&mut self, topic: &'static str, key: &[u8], value: Vec<u8>) {
        let parsed = serde_json::from_slice(&value).unwrap_or(Value::Null);
        self.records.entry(topic).or_default().push(parsed);
        let hash = key.iter().fold(7_usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(usize::from(*byte))
        });
        let shards = self.shards.len();
        for (lane, queue) in &mut self.shards[hash % shards].lanes {
            if lane.1 == topic {
                queue.push_back(Input::new(topic).with_key(key).with_value(value.clone()));
            }
        }
    }

    pub fn pay(&mut self, payment: &Value) {
        let id = payment["id"].as_str().expect("an id").to_owned();
        self.produce(topics::INCOMING, id.as_bytes(), payment.to_string().into_bytes());
    }

    pub fn command(&mut self, account: &str, command: &Value) {
        self.produce(topics::COMMANDS, account.as_bytes(), command.to_string().into_bytes());
    }

    /// Lanes with unread records.
    pub fn unread(&self) -> Vec<(usize, Lane)> {
        let lanes = self
            .shards
            .iter()
            .enumerate()
            .flat_map(|(shard, at)| at.lanes.iter().map(move |it| (shard, it)));
        lanes
            .filter(|(_, (_, queue))| !queue.is_empty())
            .map(|(shard, (lane, _))| (shard, *lane))
            .collect()
    }

    /// Delivers the next record of a lane.
    pub fn deliver(&mut self, shard: usize, lane: Lane) {
        if let Some(at) = self.take(shard, lane) {
            self.process(at);
        }
    }

    /// The next record of a lane becomes a dead letter, as of a fault.
    pub fn fault(&mut self, shard: usize, lane: Lane) {
        if let Some(at) = self.take(shard, lane) {
            self.faulted.push(at);
        }
    }

    /// A dead letter goes to the stage that failed, and to no other.
    pub fn redrive(&mut self, index: usize) {
        let at = self.faulted.remove(index);
        self.process(at);
    }

    /// A record that was read is read again. The host never does this; the accounts, and what reads the ends of
    /// payments, must bear it all the same.
    pub fn repeat(&mut self, choice: usize) {
        if !self.read.is_empty() {
            let again = self.read[choice % self.read.len()].clone();
            self.process(again);
        }
    }

    fn take(&mut self, shard: usize, lane: Lane) -> Option<At> {
        let input = self.shards[shard].lanes.get_mut(&lane).and_then(VecDeque::pop_front)?;
        let stage = lane.0;
        Some(At { shard, stage, input })
    }

    fn process(&mut self, at: At) {
        self.delivered += 1;
        let version = self.version();
        let stage = &self.versions[at.stage as usize][version];
        let cx = &mut self.shards[at.shard].contexts[at.stage as usize];
        let outcome = cx.process(&**stage, at.input.clone());
        self.concluded(at.shard, at.stage, Some(&at.input), &outcome);
        match outcome {
            Ok(emissions) => {
                self.append(at.shard, at.stage, emissions);
                if [topics::INFLIGHT, topics::COMPLETE, topics::FAILED].contains(&at.input.port.as_str()) {
                    self.read.truncate(READ - 1);
                    self.read.push_front(at);
                }
            }
            Err(rejection) => self.rejected.push((at, rejection)),
        }
    }

    /// Time passes on one shard; what is due there fires.
    pub fn tick(&mut self, shard: usize, millis: i64) {
        for stage in STAGES {
            let version = self.version();
            let cx = &mut self.shards[shard].contexts[stage as usize];
            cx.pass(millis);
            for timer in cx.take_due() {
                let cx = &mut self.shards[shard].contexts[stage as usize];
                let outcome = cx.fire(&*self.versions[stage as usize][version], timer);
                self.concluded(shard, stage, None, &outcome);
                self.append(shard, stage, outcome.expect("timers do not fail"));
            }
        }
    }

    fn version(&mut self) -> usize {
        self.calls += 1;
        usize::from(self.calls.is_multiple_of(3))
    }

    fn concluded(&mut self, shard: usize, stage: Stage, input: Option<&Input>, outcome: &Outcome) {
        let cx = &self.shards[shard].contexts[stage as usize];
        self.watch.concluded(&Call {
            shard,
            stage,
            now: cx.now(),
            input,
            outcome,
            cx,
        });
    }

    fn append(&mut self, shard: usize, stage: Stage, emissions: Vec<Emission>) {
        for emission in emissions {
            let key = emission.key.expect("all messages of this pipeline have keys");
            let value = emission.value.expect("and values");
            let topic = topic(stage, &emission.port);
            self.produce(topic, &key, value);
            let value = self.records[topic].last().expect("appended just now");
            let now = self.shards[shard].contexts[stage as usize].now();
            self.watch.emitted(topic, value, now);
        }
    }

    /// Payments that are open, over all shards.
    pub fn in_flight(&self) -> usize {
        (0..self.shards.len())
            .map(|shard| self.context(shard, Stage::Inflight).count("open"))
            .sum()
    }

    /// Everything is read, dead letters are redriven, and time passes until nothing is in flight, or nothing more
    /// happens. `order`: decides what comes first.
    pub fn settle(&mut self, mut order: u64) {
        let mut quiet = 0;
        while quiet < 4 {
            let unread = self.unread();
            // Knuth's multiplicative generator: any order would do.
            order = order
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let draw = usize::try_from(order >> 33).expect("31 bits");
            if let Some((shard, lane)) = unread.get(draw % unread.len().max(1)).copied() {
                quiet = 0;
                self.deliver(shard, lane);
            } else if !self.faulted.is_empty() {
                self.redrive(draw % self.faulted.len());
            } else if self.in_flight() > 0 {
                quiet += 1;
                for shard in 0..self.shards.len() {
                    self.tick(shard, TIMEOUT);
                }
            } else {
                return;
            }
        }
    }

    /// As [`Cluster::settle`], and nothing may stay open.
    pub fn drain(&mut self) {
        self.settle(0);
        assert_eq!(self.in_flight(), 0, "payments stay open");
    }
}
