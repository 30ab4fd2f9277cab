//! Shards with the four stages, and the topics between them.

use std::collections::{BTreeMap, VecDeque};

use fermata_account::Account;
use fermata_confirm::Confirm;
use fermata_inflight::Inflight;
use fermata_payments::topics;
use fermata_stage::testing::TestContext;
use fermata_stage::{Emission, Input, Rejection, Stage as _};
use fermata_validate::Validate;
use serde_json::{Value, json};

/// When the clocks begin.
pub const START: i64 = 1_795_388_462_000;
/// What `inflight` is configured with, in milliseconds.
pub const TIMEOUT: i64 = 30_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Validate,
    Inflight,
    Account,
    Confirm,
}

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
    contexts: BTreeMap<Stage, TestContext>,
    lanes: BTreeMap<Lane, VecDeque<Input>>,
}

/// A record that a stage could not process when it came.
pub struct DeadLetter {
    shard: usize,
    stage: Stage,
    input: Input,
}

pub struct Cluster {
    pub shards: Vec<Shard>,
    /// Lost for a while, to be redriven.
    pub faulted: Vec<DeadLetter>,
    /// Rejected by the stage itself.
    pub rejected: Vec<(Input, Rejection)>,
    /// Values of every record of every topic, in the order of their making.
    pub records: BTreeMap<&'static str, Vec<Value>>,
    /// Every third call is for the newer version, as in the middle of a swap that goes back and forth.
    calls: u64,
    versions: Versions,
}

/// Both versions of each stage, over one state.
struct Versions {
    validate: Validate<0>,
    validate_1: Validate<1>,
    inflight: Inflight<0>,
    inflight_1: Inflight<1>,
    account: Account<0>,
    account_1: Account<1>,
    confirm: Confirm<0>,
    confirm_1: Confirm<1>,
}

fn config<T: serde::de::DeserializeOwned>(config: Value) -> T {
    serde_json::from_value(config).expect("of its types")
}

impl Versions {
    fn new(one_debit_in_flight: bool) -> Self {
        let account = || config(json!({ "auto-open": true, "one-debit-in-flight": one_debit_in_flight }));
        Self {
            validate: Validate::init(config(json!({}))).expect("valid"),
            validate_1: Validate::init(config(json!({}))).expect("valid"),
            inflight: Inflight::init(config(json!({}))).expect("valid"),
            inflight_1: Inflight::init(config(json!({}))).expect("valid"),
            account: Account::init(account()).expect("valid"),
            account_1: Account::init(account()).expect("valid"),
            confirm: Confirm::init(config(json!({}))).expect("valid"),
            confirm_1: Confirm::init(config(json!({}))).expect("valid"),
        }
    }
}

fn process<S: fermata_stage::Stage>(cx: &mut TestContext, stage: &S, input: Input) -> Result<Vec<Emission>, Rejection> {
    Ok(cx.process(stage, input)?.into_iter().map(Into::into).collect())
}

