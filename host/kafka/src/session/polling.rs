//! Changes of the group, and records.

use super::{Coming, KafkaSession, member::Change, vanished};
use crate::{convert, fault};
use fermata_core::ports::{LogError, Polled};
use fermata_core::{Shard, TopicName, codes};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

impl KafkaSession {
    pub(super) fn poll_group(&mut self, max_wait: Duration, max_records: usize) -> Result<Polled, LogError> {
        self.stood.clear();
        if self.open.is_none() {
            // What a broken lane left open ends with the next producer of its id. A next transaction may never come: it
            // may wait for what that hides.
            self.lanes.mend(&self.shared)?;
        }
        if std::mem::take(&mut self.leaving) {
            self.give_back()?;
        }
        self.take_over(Duration::ZERO)?;
        if let Some(polled) = self.heard()? {
            return Ok(polled);
        }
        self.reassign()?;
        if let Some(records) = self.cursors.serve(max_records) {
            return Ok(Polled::Records(records));
        }
        if !max_wait.is_zero() {
            self.take_over(max_wait)?;
            if let Some(polled) = self.heard()? {
                return Ok(polled);
            }
            if let Some(records) = self.cursors.serve(max_records) {
                return Ok(Polled::Records(records));
            }
        }
        self.watch()?;
        Ok(Polled::Idle)
    }

    /// Nothing of what was held is any more.
    fn give_back(&mut self) -> Result<(), LogError> {
        let gone: BTreeSet<Shard> = std::mem::take(&mut self.held).into_keys().collect();
        self.cursors.forget(&gone);
        self.stale = false;
        let done = self.member.unassign();
        done.map_err(|e| self.shared.explain("giving shards back", &e))
    }

    /// The next change of the group that the worker is to hear of.
    fn heard(&mut self) -> Result<Option<Polled>, LogError> {
        while let Some(change) = self.member.next_change() {
            match change {
                Change::Assigned(places) => self.assigned(&places)?,
                Change::Revoked { lost } => {
                    self.coming = None;
                    let shards: Vec<Shard> = self.held.keys().copied().collect();
                    if shards.is_empty() || lost {
                        self.give_back()?;
                    } else {
                        // Held until the next poll: the coordinator waits for it.
                        self.leaving = true;
                    }
                    if !shards.is_empty() {
                        return Ok(Some(Polled::Revoked { shards, lost }));
                    }
                }
            }
        }
        self.announce()
    }

