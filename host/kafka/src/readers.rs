//! A few readers, each kept where it stands: who reads on from there pays no seek.

use crate::Place;
use crate::reader::Reader;
use crate::shared::Shared;
use fermata_core::{Offset, Record, ports::LogError};
use parking_lot::Mutex;
use std::collections::BTreeMap;

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
    /// Where nothing was found: from the first offset up to the second, which was the end. What lies below a stable end
    /// is decided for ever, so as long as the end is that one nothing needs to be fetched again.
    empty: Mutex<BTreeMap<Place, (Offset, Offset)>>,
}

impl Readers {
    fn take(&self, shared: &Shared, place: &Place, from: Offset) -> Result<Reader, LogError> {
        let mut idle = self.idle.lock();
        if let Some(found) = idle.iter().position(|r| r.stands_at(place, from)) {
            return Ok(idle.swap_remove(found));
        }
        let rests = |known: bool| idle.iter().position(|r| r.rests() && (!known || r.knows(&place.0)));
        if let Some(found) = rests(true).or_else(|| rests(false)) {
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
        if self.nothing(shared, place, from)? {
            return Ok(Vec::new());
        }
        let mut reader = self.take(shared, place, from)?;
        let found = reader.read(shared, place, from, limit);
        if let Ok(records) = &found
            && records.len() < limit
        {
            let next = records.last().map_or(from, |record| record.offset.next());
            self.empty.lock().insert(place.clone(), (next, reader.end()));
        }
        self.put_back(reader);
        found
    }

    fn nothing(&self, shared: &Shared, place: &Place, from: Offset) -> Result<bool, LogError> {
        let empty = self.empty.lock().get(place).copied();
        let Some((first, end)) = empty.filter(|(first, end)| (*first..*end).contains(&from)) else {
            return Ok(false);
        };
        let (start, now) = shared.ends.stable(&place.0, place.1)?;
        Ok(now == end && start <= first)
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