fn fire<S: fermata_stage::Stage>(cx: &mut TestContext, stage: &S) -> Vec<Emission> {
    let fired = cx.fire_due(stage);
    fired
        .into_iter()
        .flat_map(|outcome| outcome.expect("timers do not fail"))
        .map(Into::into)
        .collect()
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
    pub fn new(shards: usize, one_debit_in_flight: bool) -> Self {
        let shard = || {
            let mut cx = TestContext::new();
            cx.set_now(START);
            let stages = [Stage::Validate, Stage::Inflight, Stage::Account, Stage::Confirm];
            let contexts = stages.map(|stage| (stage, cx.clone())).into();
            Shard {
                contexts,
                lanes: LANES.map(|lane| (lane, VecDeque::new())).into(),
            }
        };
        Self {
            shards: (0..shards).map(|_| shard()).collect(),
            faulted: Vec::new(),
            rejected: Vec::new(),
            records: BTreeMap::new(),
            calls: 0,
            versions: Versions::new(one_debit_in_flight),
        }
    }

    pub fn context(&self, shard: usize, stage: Stage) -> &TestContext {
        &self.shards[shard].contexts[&stage]
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
        if let Some(input) = self.take(shard, lane) {
            self.process(shard, lane.0, input);
        }
    }

    /// The next record of a lane becomes a dead letter, as of a fault.
    pub fn fault(&mut self, shard: usize, lane: Lane) {
        if let Some(input) = self.take(shard, lane) {
            self.faulted.push(DeadLetter {
                shard,
                stage: lane.0,
                input,
            });
        }
    }

    /// A dead letter goes to the stage that failed, and to no other.
    pub fn redrive(&mut self, index: usize) {
        let DeadLetter { shard, stage, input } = self.faulted.remove(index);
        self.process(shard, stage, input);
    }

    fn take(&mut self, shard: usize, lane: Lane) -> Option<Input> {
        self.shards[shard].lanes.get_mut(&lane).and_then(VecDeque::pop_front)
    }

    fn process(&mut self, shard: usize, stage: Stage, input: Input) {
        self.calls += 1;
        let (versions, newer) = (&self.versions, self.calls.is_multiple_of(3));
        let cx = self.shards[shard]
            .contexts
            .get_mut(&stage)
            .expect("every shard has every stage");
        let outcome = match (stage, newer) {
            (Stage::Validate, false) => process(cx, &versions.validate, input.clone()),
            (Stage::Validate, true) => process(cx, &versions.validate_1, input.clone()),
            (Stage::Inflight, false) => process(cx, &versions.inflight, input.clone()),
            (Stage::Inflight, true) => process(cx, &versions.inflight_1, input.clone()),
            (Stage::Account, false) => process(cx, &versions.account, input.clone()),
            (Stage::Account, true) => process(cx, &versions.account_1, input.clone()),
            (Stage::Confirm, false) => process(cx, &versions.confirm, input.clone()),
            (Stage::Confirm, true) => process(cx, &versions.confirm_1, input.clone()),
        };
        match outcome {
            Ok(emissions) => self.append(stage, emissions),
            Err(rejection) => self.rejected.push((input, rejection)),
        }
    }

    /// Time passes on one shard; what is due there fires.
    pub fn tick(&mut self, shard: usize, millis: i64) {
        self.calls += 1;
        for stage in [Stage::Validate, Stage::Inflight, Stage::Account, Stage::Confirm] {
            let versions = &self.versions;
            let cx = self.shards[shard]
                .contexts
                .get_mut(&stage)
                .expect("every shard has every stage");
            cx.set_now(fermata_stage::Reader::now(cx) + millis);
            let emissions = match stage {
                Stage::Validate => fire(cx, &versions.validate),
                Stage::Inflight => fire(cx, &versions.inflight),
                Stage::Account => fire(cx, &versions.account),
                Stage::Confirm => fire(cx, &versions.confirm),
            };
            self.append(stage, emissions);
        }
    }

    fn append(&mut self, stage: Stage, emissions: Vec<Emission>) {
        for emission in emissions {
            let key = emission.key.expect("all messages of this pipeline have keys");
            let value = emission.value.expect("and values");
            self.produce(topic(stage, &emission.port), &key, value);
        }
    }

    /// Payments that are open, over all shards.
    pub fn in_flight(&self) -> usize {
        (0..self.shards.len())
            .map(|shard| self.context(shard, Stage::Inflight).entries("open").len())
            .sum()
    }

    /// Everything is read, dead letters are redriven, and time passes until nothing is in flight.
    pub fn drain(&mut self) {
        for _ in 0..1_000 {
            while let Some((shard, lane)) = self.unread().first().copied() {
                self.deliver(shard, lane);
            }
            if !self.faulted.is_empty() {
                self.redrive(0);
            } else if self.in_flight() > 0 {
                for shard in 0..self.shards.len() {
                    self.tick(shard, TIMEOUT);
                }
            } else {
                return;
            }
        }
        panic!("{} payments stay open", self.in_flight());
    }
}