    /// Whole shards only: those of which every topic's partition was assigned.
    fn assigned(&mut self, places: &[(String, i32)]) -> Result<(), LogError> {
        let doing = "taking shards over";
        // Nothing is read before the worker says where from.
        if let Err(error) = self.member.assign(&TopicPartitionList::new()) {
            return Err(self.fenced(format!("{doing}: {error}")));
        }
        let mut parts: BTreeMap<Shard, BTreeSet<&str>> = BTreeMap::new();
        for (topic, partition) in places {
            parts.entry(convert::shard(*partition)).or_default().insert(topic);
        }
        let whole = |own: &BTreeSet<&str>| self.spec.topics.iter().all(|t| own.contains(t.as_str()));
        let (shards, partial): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(_, own)| whole(own));
        if !partial.is_empty() {
            let partial: Vec<_> = partial.into_iter().map(|(shard, _)| shard.0).collect();
            tracing::warn!(
                "shards {partial:?} are assigned in part only; they wait until the group has seen every topic"
            );
        }
        let Some(name) = self.member.group_metadata() else {
            return Err(self.fenced(format!("{doing}: the member is in no group")));
        };
        let shards: BTreeSet<Shard> = shards.into_iter().map(|(shard, _)| shard).collect();
        if !shards.is_empty() {
            vanished::release(&self.shared, &self.spec.group, &self.spec.member, self.places(&shards));
        }
        self.coming = Some(Coming {
            shards,
            name: Arc::new(name),
        });
        Ok(())
    }

    /// Tells of new shards once it is known where the group stands: until then an earlier holder's commit may be under
    /// way, and a journal read before it ends lacks its last record.
    fn announce(&mut self) -> Result<Option<Polled>, LogError> {
        let Some(coming) = &self.coming else {
            return Ok(None);
        };
        let shards = coming.shards.clone();
        if !self.stable(&shards)? {
            return Ok(None);
        }
        let Some(coming) = self.coming.take() else {
            return Ok(None);
        };
        self.held
            .extend(coming.shards.iter().map(|shard| (*shard, coming.name.clone())));
        let shards: Vec<_> = coming.shards.into_iter().collect();
        Ok((!shards.is_empty()).then_some(Polled::Assigned(shards)))
    }

    /// Has the consumer read what the cursors say, from where they say.
    fn reassign(&mut self) -> Result<(), LogError> {
        if self.cursors.clogged() {
            self.stale = true;
        }
        if !self.stale || self.leaving {
            return Ok(());
        }
        let places = self.cursors.arm();
        let list = convert::places(places.iter().map(|(topic, shard, next)| (topic, *shard, Some(*next))));
        if let Err(error) = self.member.assign(&list) {
            self.cursors.disarm();
            return Err(self.shared.explain("reading the shards", &error));
        }
        self.stale = false;
        Ok(())
    }

    /// Takes over everything that has come; waits for the first only. Polls at least once: the group is to be heard.
    fn take_over(&mut self, mut wait: Duration) -> Result<(), LogError> {
        let mut first = true;
        let (mut down, mut came) = (None, false);
        while std::mem::take(&mut first) || !self.cursors.full() && !self.member.changes() {
            let failed = match self.member.poll(std::mem::take(&mut wait)) {
                None => break,
                Some(Ok(message)) => {
                    came = true;
                    let (shard, offset) = (convert::shard(message.partition()), convert::offset(message.offset()));
                    if self.cursors.wants(message.topic(), shard, offset)
                        && let Some(topic) = self.cursors.name(message.topic())
                    {
                        let record = convert::record(topic, &message);
                        drop(message);
                        self.cursors.came(record);
                    }
                    continue;
                }
                Some(Err(failed)) => failed,
            };
            // It is told again and again while it lasts, and the last of it is heard when it is long over: all of it is
            // one absence.
            if failed.rdkafka_error_code() == Some(Code::AllBrokersDown) {
                down = Some(failed);
            } else {
                self.failed(&failed)?;
            }
        }
        // A change of the group is heard first: it is behind many of these, and they come on.
        match down.filter(|_| !came && !self.member.changes()) {
            Some(error) => Err(self.shared.explain("reading the shards", &error)),
            None => Ok(()),
        }
    }

    fn failed(&mut self, error: &KafkaError) -> Result<(), LogError> {
        let doing = "reading the shards";
        if let KafkaError::MessageConsumptionFatal(code) = error {
            return Err(self.fenced(format!("{doing}: {code}")));
        }
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => self.out_of_range(),
            Some(code) if fault::unknown_topic(code) => self.vanished(),
            Some(code) if fault::refusal(code).is_some() => Err(self.shared.explain(doing, error)),
            // Connections come and go, and librdkafka sees to them.
            _ => Ok(()),
        }
    }

    /// Which partition it was is not said.
    fn out_of_range(&mut self) -> Result<(), LogError> {
        let armed: Vec<_> = self.cursors.armed().collect();
        for (topic, shard, next) in armed {
            self.shared.out_of_range(&(topic, shard), next)?;
        }
        // It was, and is no more: a broker that had not caught up.
        self.cursors.disarm();
        self.stale = true;
        Ok(())
    }

    /// A topic that the metadata lacks for a moment is not gone.
    fn vanished(&mut self) -> Result<(), LogError> {
        let topics: Vec<TopicName> = self.spec.topics.clone();
        for topic in topics {
            if self.shared.catalogue.ask(Some(&topic))?.is_empty() {
                self.shared.catalogue.forget(&topic);
                return Err(LogError::Fatal(format!(
                    "{}: the topic {topic} was deleted while it was read: restore it from a copy, or begin under a new \
                     pipeline name",
                    codes::LOG_KAFKA_POSITION
                )));
            }
        }
        Ok(())
    }
}
