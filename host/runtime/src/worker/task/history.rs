//! What a task has processed in the open batch, for the journal, and how it is taken back.

use super::super::lineage::{Subject, Work};
use super::super::overlay::Savepoint;
use super::Task;
use bytes::Bytes;
use fermata_core::journal::Counts;
use fermata_core::{Identity, Offset, TopicName, VersionId};

/// Something that a task processed in the open batch, for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    Run {
        topic: TopicName,
        from: Offset,
        next: Offset,
    },
    Fused {
        topic: TopicName,
        identity: Identity,
    },
    /// The first `count` records of a parked key were tried again or, `skipped`, became dead letters.
    Released {
        key: Bytes,
        count: u64,
        skipped: bool,
    },
}

/// A moment of a task to go back to when a chain is undone.
pub struct Mark {
    pub(super) savepoint: Savepoint,
    counts: Counts,
    metrics: usize,
    events: usize,
    last_next: Option<Offset>,
    last_count: Option<u64>,
    faults_in_a_row: u32,
}

impl Task {
    /// Records that `offset` of `topic` is passed, and returns the position before.
    pub fn pass(&mut self, topic: &TopicName, offset: Offset) -> Offset {
        let before = self.position(topic);
        let next = offset.next();
        self.last_from = before;
        self.positions.insert(topic.clone(), next);
        let id = self.loaded.id();
        match self.events.last_mut() {
            Some((by, Happened::Run { topic: t, next: n, .. })) if *by == id && t == topic => *n = next,
            _ => self.events.push((
                id,
                Happened::Run {
                    topic: topic.clone(),
                    from: before,
                    next,
                },
            )),
        }
        before
    }

    pub fn fused(&mut self, topic: &TopicName, identity: &Identity) {
        let id = self.loaded.id();
        self.events.push((
            id,
            Happened::Fused {
                topic: topic.clone(),
                identity: identity.clone(),
            },
        ));
    }

    /// The last thing that happened was concluded by `by`, not by the live version.
    pub fn concluded_by(&mut self, by: VersionId, work: &Work) {
        let from = self.last_from;
        if work.again.is_some() {
            if let Some((_, Happened::Released { key, count, .. })) = self.events.last_mut() {
                let one = Happened::Released {
                    key: key.clone(),
                    count: 1,
                    skipped: false,
                };
                *count -= 1;
                if *count == 0 {
                    self.events.pop();
                }
                self.events.push((by, one));
            }
            return;
        }
        if let Subject::Timer(_) = work.subject {
            // The tick's own event stands for all its timers; this one names a single timer of it.
            let event = Happened::Fused {
                topic: work.source.topic.clone(),
                identity: work.identity.clone(),
            };
            self.events.push((by, event));
            return;
        }
        match self.events.last_mut() {
            Some((
                _,
                Happened::Run {
                    topic,
                    from: start,
                    next,
                },
            )) if *start < from => {
                let split = Happened::Run {
                    topic: topic.clone(),
                    from,
                    next: *next,
                };
                *next = from;
                self.events.push((by, split));
            }
            Some((who, _)) => *who = by,
            None => {}
        }
    }

    pub fn mark(&self) -> Mark {
        let (last_next, last_count) = match self.events.last() {
            Some((_, Happened::Run { next, .. })) => (Some(*next), None),
            Some((_, Happened::Released { count, .. })) => (None, Some(*count)),
            _ => (None, None),
        };
        let context = self.context();
        Mark {
            savepoint: context.overlay.savepoint(),
            counts: self.counts,
            metrics: context.metrics.len(),
            events: self.events.len(),
            last_next,
            last_count,
            faults_in_a_row: self.faults_in_a_row,
        }
    }

    pub fn undo_to(&mut self, mark: &Mark) {
        self.counts = mark.counts;
        self.events.truncate(mark.events);
        if let (Some((_, Happened::Run { next, .. })), Some(before)) = (self.events.last_mut(), mark.last_next) {
            *next = before;
        }
        if let (Some((_, Happened::Released { count, .. })), Some(before)) = (self.events.last_mut(), mark.last_count) {
            *count = before;
        }
        self.faults_in_a_row = mark.faults_in_a_row;
        let context = self.context_mut();
        context.overlay.undo_to(mark.savepoint);
        context.metrics.truncate(mark.metrics);
    }
}
