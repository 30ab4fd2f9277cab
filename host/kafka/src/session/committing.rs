//! A transaction from its first record to its commit.

use super::{KafkaSession, broken, resolving::Pending};
use crate::convert;
use crate::lane::{Failed, Lane};
use fermata_core::ports::{Commit, Committed, LogError};
use fermata_core::{NewRecord, Shard, Timestamp, changelog};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What a step of a commit came to, where it did not succeed.
enum Ended {
    /// Nothing of it happened.
    No(String),
    /// The session is over, or nothing can be promised.
    Error(LogError),
}

impl From<LogError> for Ended {
    fn from(error: LogError) -> Self {
        Self::Error(error)
    }
}

impl KafkaSession {
    /// Opens a transaction if none is open.
    fn open(&mut self) -> Result<(), LogError> {
        if self.open.is_some() {
            return Ok(());
        }
        self.lanes.mend(&self.shared)?;
        let lane = self.lanes.current().expect("it was mended");
        match lane.begin() {
            Ok(()) => {
                self.open = Some(Instant::now());
                Ok(())
            }
            Err(Failed::Broken { text, fenced: true }) => Err(self.fenced(format!("beginning a transaction: {text}"))),
            Err(failed) => {
                self.lanes.discard();
                Err(LogError::Away(format!("beginning a transaction: {}", failed.text())))
            }
        }
    }

    fn lane(&self) -> Result<&Lane, LogError> {
        let lane = self.lanes.current();
        lane.ok_or_else(|| broken("no transaction is open"))
    }

    /// Sends one record at once: gathering and sending go side by side.
    pub(super) fn produce(&mut self, record: &NewRecord) -> Result<(), LogError> {
        self.shared.fits(record)?;
        self.open()?;
        let deadline = Instant::now() + self.shared.options.answer_within;
        match self.lane()?.send(record, 0, deadline) {
            Ok(()) => Ok(()),
            Err(failed) => Err(match self.undone(failed) {
                Ended::No(reason) => LogError::Away(reason),
                Ended::Error(error) => error,
            }),
        }
    }

    /// The transaction failed before its commit was asked for: nothing of it happened.
    fn undone(&mut self, failed: Failed) -> Ended {
        match failed {
            Failed::Broken { text, fenced: true } => {
                Ended::Error(self.fenced(format!("the transaction was refused: {text}")))
            }
            Failed::Broken { text, fenced: false } => {
                self.lanes.discard();
                self.lanes.turn();
                self.open = None;
                Ended::No(text)
            }
            Failed::Abort { code, text } => match self.drop_open() {
                Ok(()) if Lane::hopeless(code) => Ended::Error(Lane::give_up(&self.shared, code, &text)),
                Ok(()) => Ended::No(text),
                Err(error) => Ended::Error(error),
            },
            Failed::Late(text) => match self.drop_open() {
                Ok(()) => Ended::No(format!("{text}{}", self.shared.health.last())),
                Err(error) => Ended::Error(error),
            },
        }
    }

    /// Aborts what is open. A lane that cannot is replaced, and what it left open ends with that.
    pub(super) fn drop_open(&mut self) -> Result<(), LogError> {
        if self.open.take().is_none() {
            return Ok(());
        }
        let deadline = Instant::now() + self.shared.options.answer_within;
        let result = self.lane()?.abort(deadline);
        if let Err(failed) = result {
            if let Failed::Broken { text, fenced: true } = failed {
                return Err(self.fenced(format!("an abort was refused: {text}")));
            }
            tracing::warn!(
                "a transaction could not be aborted: {}; its producer is replaced",
                failed.text()
            );
            self.lanes.discard();
            self.lanes.mend(&self.shared)?;
        }
        self.lanes.turn();
        Ok(())
    }

    pub(super) fn transact(&mut self, batch: Commit) -> Result<Committed, LogError> {
        self.stood.clear();
        if self.open.is_none() && batch.positions.is_empty() && batch.changes.is_empty() {
            return Ok(Committed::Yes(self.shared.commits.last()));
        }
        match self.send_all(&batch) {
            Ok((token, deadline)) => self.conclude(&batch, token, deadline),
            Err(Ended::No(reason)) => Ok(Committed::No { reason }),
            Err(Ended::Error(error)) => Err(error),
        }
    }

    /// The name under which the touched shards are held.
    fn name(&self, batch: &Commit) -> Result<Arc<ConsumerGroupMetadata>, String> {
        let mut name = None;
        for (_, shard, _) in &batch.positions {
            match self.held.get(shard) {
                Some(held) => name = Some(held.clone()),
                None => return Err(format!("illegal generation: shard {shard} is not held any more")),
            }
        }
        name.ok_or_else(|| "nothing says whose the transaction is".to_owned())
    }

    /// Everything but the commit itself: state changes, positions, and the records acknowledged.
    fn send_all(&mut self, batch: &Commit) -> Result<(String, Instant), Ended> {
        let named: BTreeSet<Shard> = batch.positions.iter().map(|(_, shard, _)| *shard).collect();
        if named.is_empty() {
            // Without positions the coordinator would check nobody's right to write.
            return Err(broken("the commit names no positions").into());
        }
        if let Some(change) = batch.changes.iter().find(|c| !named.contains(&c.shard)) {
            let shard = change.shard;
            return Err(broken(&format!("the commit changes shard {shard} without its positions")).into());
        }
        let name = match self.name(batch) {
            Ok(name) => name,
            Err(reason) => {
                self.drop_open()?;
                return Err(Ended::No(reason));
            }
        };
        let at = now();
        for change in &batch.changes {
            self.produce(&changelog::record(&self.shared.options.pipeline, change, at))?;
        }
        self.open()?;
        let token = self.tokens.next(&self.spec.member);
        let offsets = positions(batch, &token);
        let deadline = Instant::now() + self.shared.options.commit_within;
        let lane = self.lane()?;
        let sent = lane
            .send_offsets(&offsets, &name, deadline)
            .and_then(|()| lane.flush(deadline));
        match sent {
            Ok(()) => Ok((token, deadline)),
            Err(failed) => Err(self.undone(failed)),
        }
    }

    /// The commit itself. From here on a missing answer means that it may have happened.
    fn conclude(&mut self, batch: &Commit, token: String, deadline: Instant) -> Result<Committed, LogError> {
        let result = self.lane()?.commit(deadline);
        match result {
            Ok(()) => {
                self.open = None;
                self.lanes.turn();
                Ok(Committed::Yes(self.shared.commits.next()))
            }
            Err(failed @ Failed::Abort { .. }) => match self.undone(failed) {
                Ended::No(reason) => Ok(Committed::No { reason }),
                Ended::Error(error) => Err(error),
            },
            // The journal tells the next session what became of it.
            Err(Failed::Broken { text, fenced: true }) => Err(self.fenced(format!("the commit was refused: {text}"))),
            Err(failed) => {
                tracing::warn!("it is not known whether a transaction was committed: {}", failed.text());
                self.open = None;
                self.lanes.discard();
                self.unresolved = Some(Pending::new(batch, token));
                Ok(Committed::Unknown)
            }
        }
    }
}

fn positions(batch: &Commit, token: &str) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(batch.positions.len());
    for (topic, shard, next) in &batch.positions {
        let mut element = list.add_partition(topic.as_str(), convert::partition(*shard));
        element
            .set_offset(rdkafka::Offset::Offset(convert::raw(*next)))
            .expect("an offset that is not negative can be set");
        element.set_metadata(token);
    }
    list
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
