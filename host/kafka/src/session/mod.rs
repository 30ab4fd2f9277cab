//! One worker's hold on its shards, on Kafka: a static member of the group that reads, and transactional producers that
//! write.
//!
//! A session is used by the thread that polls it and by no other. The group's metadata is taken when shards are
//! assigned and kept with them: a commit goes out in the name under which its shards are held, so that the coordinator
//! refuses it once they are another's. Taken at the time of the commit it would be that of the next generation, and be
//! accepted for shards that are gone.

mod committing;
mod cursors;
mod member;
mod polling;
mod resolving;
mod token;
mod vanished;
mod watchdog;

use crate::Place;
use crate::lanes::Lanes;
use crate::readers::Readers;
use crate::shared::Shared;
use cursors::Cursors;
use fermata_core::ports::{Commit, Committed, LogError, Polled, Session, SessionSpec};
use fermata_core::{NewRecord, Offset, Shard, TopicName};
use member::Member;
use rdkafka::consumer::ConsumerGroupMetadata;
use resolving::Pending;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use token::{Stood, Tokens};

pub(crate) struct KafkaSession {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    spec: SessionSpec,
    member: Member,
    lanes: Lanes,
    /// With the name under which each shard is held.
    held: BTreeMap<Shard, Arc<ConsumerGroupMetadata>>,
    /// Assigned, and not told before it is known where the group stands.
    coming: Option<Coming>,
    /// Told to be revoked: gone with the next poll.
    leaving: bool,
    cursors: Cursors,
    /// The consumer does not read what the cursors say.
    stale: bool,
    /// Where the group stands, as of the last poll.
    stood: BTreeMap<Place, Stood>,
    /// Where it stood when the shards were taken over.
    found: BTreeMap<Place, Stood>,
    tokens: Tokens,
    /// A transaction is open on the current lane, since then.
    open: Option<Instant>,
    unresolved: Option<Pending>,
    /// The answer to the commit before.
    last: Option<Committed>,
    /// Why nothing goes any more: join again.
    dead: Option<String>,
    watched: Instant,
}

struct Coming {
    shards: BTreeSet<Shard>,
    name: Arc<ConsumerGroupMetadata>,
}

impl KafkaSession {
    pub fn join(shared: Arc<Shared>, readers: Arc<Readers>, spec: SessionSpec) -> Result<Self, LogError> {
        for topic in &spec.topics {
            let found = shared.catalogue.partitions(topic)?;
            if found != spec.partitions {
                return Err(LogError::PartitionCount {
                    topic: topic.clone(),
                    expected: spec.partitions,
                    found,
                });
            }
        }
        // The group takes its time meanwhile.
        let member = Member::subscribe(&shared, &spec)?;
        let lanes = shared.ahead.lanes(&shared, &spec.member, false)?;
        Ok(Self {
            cursors: Cursors::new(&spec.topics),
            shared,
            readers,
            spec,
            member,
            lanes,
            held: BTreeMap::new(),
            coming: None,
            leaving: false,
            stale: false,
            stood: BTreeMap::new(),
            found: BTreeMap::new(),
            tokens: Tokens::new(),
            open: None,
            unresolved: None,
            last: None,
            dead: None,
            watched: Instant::now(),
        })
    }

    /// Before anything but `resolve`: while a commit is unknown, whatever came next might be committed before it.
    fn ready(&self) -> Result<(), LogError> {
        if let Some(why) = &self.dead {
            return Err(LogError::Fenced(why.clone()));
        }
        match &self.unresolved {
            None => Ok(()),
            Some(_) => Err(broken("a commit is unknown: resolve it before anything else")),
        }
    }

    /// The session is over.
    fn fenced(&mut self, why: String) -> LogError {
        self.member.leaves = false;
        self.lanes.discard_all();
        self.open = None;
        self.held.clear();
        self.dead = Some(why.clone());
        LogError::Fenced(why)
    }
}

fn broken(what: &str) -> LogError {
    LogError::Fatal(format!("the contract of the log is broken: {what}"))
}

impl Session for KafkaSession {
    fn poll(&mut self, max_wait: Duration, max_records: usize) -> Result<Polled, LogError> {
        self.ready()?;
        self.poll_group(max_wait, max_records)
    }

    fn seek(&mut self, topic: &TopicName, shard: Shard, next: Offset) -> Result<(), LogError> {
        self.ready()?;
        self.shared.catalogue.check(topic, shard)?;
        if !self.held.contains_key(&shard) {
            return Ok(());
        }
        if !self.cursors.seek(topic, shard, next) {
            return Err(broken(&format!("{topic} is not one of the session's topics")));
        }
        self.stale = true;
        Ok(())
    }

    fn committed(&mut self, topic: &TopicName, shard: Shard) -> Result<Option<Offset>, LogError> {
        self.ready()?;
        self.stands(topic, shard)
    }

    fn set_paused(&mut self, paused: &[(TopicName, Shard)]) {
        self.stale |= self.cursors.set_paused(paused);
    }

    fn append(&mut self, record: NewRecord) -> Result<Option<Offset>, LogError> {
        self.ready()?;
        self.produce(&record)?;
        Ok(None)
    }

    fn commit(&mut self, batch: Commit) -> Result<Committed, LogError> {
        self.ready()?;
        let answer = self.transact(batch)?;
        self.last = Some(answer.clone());
        Ok(answer)
    }

    fn abort(&mut self) -> Result<(), LogError> {
        self.ready()?;
        self.drop_open()
    }

    fn resolve(&mut self) -> Result<Committed, LogError> {
        let answer = self.ask_what_became()?;
        self.last = Some(answer.clone());
        Ok(answer)
    }
}

impl Drop for KafkaSession {
    /// Ends what is open at once, rather than by the brokers' time-out: until then it would hide what lies behind it.
    fn drop(&mut self) {
        if self.open.is_some()
            && let Some(lane) = self.lanes.current()
            && let Err(failed) = lane.abort(Instant::now() + Duration::from_secs(2))
        {
            tracing::debug!("an open transaction was left to its time-out: {}", failed.text());
        }
    }
}
