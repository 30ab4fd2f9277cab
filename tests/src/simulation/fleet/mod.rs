//! Several instances of one pipeline on one simulated log, from one seed: each with its own controller and workers, which
//! live, die, lose touch with the log or with each other, and move shards among them. What must hold is what must hold
//! of one instance, and besides: once a drain has ended well, no instance takes in a record before somebody resumes.

mod act;
mod calm;
mod node;
mod plan;

pub use plan::{Action, Plan};

use super::Violation;
use super::checks::{self, Checks};
use super::load::Load;
use super::operators::Operators;
use super::plane::{Decided, Plane};
use crate::simulated::{Faults, Injected, Mode, Simulated};
use fermata_core::ports::Log;
use node::{Ground, Node};
use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub struct Fleet {
    plan: Plan,
    ground: Ground,
    log: Simulated,
    nodes: Vec<Option<Node>>,
    operators: Operators,
    load: Load,
    checks: Checks,
    plane: Plane,
    ran: Ran,
}

/// What a run did, to show that it did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub confirmed: u64,
    pub failed: u64,
    /// Instances begun and killed.
    pub starts: u64,
    pub kills: u64,
    /// Instances that took the lead, and gave it away or lost it while they lived.
    pub leaders: u64,
    pub deposed: u64,
    pub evacuated: u64,
    pub decided: Decided,
    pub injected: Injected,
}

impl AddAssign for Ran {
    fn add_assign(&mut self, other: Self) {
        self.confirmed += other.confirmed;
        self.failed += other.failed;
        self.starts += other.starts;
        self.kills += other.kills;
        self.leaders += other.leaders;
        self.deposed += other.deposed;
        self.evacuated += other.evacuated;
        self.decided += other.decided;
        self.injected += other.injected;
    }
}

/// Runs a plan; a panic is a violation like any other.
pub fn run(plan: &Plan) -> Result<Ran, Violation> {
    let run = catch_unwind(AssertUnwindSafe(|| Fleet::new(plan.clone()).run()));
    run.unwrap_or_else(|payload| {
        let said = payload.downcast_ref::<String>().cloned();
        let said = said.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        checks::bad(format!("panicked: {}", said.unwrap_or_default()))
    })
}

impl Fleet {
    fn new(plan: Plan) -> Self {
        let manifest = super::manifest();
        let log = Simulated::new(plan.seed, Mode::Kafka, Faults::NONE);
        let mut topics = fermata_runtime::worker::topics(&manifest);
        topics.extend(fermata_runtime::nodes::topics(&manifest.name));
        log.ensure(&topics).expect("no faults yet");
        Self {
            ground: Ground::new(&plan, manifest.clone(), log.clone()),
            nodes: (0..plan.nodes).map(|_| None).collect(),
            operators: Operators::new(plan.seed, log.clone(), manifest.clone()),
            load: Load::new(plan.seed),
            checks: Checks::new(manifest.clone()),
            plane: Plane::new(manifest),
            ran: Ran::default(),
            log,
            plan,
        }
    }

    fn run(mut self) -> Result<Ran, Violation> {
        self.load.fund(&self.log, &self.ground.manifest);
        self.calm("funding")?;
        self.log.set_faults(self.plan.faults);
        for action in std::mem::take(&mut self.plan.actions) {
            self.act(&action)?;
            self.check()?;
        }
        self.log.set_faults(Faults::NONE);
        self.calm("the end")?;
        self.sum_up()
    }

    /// What must hold at every step.
    fn check(&mut self) -> Result<(), Violation> {
        let found = self.plane.read(&self.log)?;
        let views = self.nodes.iter().flatten().next().map(|node| &node.views);
        let (checks, plane, log) = (&mut self.checks, &mut self.plane, &self.log);
        log.undisturbed(|| {
            checks.step(log, plane, views)?;
            match views.filter(|_| found.drained) {
                Some(views) => checks.drained(views),
                None => Ok(()),
            }
        })
    }

    fn sum_up(mut self) -> Result<Ran, Violation> {
        for node in self.nodes.iter().flatten() {
            self.checks.drained(&node.views)?;
            if node.controller.view().state().fold != *self.plane.fold() {
                return checks::bad(format!("node {} knows other facts than the topic", node.index));
            }
        }
        self.plane.ended()?;
        let counted = self.checks.counted();
        self.ran.confirmed = counted.confirmed;
        self.ran.failed = counted.failed;
        self.ran.evacuated = self.plane.fold().evacuating.values().filter(|e| e.done).count() as u64;
        self.ran.injected = self.log.injected();
        self.ran.decided = self.plane.decided();
        Ok(self.ran)
    }
}
