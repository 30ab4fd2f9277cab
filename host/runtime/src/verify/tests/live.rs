//! The pipeline goes on while it is verified: no false alarm, whatever moves between two reads.

use std::collections::BTreeMap;
use std::time::Duration;

use fermata_core::ports::{Appended, Bounds, Log, LogError, Session, SessionSpec, TopicSpec};
use fermata_core::{CommitId, NewRecord, Offset, Record, Shard, TopicName};
use parking_lot::Mutex;

use super::story::Story;
use crate::verify::{Report, VerifySpec, verify};

/// Before every `every`-th answer, something happens.
struct Moving {
    story: Mutex<(Story, usize)>,
    every: usize,
    /// Where readers see what was written: at once where there is none, else each partition up to here, and with every
    /// answer one partition up to its end.
    shown: Option<Mutex<BTreeMap<(TopicName, Shard), Offset>>>,
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
        if let Some(shown) = &self.shown {
            let all = story.log.partitions();
            let (topic, shard) = &all[*asked % all.len()];
            let end = Offset(story.log.end(topic.as_str(), shard.0));
            shown.lock().insert((topic.clone(), *shard), end);
        }
        question(&story.log)
    }

    fn shown(&self, topic: &TopicName, shard: Shard, end: Offset) -> Offset {
        let shown = self
            .shown
            .as_ref()
            .map(|all| all.lock().get(&(topic.clone(), shard)).copied());
        shown.map_or(end, Option::unwrap_or_default)
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
        let bounds = self.ask(|log| log.bounds(topic, shard))?;
        let end = self.shown(topic, shard, bounds.end);
        Ok(Bounds { end, ..bounds })
    }
    fn read(&self, topic: &TopicName, shard: Shard, from: Offset, limit: usize) -> Result<Vec<Record>, LogError> {
        let mut records = self.ask(|log| log.read(topic, shard, from, limit))?;
        records.retain(|record| record.offset < self.shown(topic, shard, record.offset.next()));
        Ok(records)
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

fn verified(every: usize, shown: bool) -> Report {
    let story = Story::full();
    let manifest = story.manifest.clone();
    let moving = Moving {
        story: Mutex::new((story, 0)),
        every,
        shown: shown.then(Mutex::default),
    };
    verify(&VerifySpec {
        manifest: &manifest,
        log: &moving,
        views: None,
        replay: None,
    })
    .unwrap()
}

#[test]
fn records_that_come_while_reading_are_no_problem() {
    let mut later = 0;
    for every in 1..40 {
        let report = verified(every, false);
        assert!(report.ok, "every {every}: {:#?}", report.problems);
        later += report.figures.later;
    }
    assert!(
        later > 0,
        "no record ever came behind the cut: the test moves nothing at the right moment"
    );
}

#[test]
fn a_transaction_that_is_shown_partition_by_partition_is_no_problem() {
    for every in 1..40 {
        let report = verified(every, true);
        assert!(report.ok, "every {every}: {:#?}", report.problems);
        assert!(report.figures.journal_records > 0, "every {every}: nothing was read");
    }
}
