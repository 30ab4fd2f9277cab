//! Workers and the control plane together on the simulated log and clock, driven by one seed: kills of both, moved and
//! usurped shards, aborted and unanswered commits, clocks that are set, and operators who pause, drain, deploy and roll
//! back by commands that are lost, repeated, late and in the wrong order. Invariants are checked at every step.

mod act;
mod calm;
mod checks;
mod disks;
pub mod fleet;
mod kept;
mod line;
mod load;
mod operators;
mod plan;
mod plane;
mod process;
mod ran;
mod shelf;
mod shrink;

pub use checks::Violation;
pub use disks::Counted as DisksCounted;
pub use kept::{Case, kept};
pub use plan::{Action, Harm, Plan};
pub use plane::Decided;
pub use ran::Ran;
pub use shelf::Shelf;
pub use shrink::shrink;

use crate::simulated::{Faults, Simulated};
use checks::Checks;
use fermata_core::manifest::Manifest;
use fermata_core::ports::Log;
use fermata_runtime::worker::topics;
use operators::Operators;
use plane::Plane;
use process::{Ground, Leader, Process};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

pub struct Simulation {
    plan: Plan,
    ground: Ground,
    log: Simulated,
    process: Option<Process>,
    /// A leader whose process stopped for a while, and whose place was taken.
    frozen: Option<Leader>,
    operators: Operators,
    load: load::Load,
    checks: Checks,
    plane: Plane,
    ran: Ran,
}

/// The pipeline that the repository ships, as the simulation runs it.
pub fn manifest() -> Arc<Manifest> {
    static SHIPPED: OnceLock<Arc<Manifest>> = OnceLock::new();
    let parse = || {
        let text = include_str!("../../../examples/payments/pipeline.toml");
        let manifest = fermata_core::manifest::parse::parse("examples/payments/pipeline.toml", text);
        Arc::new(manifest.expect("the shipped manifest is valid"))
    };
    SHIPPED.get_or_init(parse).clone()
}

/// Runs a plan; a panic is a violation like any other.
pub fn run(plan: &Plan) -> Result<Ran, Violation> {
    let run = catch_unwind(AssertUnwindSafe(|| Simulation::new(plan.clone()).run()));
    run.unwrap_or_else(|payload| {
        let said = payload.downcast_ref::<String>().cloned();
        let said = said.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        checks::bad(format!("panicked: {}", said.unwrap_or_default()))
    })
}

impl Simulation {
    pub fn new(plan: Plan) -> Self {
        let manifest = manifest();
        let log = Simulated::new(plan.seed, plan.mode, Faults::NONE);
        log.ensure(&topics(&manifest)).expect("no faults yet");
        Self {
            ground: Ground::new(&plan, manifest.clone(), log.clone()),
            process: None,
            frozen: None,
            operators: Operators::new(plan.seed, log.clone(), manifest.clone()),
            load: load::Load::new(plan.seed),
            checks: Checks::new(manifest.clone()),
            plane: Plane::new(manifest),
            ran: Ran::default(),
            log,
            plan,
        }
    }

    pub fn log(&self) -> &Simulated {
        &self.log
    }
    /// What ran, for those who run it again.
    pub fn shelf(&self) -> Shelf {
        self.ground.shelf.clone()
    }
    pub fn manifest(&self) -> Arc<Manifest> {
        self.ground.manifest.clone()
    }

    /// Runs the whole plan: the storm, then the calm, then the sums.
    pub fn run(mut self) -> Result<Ran, Violation> {
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
        self.check_stores()?;
        self.look(found.drained)
    }

    fn check_stores(&mut self) -> Result<(), Violation> {
        let (Some(disks), Some(process)) = (&self.ground.disks, &self.process) else {
            return Ok(());
        };
        let mut disks = disks.lock();
        for (index, worker) in process.workers.iter().enumerate() {
            if let Some(worker) = worker {
                disks.check(index, worker.shards())?;
            }
        }
        Ok(())
    }

    /// `drained`: nothing may be in flight at this moment.
    fn look(&mut self, drained: bool) -> Result<(), Violation> {
        let views = self.process.as_ref().map(|p| &p.views);
        let (checks, plane, log) = (&mut self.checks, &mut self.plane, &self.log);
        log.undisturbed(|| {
            checks.step(log, plane, views)?;
            match views.filter(|_| drained) {
                Some(views) => checks.drained(views),
                None => Ok(()),
            }
        })
    }

    fn sum_up(mut self) -> Result<Ran, Violation> {
        let Some(process) = &self.process else {
            return checks::bad("the calm left no process".into());
        };
        self.checks.drained(&process.views)?;
        self.plane.ended()?;
        let counted = self.checks.counted();
        self.ran.accepted = counted.accepted;
        self.ran.confirmed = counted.confirmed;
        self.ran.failed = counted.failed;
        self.ran.rejected = counted.rejected;
        self.ran.dead = counted.dead;
        for report in process.board.reports().values() {
            for task in report.tasks.values() {
                self.ran.skipped += task.counts.skipped;
                self.ran.timers += task.counts.timers;
            }
        }
        self.ran.commits = self.log.committed().0;
        self.ran.injected = self.log.injected();
        if let Some(disks) = &self.ground.disks {
            self.ran.disks = disks.lock().counted;
        }
        self.ran.decided = self.plane.decided();
        Ok(self.ran)
    }
}
