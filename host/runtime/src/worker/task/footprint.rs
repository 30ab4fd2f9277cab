//! How many bytes of state a task keeps, against `limits.state`: the entries of its own stores and its timers, keys and
//! values.
//!
//! To know it to the byte would take a read for every write. So it is known as a bound: what was there, and all that was
//! written since, as though nothing had been overwritten. Only when the bound passes the limit are the stores counted,
//! and from there on every change is weighed until there is room again. The verdict is always of what is really there,
//! so that it is the same in every replay, however batches were cut.

use super::super::overlay::{Overlay, Savepoint};
use fermata_core::journal::{StoreBytes, TaskEntry};
use fermata_core::names::stores;
use fermata_core::ports::{Namespace, StateError, StateRead};
use fermata_core::{Shard, StageName};
use std::sync::Arc;

/// Entries that are read at a time while a store is counted.
const PAGE: usize = 1_000;

/// Of every store that the task has written, in whatever version.
#[derive(Clone, Debug, Default)]
pub struct Footprint(Vec<Kept>);

#[derive(Clone, Debug)]
struct Kept {
    namespace: Arc<Namespace>,
    /// Committed: at most so many, or just so many.
    bytes: u64,
    exact: bool,
}

/// What the host keeps of its own accord has limits of its own.
fn counts(namespace: &Namespace) -> bool {
    namespace.store == stores::TIMERS || !namespace.store.starts_with('_')
}

impl Footprint {
    /// As it was after the transaction of `entry`.
    pub fn restored(stage: &StageName, entry: &TaskEntry) -> Self {
        let kept = entry.stores.iter().map(|kept| Kept {
            namespace: Arc::new(Namespace {
                stage: stage.clone(),
                store: kept.store.clone(),
                schema: kept.schema,
            }),
            bytes: kept.bytes,
            exact: false,
        });
        Self(kept.collect())
    }

    /// For the journal.
    pub fn entries(&self) -> Vec<StoreBytes> {
        let entry = |kept: &Kept| StoreBytes {
            store: kept.namespace.store.clone(),
            schema: kept.namespace.schema,
            bytes: kept.bytes,
        };
        self.0.iter().map(entry).collect()
    }

    fn kept(&mut self, namespace: &Arc<Namespace>) -> &mut Kept {
        let at = self.0.iter().position(|kept| kept.namespace == *namespace);
        let at = at.unwrap_or_else(|| {
            // Nobody but the task writes it, and the task has not.
            let (namespace, bytes) = (namespace.clone(), 0);
            self.0.push(Kept {
                namespace,
                bytes,
                exact: false,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// Bytes of `own`, the running version's stores and its timers, if they are more than `limit` and what happened since
    /// `savepoint` made them more.
    pub fn too_much<'a>(
        &mut self,
        overlay: &mut Overlay,
        savepoint: Savepoint,
        (state, shard): (&dyn StateRead, Shard),
        limit: u64,
        own: impl Iterator<Item = &'a Arc<Namespace>> + Clone,
    ) -> Result<Option<u64>, StateError> {
        if !overlay.wrote_since(savepoint) {
            return Ok(None);
        }
        let known = own.clone().map(|namespace| self.kept(namespace).bytes);
        let bound = known.fold(overlay.weight() as u64, u64::saturating_add);
        if bound <= limit {
            return Ok(None);
        }
        let mut found = 0_u64;
        for namespace in own {
            let kept = self.kept(namespace);
            if !kept.exact {
                kept.bytes = count(state, namespace, shard)?;
                kept.exact = true;
            }
            let grown = overlay.growth(state, namespace, shard)?;
            found = found.saturating_add(kept.bytes.saturating_add_signed(grown));
        }
        if found <= limit || overlay.growth_since(savepoint, state, shard, counts)? <= 0 {
            return Ok(None);
        }
        Ok(Some(found))
    }

    /// What the batch has written is committed with it: called once, before the overlay is handed over.
    pub fn settle(&mut self, overlay: &mut Overlay, state: &dyn StateRead, shard: Shard, limit: u64) {
        let written: Vec<_> = overlay
            .written()
            .filter(|(namespace, _)| counts(namespace))
            .map(|(namespace, bytes)| (namespace.clone(), bytes))
            .collect();
        for (namespace, bytes) in written {
            let kept = self.kept(&namespace);
            // Where the state cannot be read there is still a bound.
            match kept.exact.then(|| overlay.growth(state, &namespace, shard)) {
                Some(Ok(grown)) => kept.bytes = kept.bytes.saturating_add_signed(grown),
                _ => {
                    kept.bytes = kept.bytes.saturating_add(bytes);
                    kept.exact = false;
                }
            }
        }
        let all = self.0.iter().fold(0, |sum: u64, kept| sum.saturating_add(kept.bytes));
        if all <= limit / 2 {
            // Room again: no need to weigh every change.
            self.0.iter_mut().for_each(|kept| kept.exact = false);
        }
    }
}

fn count(state: &dyn StateRead, namespace: &Namespace, shard: Shard) -> Result<u64, StateError> {
    let mut bytes = 0;
    let mut after = None;
    loop {
        let page = state.scan(namespace, shard, b"", after.as_deref(), PAGE)?;
        bytes += page
            .iter()
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum::<u64>();
        match page.last() {
            Some((last, _)) if page.len() == PAGE => after = Some(last.clone()),
            _ => return Ok(bytes),
        }
    }
}
