//! Taking a shard's state out, to restore it from the start.
//!
//! First its position goes, then its entries: a process that ends in between finds a shard without a position and takes
//! out the rest before it reads.

use super::{Shared, book::Book, reading::Slice, seat::Seat};
use bytes::Bytes;
use fermata_core::{
    Offset, Shard,
    ports::{LogError, Namespace, StateChange, StateRead},
};
use std::sync::Arc;

/// Entries taken out in one batch.
const PAGE: usize = 4096;

impl Shared {
    /// Says why, in one line.
    pub(super) fn wipe(&self, seat: &mut Seat, shard: Shard, why: &str) -> Result<(), LogError> {
        tracing::warn!(
            shard = shard.0,
            "local state of shard {shard} is wiped and restored from the changelog: {why}"
        );
        seat.book = Book {
            in_step: self.options.clock.now(),
            ..Book::default()
        };
        seat.swept = None;
        seat.raise = None;
        self.write("wiping state", [], Some((shard, &seat.book)))
    }

    /// Wipes state that may have missed tombstones. `true`: it did.
    pub(super) fn wipe_stale(&self, seat: &mut Seat, shard: Shard) -> Result<bool, LogError> {
        let now = self.options.clock.now();
        if !seat.book.is_stale(now, self.options.keep) {
            return Ok(false);
        }
        let hours = now.0.abs_diff(seat.book.in_step.0) / 3_600_000;
        let why = format!("it was last in step {hours} hours from now, and tombstones may be gone by now");
        self.wipe(seat, shard, &why)?;
        Ok(true)
    }

    /// The shard's position; if it has none, its entries go and reading begins at the start. `None`: the slice was over
    /// first.
    pub(super) fn make_position(
        &self,
        seat: &mut Seat,
        shard: Shard,
        slice: &Slice,
    ) -> Result<Option<Offset>, LogError> {
        if seat.book.position.is_some() {
            return Ok(seat.book.position);
        }
        // Nothing is in it that could be deleted yet.
        seat.book.in_step = self.options.clock.now();
        for namespace in self.stores.namespaces() {
            let after = match &seat.swept {
                Some((done, _)) if *done > namespace => continue,
                Some((at, key)) if *at == namespace => Some(key.clone()),
                _ => None,
            };
            if !self.sweep(seat, shard, namespace, after, slice)? {
                return Ok(None);
            }
        }
        seat.swept = None;
        let start = self.log.bounds(&self.changelog, shard)?.start;
        seat.book.position = Some(start);
        self.write("wiping state", [], Some((shard, &seat.book)))?;
        Ok(Some(start))
    }

    fn sweep(
        &self,
        seat: &mut Seat,
        shard: Shard,
        namespace: Namespace,
        mut after: Option<Bytes>,
        slice: &Slice,
    ) -> Result<bool, LogError> {
        let shared = Arc::new(namespace.clone());
        loop {
            let page = self
                .stores
                .picture()
                .scan(&namespace, shard, &[], after.as_deref(), PAGE);
            let page = page.map_err(|found| self.failed("wiping state", &found))?;
            let Some((last, _)) = page.last() else {
                return Ok(true);
            };
            after = Some(last.clone());
            seat.swept = Some((namespace.clone(), last.clone()));
            let gone: Vec<_> = page
                .into_iter()
                .map(|(key, _)| StateChange {
                    namespace: Arc::clone(&shared),
                    shard,
                    key,
                    value: None,
                })
                .collect();
            self.write("wiping state", &gone, None)?;
            if self.over(slice) {
                return Ok(false);
            }
        }
    }
}
