//! A worker's transactional producers, used in turn: one transaction at a time, each on the next lane.

use crate::lane::Lane;
use crate::shared::Shared;
use fermata_core::ports::LogError;
use std::time::Instant;

/// Two would do; a third is for a coordinator that is slow to conclude.
pub(crate) const LANES: usize = 3;

pub(crate) struct Lanes {
    member: String,
    /// `None`: to be made anew before it is used.
    lanes: [Option<Lane>; LANES],
    turn: usize,
    /// Successes are reported, with offsets.
    reports: bool,
}

impl Lanes {
    /// Initialises all of them at once: whatever a process of this name left open ends, wherever it was left.
    pub fn open(shared: &Shared, member: &str, reports: bool) -> Result<Self, LogError> {
        let mut lanes = Self {
            member: member.to_owned(),
            lanes: [const { None }; LANES],
            turn: 0,
            reports,
        };
        lanes.mend(shared)?;
        Ok(lanes)
    }

    /// Makes every broken lane anew, in parallel.
    pub fn mend(&mut self, shared: &Shared) -> Result<(), LogError> {
        if self.lanes.iter().all(Option::is_some) {
            return Ok(());
        }
        let deadline = Instant::now() + shared.options.answer_within;
        let (member, reports) = (&self.member, self.reports);
        std::thread::scope(|scope| {
            let broken = self.lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_none());
            let made: Vec<_> = broken
                .map(|(number, lane)| {
                    let id = shared.transactional_id(member, number);
                    let make = scope.spawn(move || Lane::open(shared, id, reports, deadline));
                    (lane, make)
                })
                .collect();
            let mut result = Ok(());
            for (lane, make) in made {
                match make.join().expect("making a lane does not panic") {
                    Ok(made) => *lane = Some(made),
                    Err(found) => result = Err(found),
                }
            }
            result
        })
    }

    /// The lane whose turn it is.
    pub fn current(&self) -> Option<&Lane> {
        self.lanes[self.turn].as_ref()
    }

    /// Its transaction has ended.
    pub fn turn(&mut self) {
        self.turn = (self.turn + 1) % LANES;
    }

    /// The current lane is of no more use.
    pub fn discard(&mut self) {
        if let Some(lane) = self.lanes[self.turn].take() {
            // Letting go of a producer may wait for brokers.
            std::thread::spawn(move || drop(lane));
        }
    }

    /// None is of any more use: fenced, they are fenced together.
    pub fn discard_all(&mut self) {
        let lanes = std::mem::replace(&mut self.lanes, [const { None }; LANES]);
        std::thread::spawn(move || drop(lanes));
    }
}
