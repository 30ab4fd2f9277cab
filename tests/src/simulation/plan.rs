//! One run as data: a seed says all of it, and any part of it can be left out to see what a failure needs.
//!
//! Each seed picks which kinds of faults and of actions it knows at all (swarm testing): a run in which everything
//! happens at once hides what needs a quiet hour, and a run that knows few kinds is cheap and easily read.

use crate::simulated::{Faults, Mode};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What one run is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub mode: Mode,
    pub faults: Faults,
    pub workers: usize,
    /// Records that one batch of a worker may gather.
    pub batch: usize,
    /// Each worker has a store of its own, restored from the changelog.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stores: bool,
    /// What happens before the end is sought.
    pub actions: Vec<Action>,
}

/// Something that happens. Everything random about it is already decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// One step of a worker.
    Work(usize),
    /// One step of the leader.
    Lead,
    /// Payment number `n` is sent.
    Pay(u32),
    /// Time passes, milliseconds.
    Pass(u64),
    /// The wall clock is set, milliseconds.
    Jump(i64),
    KillWorker(usize),
    StartWorker(usize),
    /// The shard goes to the worker; its holder is told first.
    Move(u32, usize),
    /// The shard goes to another worker; its holder hears of it or not.
    Lose(u32),
    Usurp(u32),
    /// The process with the leader and all workers dies.
    Kill,
    /// It will die at the leader's n-th call of the log from now; an append has happened by then, or has not.
    Doom {
        calls: u32,
        landed: bool,
    },
    /// The leader's next append happens, and its answer is lost.
    Mute,
    /// The process stops for so long that another one takes its place; its leader wakes up later.
    Freeze,
    /// One step of a leader that was frozen.
    Wake,
    /// A process starts, if none runs.
    Start,
    /// An operator asks for something.
    Order(Order),
    /// The n-th command so far is appended again.
    Repeat(usize),
    /// Commands that were held up arrive, the last first.
    Arrive,
    /// Something that is no command lands on the control topic.
    Garbage(u8),
    /// A worker's store does what it does from time to time.
    Tend(usize),
    /// A worker dies, and something befalls its disk.
    Harm(usize, Harm),
    /// The broker cleans the changelog.
    Compact,
}

/// What befalls a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    Wipe,
    /// The power goes: what was not synced is lost.
    Cut,
    /// It is copied...
    Keep,
    /// ... and comes back as it was then.
    RollBack,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub wish: Wish,
    pub delivery: Delivery,
    pub expects: Expects,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    Pause,
    Resume,
    Drain {
        timeout_ms: u64,
    },
    Deploy {
        stage: usize,
        candidate: Candidate,
        probation_ms: u64,
    },
    Rollback {
        stage: usize,
    },
}

/// Which version of a stage is to be deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Candidate {
    First,
    Second,
    /// Faults on some records; kept in probation for as long as a run lasts.
    Fragile,
    /// Its `init` refuses.
    Stillborn,
    /// Prepares, and then cannot be instantiated.
    Once,
    /// Lacks a port.
    Misfit,
    /// Nobody has its bytes.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    Once,
    Twice,
    /// Lies somewhere until [`Action::Arrive`].
    Held,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expects {
    Anything,
    /// The epoch that the operator sees.
    Now,
    /// The one before.
    Stale,
}

/// Longer than a run lasts: its probation does not end by itself.
pub const FOR_EVER_MS: u64 = 86_400_000;

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut faults = Faults::HARSH;
        for kind in faults.kinds() {
            if rng.random_bool(0.5) {
                *kind = 0.0;
            }
        }
        let mode = if rng.random_bool(0.3) {
            Mode::Embedded
        } else {
            Mode::Kafka
        };
        let workers = rng.random_range(1..4);
        let batch = rng.random_range(1..8);
        let weights = Weights::some(&mut rng);
        let steps = rng.random_range(60..240);
        let mut payments = 0;
        let actions = (0..steps)
            .map(|_| weights.draw(&mut rng, workers, &mut payments))
            .collect();
        Self {
            seed,
            mode,
            faults,
            workers,
            batch,
            stores: false,
            actions,
        }
    }

    /// As [`Self::of`], with stores of the workers' own on disks that suffer.
    pub fn with_stores(seed: u64) -> Self {
        let mut plan = Self::of(seed);
        // Its own numbers: the plan of the seed stays what it is.
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0057_07e5);
        plan.mode = Mode::Kafka;
        plan.stores = true;
        plan.workers = rng.random_range(2..4);
        plan.faults.late_marker = if rng.random_bool(0.7) { 0.3 } else { 0.0 };
        let actions = std::mem::take(&mut plan.actions);
        for action in actions {
            plan.actions.push(action);
            if rng.random_ratio(1, 3) {
                let disturbed = disturb(&mut rng, plan.workers);
                plan.actions.push(disturbed);
            }
        }
        plan
    }
}

fn disturb(rng: &mut ChaCha8Rng, workers: usize) -> Action {
    let worker = rng.random_range(0..workers);
    match rng.random_range(0..100) {
        0..50 => Action::Tend(worker),
        50..65 => Action::Work(worker),
        65..75 => Action::StartWorker(worker),
        75..78 => Action::Harm(worker, Harm::Wipe),
        78..84 => Action::Harm(worker, Harm::Cut),
        84..88 => Action::Harm(worker, Harm::Keep),
        88..91 => Action::Harm(worker, Harm::RollBack),
        91..97 => Action::Compact,
        // Long enough for state to grow old, or nearly so.
        _ => Action::Pass(rng.random_range(200_000..900_000)),
    }
}

