//! Appends outside of sessions: whoever waits at the same time shares a transaction, so that one append is all or
//! nothing and many are quick.

use crate::lane::{Failed, Lane};
use crate::lanes::Lanes;
use crate::readers::Readers;
use crate::shared::Shared;
use fermata_core::ports::{Appended, LogError};
use fermata_core::{NewRecord, Offset};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

/// One transaction takes so many waiting appends' bytes, and then no more.
const GATHERED_BYTES: usize = 4 << 20;
/// Between two looks at the end of a topic.
const SHOWN_LOOK: Duration = Duration::from_millis(1);
/// Under which name the log itself appends; workers are numbers.
pub(crate) fn member(node: &str) -> String {
    format!("{node}.log")
}

struct Request {
    records: Vec<NewRecord>,
    answer: SyncSender<Result<Appended, LogError>>,
}

#[derive(Clone)]
pub(crate) struct Appender {
    requests: Sender<Request>,
}

impl Appender {
    /// The thread ends when the last handle is gone.
    pub fn start(shared: Arc<Shared>, readers: Arc<Readers>) -> Result<Self, LogError> {
        let (requests, waiting) = channel();
        let turns = Turns {
            shared,
            readers,
            lanes: None,
        };
        std::thread::Builder::new()
            .name("fermata-append".into())
            .spawn(move || turns.run(&waiting))
            .map_err(|e| LogError::Fatal(format!("the thread that appends cannot be started: {e}")))?;
        Ok(Self { requests })
    }

