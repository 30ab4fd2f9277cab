//! A few readers, each kept where it stands: who reads on from there pays no seek.

use crate::Place;
use crate::reader::Reader;
use crate::shared::Shared;
use fermata_core::{Offset, Record, ports::LogError};
use parking_lot::Mutex;

/// Idle readers that are kept.
const KEPT: usize = 8;
/// With fewer idle ones than that another is made rather than one taken from its place.
const SPARE: usize = 6;
/// Where the search for the last record begins: a record and the marker of its transaction, and some to spare.
const FIRST_WINDOW: u64 = 8;
const PAGE: usize = 1_000;

#[derive(Default)]
pub(crate) struct Readers {
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    fn take(&self, shared: &Shared, place: &Place, from: Offset) -> Result<Reader, LogError> {
        let mut idle = self.idle.lock();
        if let Some(found) = idle.iter().position(|r| r.stands_at(place, from)) {
            return Ok(idle.swap_remove(found));
        }
        if idle.len() >= SPARE {
            let oldest = (0..idle.len()).min_by_key(|i| idle[*i].used).expect("it is not empty");
            return Ok(idle.swap_remove(oldest));
        }
        drop(idle);
        Reader::open(shared)
    }

    fn put_back(&self, reader: Reader) {
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(reader);
        }
    }

    pub fn read(&self, shared: &Shared, place: &Place, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut reader = self.take(shared, place, from)?;
        let found = reader.read(shared, place, from, limit);
        self.put_back(reader);
        found
    }

    /// Looks back from the end over markers, aborted records and what compaction removed.
    pub fn last(&self, shared: &Shared, place: &Place) -> Result<Option<Record>, LogError> {
        let (start, end) = shared.ends.stable(&place.0, place.1)?;
        let (mut window, mut until) = (FIRST_WINDOW, end.0);
        while until > start.0 {
            let from = until.saturating_sub(window).max(start.0);
            let mut last = None;
            let mut at = Offset(from);
            loop {
                let mut page = self.read(shared, place, at, PAGE)?;
                let full = page.len() == PAGE;
                if let Some(record) = page.pop() {
                    at = record.offset.next();
                    last = Some(record);
                }
                if !full {
                    break;
                }
            }
            if last.is_some() {
                return Ok(last);
            }
            (until, window) = (from, window.saturating_mul(8));
        }
        Ok(None)
    }
}
