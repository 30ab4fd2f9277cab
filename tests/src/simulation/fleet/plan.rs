//! One run of several instances as data.

use super::super::plan::{Order, Wish, delivered, deploy};
use crate::simulated::Faults;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub faults: Faults,
    /// Instances that there may be at once.
    pub nodes: usize,
    /// Workers of each.
    pub workers: usize,
    /// Records that one batch of a worker may gather.
    pub batch: usize,
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// One step of a worker of an instance.
    Work(usize, usize),
    /// One step of an instance's controller.
    Step(usize),
    /// One step of everybody.
    Round,
    Pay(u32),
    /// Milliseconds.
    Pass(u64),
    KillWorker(usize, usize),
    StartWorker(usize, usize),
    /// The shard goes to a worker of an instance; its holder is told first.
    Move(u32, usize, usize),
    Lose(u32),
    Usurp(u32),
    Kill(usize),
    /// The instance will die at its controller's n-th call of the log; an append has happened by then, or has not.
    Doom {
        node: usize,
        calls: u32,
        landed: bool,
    },
    Start(usize),
    /// The answer to the next append of the controller is lost.
    Mute(usize),
    /// The controller cannot reach the log, though its workers can; or can again.
    Cut(usize, bool),
    /// The others cannot reach the instance, or can again.
    Deaf(usize, bool),
    Order(Order),
    Evacuate {
        node: usize,
        timeout_ms: u64,
    },
    Repeat(usize),
    Arrive,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0066_6c65_6574);
        let mut faults = Faults::HARSH;
        // A controller calls the log several times in each step.
        faults.away = 0.004;
        for kind in faults.kinds() {
            if rng.random_bool(0.5) {
                *kind = 0.0;
            }
        }
        let (nodes, workers, batch) = (rng.random_range(2..4), rng.random_range(1..3), rng.random_range(1..8));
        let weights = weights(&mut rng);
        let steps = rng.random_range(80..260);
        let mut payments = 0;
        let actions = (0..steps)
            .map(|_| draw(&weights, &mut rng, nodes, workers, &mut payments))
            .collect();
        Self {
            seed,
            faults,
            nodes,
            workers,
            batch,
            actions,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Work,
    Step,
    Round,
    Pay,
    Pass,
    Wait,
    KillWorker,
    StartWorker,
    Move,
    Lose,
    Usurp,
    Kill,
    Doom,
    Start,
    Mute,
    Cut,
    Deaf,
    Pause,
    Resume,
    Drain,
    Deploy,
    Rollback,
    Evacuate,
    Repeat,
    Arrive,
}

const KINDS: [(Kind, u32); 25] = [
    (Kind::Work, 360),
    (Kind::Step, 260),
    (Kind::Round, 60),
    (Kind::Pay, 120),
    (Kind::Pass, 110),
    (Kind::Wait, 10),
    (Kind::KillWorker, 8),
    (Kind::StartWorker, 30),
    (Kind::Move, 24),
    (Kind::Lose, 8),
    (Kind::Usurp, 8),
    (Kind::Kill, 8),
    (Kind::Doom, 8),
    (Kind::Start, 50),
    (Kind::Mute, 8),
    (Kind::Cut, 16),
    (Kind::Deaf, 8),
    (Kind::Pause, 6),
    (Kind::Resume, 16),
    (Kind::Drain, 10),
    (Kind::Deploy, 34),
    (Kind::Rollback, 10),
    (Kind::Evacuate, 4),
    (Kind::Repeat, 8),
    (Kind::Arrive, 6),
];

fn weights(rng: &mut ChaCha8Rng) -> Vec<(Kind, u32)> {
    use Kind::{Pass, Pay, Round, Start, StartWorker, Step, Work};
    let needed = |kind: Kind| matches!(kind, Work | Step | Round | Pay | Pass | Start | StartWorker);
    let mut all = KINDS.to_vec();
    all.retain(|(kind, _)| needed(*kind) || rng.random_bool(0.6));
    all
}

fn draw(weights: &[(Kind, u32)], rng: &mut ChaCha8Rng, nodes: usize, workers: usize, payments: &mut u32) -> Action {
    let sum: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random_range(0..sum);
    let chosen = weights.iter().find(|(_, weight)| {
        let here = left < *weight;
        left = left.saturating_sub(*weight);
        here
    });
    let kind = chosen.map_or(Kind::Round, |(kind, _)| *kind);
    let (node, worker, shard) = (
        rng.random_range(0..nodes),
        rng.random_range(0..workers),
        rng.random_range(0..4),
    );
    match kind {
        Kind::Work => Action::Work(node, worker),
        Kind::Step => Action::Step(node),
        Kind::Round => Action::Round,
        Kind::Pay => {
            *payments += 1;
            Action::Pay(*payments)
        }
        Kind::Pass => Action::Pass(rng.random_range(1..120)),
        Kind::Wait => Action::Pass(rng.random_range(1_000..30_000)),
        Kind::KillWorker => Action::KillWorker(node, worker),
        Kind::StartWorker => Action::StartWorker(node, worker),
        Kind::Move => Action::Move(shard, node, worker),
        Kind::Lose => Action::Lose(shard),
        Kind::Usurp => Action::Usurp(shard),
        Kind::Kill => Action::Kill(node),
        Kind::Doom => Action::Doom {
            node,
            calls: rng.random_range(0..60),
            landed: rng.random_bool(0.5),
        },
        Kind::Start => Action::Start(node),
        Kind::Mute => Action::Mute(node),
        Kind::Cut => Action::Cut(node, rng.random_bool(0.5)),
        Kind::Deaf => Action::Deaf(node, rng.random_bool(0.5)),
        Kind::Pause => Action::Order(delivered(rng, Wish::Pause)),
        Kind::Resume => Action::Order(delivered(rng, Wish::Resume)),
        Kind::Drain => {
            let timeout_ms = [1, 2_000, 60_000][rng.random_range(0..3)];
            Action::Order(delivered(rng, Wish::Drain { timeout_ms }))
        }
        Kind::Deploy => {
            let wish = deploy(rng);
            Action::Order(delivered(rng, wish))
        }
        Kind::Rollback => {
            let stage = rng.random_range(0..4);
            Action::Order(delivered(rng, Wish::Rollback { stage }))
        }
        Kind::Evacuate => Action::Evacuate {
            node,
            timeout_ms: [0, 3_000][rng.random_range(0..2)],
        },
        Kind::Repeat => Action::Repeat(rng.random_range(0..64)),
        Kind::Arrive => Action::Arrive,
    }
}
