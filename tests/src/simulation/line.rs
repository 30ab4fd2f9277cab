//! The leader's line to the log: it can die at any call, and lose the answer to an append that happened.

use crate::simulated::Simulated;
use fermata_core::ports::{Appended, Bounds, Log, LogError, Session, SessionSpec, TopicSpec};
use fermata_core::{CommitId, NewRecord, Offset, Record, Shard, TopicName};
use parking_lot::Mutex;
use std::time::Duration;

pub struct Line {
    log: Simulated,
    /// For onlookers: what is on disk does not matter.
    aside: bool,
    fate: Mutex<Fate>,
}

#[derive(Default)]
struct Fate {
    /// Calls until the process dies, and whether an append that meets the end still happens.
    doom: Option<(u32, bool)>,
    dead: bool,
    mute: bool,
    /// No call gets through.
    cut: bool,
    /// Calls that did not get their answer.
    failed: u64,
    /// Appends that happened without their maker hearing of it.
    unheard: u64,
}

enum Last {
    Happens,
    Fails,
}

impl Line {
    pub fn new(log: Simulated) -> Self {
        Self {
            log,
            aside: false,
            fate: Mutex::default(),
        }
    }
    /// The checks' own: they look at all there is.
    pub fn aside(log: Simulated) -> Self {
        Self {
            aside: true,
            ..Self::new(log)
        }
    }
    pub fn doom(&self, calls: u32, landed: bool) {
        self.fate.lock().doom = Some((calls, landed));
    }
    pub fn mute(&self) {
        self.fate.lock().mute = true;
    }
    pub fn cut(&self, cut: bool) {
        self.fate.lock().cut = cut;
    }
    pub fn dead(&self) -> bool {
        self.fate.lock().dead
    }
    /// Calls without an answer so far.
    pub fn failed(&self) -> u64 {
        self.fate.lock().failed
    }
    pub fn unheard(&self) -> u64 {
        self.fate.lock().unheard
    }

    /// Every call begins here. `Some`: the process dies at this one.
    fn end(&self) -> Option<Last> {
        let mut fate = self.fate.lock();
        if fate.dead {
            return Some(Last::Fails);
        }
        match &mut fate.doom {
            Some((0, landed)) => {
                let last = if *landed { Last::Happens } else { Last::Fails };
                fate.dead = true;
                fate.failed += 1;
                Some(last)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    fn call<T>(&self, call: impl FnOnce() -> Result<T, LogError>) -> Result<T, LogError> {
        if self.end().is_some() {
            return Err(killed());
        }
        let answer = if self.fate.lock().cut { Err(away()) } else { call() };
        if answer.is_err() {
            self.fate.lock().failed += 1;
        }
        answer
    }
}

fn away() -> LogError {
    LogError::Away("the line to the log is cut".into())
}

fn killed() -> LogError {
    LogError::Fatal("the process was killed".into())
}

impl Log for Line {
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.call(|| self.log.ensure(topics))
    }
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        self.call(|| self.log.topics())
    }
    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        self.call(|| self.log.bounds(topic, shard))
    }
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        self.call(|| self.log.read(topic, shard, from, limit))
    }
    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        self.call(|| self.log.last(topic, shard))
    }

    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        match self.end() {
            Some(Last::Fails) => return Err(killed()),
            Some(Last::Happens) => {
                if self.log.append(records).is_ok() {
                    self.fate.lock().unheard += 1;
                }
                return Err(killed());
            }
            None => {}
        }
        let answer = if self.fate.lock().cut {
            Err(away())
        } else {
            self.log.append(records)
        };
        let mut fate = self.fate.lock();
        if answer.is_err() {
            fate.failed += 1;
            return answer;
        }
        if std::mem::take(&mut fate.mute) {
            fate.failed += 1;
            fate.unheard += 1;
            return Err(LogError::Away("the answer to an append was lost".into()));
        }
        answer
    }

    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        self.call(|| self.log.join(spec))
    }
    fn durable(&self) -> CommitId {
        self.log.durable()
    }
    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError> {
        // Time does not pass within a step.
        let _ = max_wait;
        self.call(|| Ok(self.aside || self.log.durable() >= commit))
    }
}
