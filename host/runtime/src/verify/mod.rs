//! Verification of a pipeline from its log alone.
//!
//! Nothing of the running pipeline is asked but the topics (through [`Log`]) and, for the manifest's invariants, the
//! answers of views. The journal says what each task did; the topics say what came of it; both must agree.
//!
//! # The cut
//! A live pipeline moves while it is read, so the order of reading decides what may be compared:
//! 1. the bounds of every topic (`settled`);
//! 2. every journal to its end: this is *the cut*, and every check is about it;
//! 3. the bounds of every topic again, then the topics up to there.
//!
//! A transaction is decided at once, but a log on several machines shows it in one partition after the other. So steps
//! 2 and 3 look where the writing has come to (`high`) and wait until all of that can be read: a record below `settled`
//! belongs to a transaction that was decided, hence written, before step 2 looked, and step 2 has read its journal
//! record; and every record of a journal read in step 2 was written before step 3 looked, and lies below its bounds. Between the two bounds a record belongs to the cut if the journal holds the event that caused it
//! (its header `fermata-cause` lies below the task's position, or is a fused input listed there); else it came
//! later and is left to the next verification. Nothing is paused, nothing tried again, and no alarm is false.

mod compare;
mod cut;
mod drained;
mod ends;
mod fused;
mod invariants;
mod journal;
mod lineage;
mod locate;
mod replay;
mod report;
mod scan;
mod task;
#[cfg(test)]
pub(crate) mod tests;
mod topics;
mod views;

use fermata_core::manifest::Manifest;
use fermata_core::ports::{Log, LogError};

pub(crate) use replay::MemoryState;
pub use replay::Replay;
pub use report::{Check, Figures, Problem, Report};
pub use views::{Part, ViewSource, Whole};

use report::Findings;

/// What to verify.
pub struct VerifySpec<'a> {
    pub manifest: &'a Manifest,
    pub log: &'a dyn Log,
    /// Answers of views, for the manifest's invariants. None: those that need a view are named in `limited`.
    pub views: Option<&'a dyn ViewSource>,
    /// Execute every journal again.
    pub replay: Option<Replay<'a>>,
}

/// Checks everything that the log can prove. The error is only that the log could not be read.
pub fn verify(spec: &VerifySpec<'_>) -> Result<Report, LogError> {
    let mut findings = Findings::default();
    let settled = cut::Bounds::take(spec.manifest, spec.log)?;
    let ledgers = journal::audit(spec, &settled, &mut findings)?;
    let end = cut::Bounds::decided(spec.manifest, spec.log)?;
    let cut = cut::Cut::new(settled, end, ledgers);
    let seen = topics::read(spec, &cut, &mut findings)?;
    compare::inputs(spec, &cut, &seen, &mut findings);
    compare::outputs(spec, &cut, &seen, &mut findings)?;
    invariants::check(spec, &cut, &seen, &mut findings);
    if let Some(replay) = &spec.replay {
        replay::tasks(spec, replay, &cut, &mut findings)?;
    }
    Ok(findings.report())
}
