//! Where records come from: a generator component, one sequence number after the other.

use crate::failure::Failure;
use crate::load::{Due, Load, now};
use fermata_core::NewRecord;
use std::ops::Range;
use std::time::{Duration, Instant};

/// One record on its way.
#[derive(Clone, Debug)]
pub struct Item {
    pub record: NewRecord,
    /// When it was scheduled: latency counts from here.
    pub due: Instant,
    /// Sequence number or line, for people.
    pub place: u64,
}

pub enum Next {
    Records(Vec<Item>),
    /// It cannot be sent.
    Bad {
        place: u64,
        why: String,
    },
    /// Nothing is there for the moment.
    NotYet,
    End,
}

pub trait Source {
    /// What is due now; waits at most `patience` for it.
    fn next(&mut self, due: Due, patience: Duration) -> Result<Next, Failure>;
    /// What a place is: `line`, `sequence number`.
    fn word(&self) -> &'static str;
}

pub struct Component {
    load: Load,
    sequence: u64,
}

impl Component {
    /// `from`: the first sequence number behind the set-up.
    pub fn new(load: Load, from: u64) -> Self {
        let sequence = load.setup().saturating_add(from);
        Self { load, sequence }
    }

    pub fn setup(&self) -> u64 {
        self.load.setup()
    }

    /// Records of these sequence numbers, due at once.
    pub fn set_up(&mut self, sequences: Range<u64>) -> Result<Vec<Item>, Failure> {
        let mut items = Vec::new();
        for sequence in sequences {
            let due = Due {
                at: now(),
                moment: Instant::now(),
            };
            items.extend(self.items(sequence, due)?);
        }
        Ok(items)
    }

    fn items(&mut self, sequence: u64, due: Due) -> Result<Vec<Item>, Failure> {
        let records = self.load.records(sequence, due.at)?;
        let item = |record: NewRecord| Item {
            record,
            due: due.moment,
            place: sequence,
        };
        Ok(records.into_iter().map(item).collect())
    }
}

impl Source for Component {
    fn next(&mut self, due: Due, _patience: Duration) -> Result<Next, Failure> {
        let items = self.items(self.sequence, due)?;
        self.sequence += 1;
        Ok(Next::Records(items))
    }

    fn word(&self) -> &'static str {
        "sequence number"
    }
}
