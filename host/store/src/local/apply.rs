//! What a commit does to the store.
//!
//! A commit notes the journal sequence that it makes of each shard it touches. On whole state of the sequence before, it
//! is applied; on state that has it already (a restoration met it on the log first) it changes nothing, however late
//! its answer came. So it never matters who says that a commit happened, or when.

use super::{Shared, book, book::Book, seat::Seat};
use crate::layout;
use fermata_core::{
    CommitId, Sequence, Shard, changelog,
    ports::{LogError, StateChange, StateError},
};
use fjall::{OwnedWriteBatch as WriteBatch, PersistMode};
use std::sync::atomic::Ordering;

/// What becomes of a commit's changes of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Next,
    Known,
    /// The state between is missing.
    Gap,
}

fn fit(seat: &Seat, noted: Option<Sequence>) -> Fit {
    match noted {
        // Changes without a note have no order; whoever makes them holds the shard.
        None if seat.book.whole => Fit::Next,
        Some(noted) if seat.book.whole && noted == seat.sequence.next() => Fit::Next,
        Some(noted) if seat.book.whole && noted <= seat.sequence => Fit::Known,
        _ => Fit::Gap,
    }
}

impl Shared {
    /// `holds`: whether the caller believes to hold a shard.
    pub(super) fn apply(
        &self,
        holds: &dyn Fn(Shard) -> bool,
        id: CommitId,
        changes: &[StateChange],
    ) -> Result<(), StateError> {
        self.healthy("applied")?;
        let made = self.log.durable();
        if id > made {
            return Err(wrong(
                changes,
                format!("commit {id} was never made (the last is {made})"),
            ));
        }
        let mut touched: Vec<(Shard, Option<Sequence>)> = Vec::new();
        for change in changes {
            // They come in runs.
            if touched.last().is_none_or(|(shard, _)| *shard != change.shard) {
                touched.push((change.shard, None));
            }
            if let (Some(noted), Some(last)) = (changelog::noted(change), touched.last_mut()) {
                last.1 = Some(noted);
            }
        }
        touched.sort_unstable();
        touched.dedup_by(|(shard, noted), (kept, best)| {
            let same = shard == kept;
            if same {
                *best = (*best).max(*noted);
            }
            same
        });
        let mut left_out = Vec::new();
        let mut seats = Vec::with_capacity(touched.len());
        for (shard, noted) in touched {
            let seat = self.seat(shard).map_err(|found| wrong(changes, found.to_string()))?;
            let seat = seat.lock();
            match fit(&seat, noted) {
                Fit::Next => seats.push((seat, shard, noted)),
                // While it is not whole, another worker here has the shard by now and restores it: that this one was
                // not told yet does no harm, since nothing that it commits from here on is accepted.
                Fit::Gap if holds(shard) && seat.book.whole => {
                    let at = seat.sequence;
                    let noted = noted.map_or_else(|| "no sequence".into(), |n| format!("sequence {n}"));
                    return Err(wrong(
                        changes,
                        format!("commit {id} of shard {shard} notes {noted}, its state has {at}"),
                    ));
                }
                // It comes from the changelog, or has come.
                Fit::Known | Fit::Gap => left_out.push(shard),
            }
        }
        if !seats.is_empty() {
            let written = match left_out.is_empty() {
                true => self.write("applying a commit", changes, None),
                false => {
                    let own = changes.iter().filter(|c| !left_out.contains(&c.shard));
                    self.write("applying a commit", own, None)
                }
            };
            written.map_err(|found| wrong(changes, found.to_string()))?;
        }
        let each = (changes.len() / seats.len().max(1)) as u64;
        for (mut seat, _, noted) in seats {
            seat.sequence = noted.unwrap_or(seat.sequence);
            seat.changes += each;
        }
        self.latest.fetch_max(id.0, Ordering::AcqRel);
        Ok(())
    }

    /// One atomic batch; what a shard's book says of it, with it.
    pub(super) fn write<'a>(
        &self,
        doing: &str,
        changes: impl IntoIterator<Item = &'a StateChange>,
        book: Option<(Shard, &Book)>,
    ) -> Result<(), LogError> {
        self.check()?;
        let mut batch = WriteBatch::with_capacity(self.stores.database.clone(), 64);
        batch = batch.durability(Some(PersistMode::Buffer));
        let added = self.stores.add(&mut batch, changes);
        added.map_err(|found| self.refused("making a store", &found))?;
        if let Some((shard, about)) = book {
            batch.insert(&self.books, book::key(shard), book::encode(about));
        }
        batch.commit().map_err(|found| self.refused(doing, &found))
    }

    pub(super) fn healthy(&self, doing: &'static str) -> Result<(), StateError> {
        self.check().map_err(|found| StateError {
            namespace: "every stage".into(),
            doing,
            found: found.to_string(),
        })
    }
}

fn wrong(changes: &[StateChange], found: String) -> StateError {
    let first = changes.first();
    StateError {
        namespace: first.map_or_else(|| "every stage".into(), |c| layout::shown(&c.namespace)),
        doing: "applied",
        found,
    }
}