/// How likely each kind of action is, in this run.
struct Weights([(Kind, u32); Kind::ALL.len()]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Work,
    Lead,
    Pay,
    Pass,
    Wait,
    Jump,
    KillWorker,
    StartWorker,
    Move,
    Lose,
    Usurp,
    Kill,
    Doom,
    Mute,
    Freeze,
    Wake,
    Start,
    Pause,
    Resume,
    Drain,
    Deploy,
    Rollback,
    Repeat,
    Arrive,
    Garbage,
}

impl Kind {
    const ALL: [(Self, u32); 25] = [
        (Self::Work, 500),
        (Self::Lead, 160),
        (Self::Pay, 130),
        (Self::Pass, 110),
        (Self::Wait, 10),
        (Self::Jump, 6),
        (Self::KillWorker, 12),
        (Self::StartWorker, 40),
        (Self::Move, 14),
        (Self::Lose, 8),
        (Self::Usurp, 8),
        (Self::Kill, 6),
        (Self::Doom, 10),
        (Self::Mute, 8),
        (Self::Freeze, 6),
        (Self::Wake, 14),
        (Self::Start, 60),
        (Self::Pause, 8),
        (Self::Resume, 14),
        (Self::Drain, 8),
        (Self::Deploy, 34),
        (Self::Rollback, 10),
        (Self::Repeat, 10),
        (Self::Arrive, 8),
        (Self::Garbage, 3),
    ];
    /// Without these nothing goes on.
    fn needed(self) -> bool {
        use Kind::{Lead, Pass, Pay, Start, StartWorker, Work};
        matches!(self, Work | Lead | Pay | Pass | Start | StartWorker)
    }
}

impl Weights {
    fn some(rng: &mut ChaCha8Rng) -> Self {
        let mut weights = Kind::ALL;
        for (kind, weight) in &mut weights {
            if !kind.needed() && rng.random_bool(0.4) {
                *weight = 0;
            }
        }
        Self(weights)
    }

    fn kind(&self, rng: &mut ChaCha8Rng) -> Kind {
        let sum = self.0.iter().map(|(_, weight)| weight).sum();
        let mut left: u32 = rng.random_range(0..sum);
        for (kind, weight) in self.0 {
            if left < weight {
                return kind;
            }
            left -= weight;
        }
        Kind::Work
    }

    fn draw(&self, rng: &mut ChaCha8Rng, workers: usize, payments: &mut u32) -> Action {
        let worker = rng.random_range(0..workers);
        let shard = rng.random_range(0..4);
        match self.kind(rng) {
            Kind::Work => Action::Work(worker),
            Kind::Lead => Action::Lead,
            Kind::Pay => {
                *payments += 1;
                Action::Pay(*payments)
            }
            Kind::Pass => Action::Pass(rng.random_range(1..120)),
            Kind::Wait => Action::Pass(rng.random_range(1_000..40_000)),
            Kind::Jump => Action::Jump(rng.random_range(-10_000..10_000)),
            Kind::KillWorker => Action::KillWorker(worker),
            Kind::StartWorker => Action::StartWorker(worker),
            Kind::Move => Action::Move(shard, worker),
            Kind::Lose => Action::Lose(shard),
            Kind::Usurp => Action::Usurp(shard),
            Kind::Kill => Action::Kill,
            Kind::Doom => Action::Doom {
                calls: rng.random_range(0..40),
                landed: rng.random_bool(0.5),
            },
            Kind::Mute => Action::Mute,
            Kind::Freeze => Action::Freeze,
            Kind::Wake => Action::Wake,
            Kind::Start => Action::Start,
            Kind::Pause => order(rng, Wish::Pause),
            Kind::Resume => order(rng, Wish::Resume),
            Kind::Drain => {
                let timeout_ms = [1, 1_000, 60_000][rng.random_range(0..3)];
                order(rng, Wish::Drain { timeout_ms })
            }
            Kind::Deploy => {
                let wish = deploy(rng);
                order(rng, wish)
            }
            Kind::Rollback => {
                let stage = rng.random_range(0..4);
                order(rng, Wish::Rollback { stage })
            }
            Kind::Repeat => Action::Repeat(rng.random_range(0..64)),
            Kind::Arrive => Action::Arrive,
            Kind::Garbage => Action::Garbage(rng.random_range(0..4)),
        }
    }
}

pub(super) fn deploy(rng: &mut ChaCha8Rng) -> Wish {
    let candidate = match rng.random_range(0..16) {
        0..=4 => Candidate::First,
        5..=9 => Candidate::Second,
        10..=11 => Candidate::Fragile,
        12 => Candidate::Stillborn,
        13 => Candidate::Once,
        14 => Candidate::Misfit,
        _ => Candidate::Unknown,
    };
    let probation_ms = match candidate {
        Candidate::Fragile => FOR_EVER_MS,
        _ => [0, 50, 500, 5_000][rng.random_range(0..4)],
    };
    let stage = rng.random_range(0..4);
    Wish::Deploy {
        stage,
        candidate,
        probation_ms,
    }
}

fn order(rng: &mut ChaCha8Rng, wish: Wish) -> Action {
    Action::Order(delivered(rng, wish))
}

pub(super) fn delivered(rng: &mut ChaCha8Rng, wish: Wish) -> Order {
    let delivery = match rng.random_range(0..10) {
        0 => Delivery::Twice,
        1 => Delivery::Held,
        2 => Delivery::Lost,
        _ => Delivery::Once,
    };
    let expects = match rng.random_range(0..10) {
        0..=1 => Expects::Now,
        2 => Expects::Stale,
        _ => Expects::Anything,
    };
    Order {
        wish,
        delivery,
        expects,
    }
}
