//! The pipeline goes on while it is verified: no false alarm, whatever moves between two reads.

use std::time::Duration;

use fermata_core::ports::{Appended, Bounds, Log, LogError, Session, SessionSpec, TopicSpec};
use fermata_core::{CommitId, NewRecord, Offset, Record, Shard, TopicName};
use parking_lot::Mutex;

use super::story::Story;
use crate::verify::{VerifySpec, verify};

/// Before every `every`-th answer, something happens.
struct Moving {
    story: Mutex<(Story, usize)>,
    every: usize,
}

impl Moving {
    fn ask<T>(&self, question: impl FnOnce(&dyn Log) -> T) -> T {
        let (story, asked) = &mut *self.story.lock();
        *asked += 1;
        // Only so much, so that reading comes to an end.
        if asked.is_multiple_of(self.every) && *asked < 200 {
            let shard = (*asked / self.every % 2) as u32;
            match *asked / self.every % 7 {
                0 | 3 => story.apart(shard),
                1 => story.refused(shard),
                2 => story.tick(shard),
                4 => story.catch_up(shard),
                5 => story.cutover(shard, "first", (*asked / self.every / 7 % 2) as u32, *asked as u64),
                _ => story.fused(shard),
            }
        }
        question(&story.log)
    }
}

impl Log for Moving {
    fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.ask(|log| log.ensure(topics))
    }
    fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
        self.ask(|log| log.topics())
    }
    fn bounds(&self, topic: &TopicName, shard: Shard) -> Result<Bounds, LogError> {
        self.ask(|log| log.bounds(topic, shard))
    }
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        self.ask(|log| log.read(topic, shard, from, limit))
    }
    fn last(&self, topic: &TopicName, shard: Shard) -> Result<Option<Record>, LogError> {
        self.ask(|log| log.last(topic, shard))
    }
    fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        self.ask(|log| log.append(records))
    }
    fn join(&self, spec: SessionSpec) -> Result<Box<dyn Session>, LogError> {
        self.ask(|log| log.join(spec))
    }
    fn durable(&self) -> CommitId {
        self.ask(|log| log.durable())
    }
    fn wait_durable(&self, commit: CommitId, max_wait: Duration) -> Result<bool, LogError> {
        self.ask(|log| log.wait_durable(commit, max_wait))
    }
}

#[test]
fn records_that_come_while_reading_are_no_problem() {
    let mut later = 0;
    for every in 1..40 {
        let story = Story::full();
        let manifest = story.manifest.clone();
        let moving = Moving {
            story: Mutex::new((story, 0)),
            every,
        };
        let report = verify(&VerifySpec {
            manifest: &manifest,
            log: &moving,
            views: None,
            replay: None,
        })
        .unwrap();
        assert!(report.ok, "every {every}: {:#?}", report.problems);
        later += report.figures.later;
    }
    assert!(
        later > 0,
        "no record ever came behind the cut: the test moves nothing at the right moment"
    );
}