    /// The records must be for partitions that exist, and no larger than their topics take.
    pub fn append(&self, records: Vec<NewRecord>) -> Result<Appended, LogError> {
        let (answer, answered) = sync_channel(1);
        let gone = || LogError::Fatal("the thread that appends is gone".into());
        self.requests.send(Request { records, answer }).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

struct Turns {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    lanes: Option<Lanes>,
}

impl Turns {
    fn run(mut self, waiting: &Receiver<Request>) {
        while let Ok(first) = waiting.recv() {
            let mut bytes: usize = first.records.iter().map(NewRecord::size).sum();
            let mut requests = vec![first];
            while bytes < GATHERED_BYTES
                && let Ok(next) = waiting.try_recv()
            {
                bytes += next.records.iter().map(NewRecord::size).sum::<usize>();
                requests.push(next);
            }
            let result = self.transact(&requests);
            self.answer(requests, &result);
        }
    }

    fn answer(&self, requests: Vec<Request>, result: &Result<Vec<Offset>, LogError>) {
        let commit = result.is_ok().then(|| self.shared.commits.next());
        let mut at = 0;
        for request in requests {
            let until = at + request.records.len();
            let answer = match (result, commit) {
                (Ok(offsets), Some(commit)) => Ok(Appended {
                    offsets: offsets[at..until].to_vec(),
                    commit,
                }),
                (Ok(_), None) => unreachable!("a commit has a number"),
                (Err(found), _) => Err(found.clone()),
            };
            at = until;
            // Whoever asked may have gone.
            drop(request.answer.send(answer));
        }
    }

    fn transact(&mut self, requests: &[Request]) -> Result<Vec<Offset>, LogError> {
        let mut lanes = match self.lanes.take() {
            Some(lanes) => lanes,
            None => {
                let member = member(&self.shared.options.node);
                self.shared.ahead.lanes(&self.shared, &member, true)?
            }
        };
        let result = self.on(&mut lanes, requests);
        self.lanes = Some(lanes);
        result
    }

    fn on(&self, lanes: &mut Lanes, requests: &[Request]) -> Result<Vec<Offset>, LogError> {
        lanes.mend(&self.shared)?;
        let records: Vec<&NewRecord> = requests.iter().flat_map(|r| &r.records).collect();
        let lane = lanes.current().expect("it was mended");
        let deadline = Instant::now() + self.shared.options.answer_within;
        let sent = send(lane, &records, deadline);
        if let Err(failed) = sent {
            return Err(self.give_up(lanes, failed, deadline));
        }
        let offsets: Option<Vec<Offset>> = lane.offsets().into_iter().collect();
        let Some(offsets) = offsets else {
            let failed = Failed::Late("the brokers did not say where the records lie".into());
            return Err(self.give_up(lanes, failed, deadline));
        };
        let deadline = Instant::now() + self.shared.options.commit_within;
        match lane.commit(deadline) {
            Ok(()) => {
                lanes.turn();
                self.shown(&records, &offsets, deadline)?;
                Ok(offsets)
            }
            Err(failed @ Failed::Abort { .. }) => Err(self.give_up(lanes, failed, deadline)),
            Err(failed) => self.resolve(lanes, records[0], offsets, failed.text()),
        }
    }

    /// Waits until readers come to it, on topics of one partition: by these instances decide among themselves, and
    /// whoever asks what lies before its own record must find all of it. A commit is answered before it is shown.
    fn shown(&self, records: &[&NewRecord], offsets: &[Offset], deadline: Instant) -> Result<(), LogError> {
        let mut last = BTreeMap::new();
        for (record, offset) in records.iter().zip(offsets) {
            if self.shared.catalogue.partitions(&record.topic)? == 1 {
                last.insert((&record.topic, record.shard), *offset);
            }
        }
        for ((topic, shard), offset) in last {
            while self.shared.ends.stable(topic, shard)?.1 <= offset {
                if Instant::now() > deadline {
                    let found = format!("{topic}/{shard}: an open transaction hides what was appended");
                    return Err(LogError::Away(found));
                }
                std::thread::sleep(SHOWN_LOOK);
            }
        }
        Ok(())
    }

    /// Nothing of it happened.
    fn give_up(&self, lanes: &mut Lanes, failed: Failed, deadline: Instant) -> LogError {
        // A producer whose record was refused for its size cannot go on in that partition (its numbers have a gap).
        let spent = matches!(&failed, Failed::Abort { code, .. } if Lane::hopeless(*code));
        let broken = spent || matches!(failed, Failed::Broken { .. });
        let aborted = !broken && lanes.current().is_some_and(|lane| lane.abort(deadline).is_ok());
        if !aborted {
            lanes.discard();
        }
        lanes.turn();
        match failed {
            Failed::Abort { code, text } if Lane::hopeless(code) => Lane::give_up(&self.shared, code, &text),
            failed => LogError::Away(format!("appending: {}{}", failed.text(), self.shared.health.last())),
        }
    }

    /// It is not known whether it was committed: a new producer ends it one way or the other, then its first record
    /// is there or not.
    fn resolve(
        &self,
        lanes: &mut Lanes,
        first: &NewRecord,
        offsets: Vec<Offset>,
        why: &str,
    ) -> Result<Vec<Offset>, LogError> {
        lanes.discard();
        let unknown = |found: LogError| {
            LogError::Away(format!(
                "it is not known whether records were appended ({why}): {found}"
            ))
        };
        let deadline = Instant::now() + self.shared.options.commit_within;
        while let Err(found) = lanes.mend(&self.shared) {
            if Instant::now() > deadline || !matches!(found, LogError::Away(_)) {
                return Err(unknown(found));
            }
        }
        lanes.turn();
        let place = (first.topic.clone(), first.shard);
        loop {
            let bounds = self.shared.ends.bounds(&place.0, place.1).map_err(unknown)?;
            // Others' open transactions hide it.
            if bounds.end > offsets[0] {
                break;
            }
            if Instant::now() > deadline {
                let found = "an open transaction hides them".to_owned();
                return Err(unknown(LogError::Away(found)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let found = self
            .readers
            .read(&self.shared, &place, offsets[0], 1)
            .map_err(unknown)?;
        match found.first().is_some_and(|r| r.offset == offsets[0]) {
            true => Ok(offsets),
            false => Err(LogError::Away(format!("nothing was appended: {why}"))),
        }
    }
}

fn send(lane: &Lane, records: &[&NewRecord], deadline: Instant) -> Result<(), Failed> {
    lane.begin()?;
    lane.expect(records.len());
    for (number, record) in records.iter().enumerate() {
        lane.send(record, number, deadline)?;
    }
    lane.flush_reported(deadline)
}
