//! Who decides. A process takes the lead with a fact of a new term; from there on, facts of earlier terms are void to
//! every reader of the status topic, so that a leader that was only asleep can change nothing when it wakes up.

use super::error::ControlError;
use super::fold::Fold;
use super::wire;
use fermata_core::control::{Fact, Status, VERSION};
use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::ports::{Clock, Log, LogError};
use fermata_core::{CommitId, Offset};

/// Records read at once.
const PAGE: usize = 256;

/// The lead, as of the moment when it was taken.
pub(super) struct Lead {
    pub term: u64,
    /// Where the fold stands in the status topic.
    pub next: Offset,
    pub commit: CommitId,
}

/// `fold` knows the topic up to `next`, and all up to the lead afterwards: nothing that the last leader recorded is
/// missed.
pub(super) fn take(
    log: &dyn Log,
    manifest: &Manifest,
    clock: &dyn Clock,
    fold: &mut Fold,
    next: Offset,
) -> Result<Lead, ControlError> {
    let term = fold.term + 1;
    let status = Status {
        v: VERSION,
        at: clock.now().0,
        epoch: fold.epoch,
        term,
        command: None,
        fact: Fact::Leading,
    };
    let appended = log.append(vec![wire::status_record(&manifest.name, &status)])?;
    let own = appended.offsets.first().copied().unwrap_or(next);
    if log.bounds(&Purpose::Status.topic(&manifest.name), wire::ONLY)?.end <= own {
        let found = "an open transaction hides the end of the facts";
        return Err(LogError::Away(found.to_owned()).into());
    }
    let before = fold_until(log, manifest, next, Some(own), fold)?;
    let first = fold.heeds(&status);
    let next = fold_until(log, manifest, before, None, fold)?;
    if !first || fold.term != term {
        return Err(ControlError::Deposed {
            own: term,
            theirs: fold.term,
        });
    }
    Ok(Lead {
        term,
        next,
        commit: appended.commit,
    })
}

/// Folds the status topic from `next` on, to its end or up to `until`; returns where to go on.
pub(super) fn fold_until(
    log: &dyn Log,
    manifest: &Manifest,
    mut next: Offset,
    until: Option<Offset>,
    fold: &mut Fold,
) -> Result<Offset, LogError> {
    let status = Purpose::Status.topic(&manifest.name);
    loop {
        let page = log.read(&status, wire::ONLY, next, PAGE)?;
        let mut done = page.is_empty();
        for record in &page {
            if until.is_some_and(|until| record.offset >= until) {
                done = true;
                break;
            }
            next = record.offset.next();
            if let Some(status) = wire::read_status(record) {
                fold.apply(status);
            }
        }
        if done {
            return Ok(next);
        }
    }
}
