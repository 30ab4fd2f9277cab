//! Where the group stands, and what became of a commit whose answer was lost.
//!
//! The question is only answered when no transaction on these positions is open (a *stable* fetch): the consumer reads
//! committed, so its librdkafka asks for stable positions.

use super::{KafkaSession, token::Stood};
use crate::{Place, convert};
use fermata_core::ports::{Commit, Committed, LogError};
use fermata_core::{Offset, Shard, TopicName};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A commit that may have happened.
pub(super) struct Pending {
    places: Vec<Place>,
    token: String,
}

impl Pending {
    pub fn new(batch: &Commit, token: String) -> Self {
        Self {
            places: batch.positions.iter().map(|(t, s, _)| (t.clone(), *s)).collect(),
            token,
        }
    }
}

/// While an earlier holder's transaction is open there is no answer; the group is to be polled in between.
const ASKING: Duration = Duration::from_millis(500);

impl KafkaSession {
    /// Asks the coordinator. `None`: not now.
    fn fetch(&self, places: &[Place], within: Duration) -> Result<Option<BTreeMap<Place, Stood>>, LogError> {
        let list = convert::places(places.iter().map(|(topic, shard)| (topic, *shard, None)));
        let answer = match self.member.committed_offsets(list, within) {
            Ok(answer) => answer,
            Err(error) => return self.not_now(&error),
        };
        let mut stood = BTreeMap::new();
        for (element, place) in answer.elements().iter().zip(places) {
            if let Err(error) = element.error() {
                return self.not_now(&error);
            }
            let at = match element.offset() {
                rdkafka::Offset::Offset(at) => Some(convert::offset(at)),
                _ => None,
            };
            let token = element.metadata().to_owned();
            stood.insert(place.clone(), Stood { at, token });
        }
        Ok(Some(stood))
    }

    fn not_now<T>(&self, error: &KafkaError) -> Result<Option<T>, LogError> {
        let code = error.rdkafka_error_code();
        if matches!(
            code,
            Some(Code::OperationTimedOut | Code::UnstableOffsetCommit | Code::WaitingForCoordinator)
        ) {
            return Ok(None);
        }
        match self.shared.explain("asking where the group stands", error) {
            LogError::Away(_) => Ok(None),
            refused => Err(refused),
        }
    }

    pub(super) fn places(&self, shards: &BTreeSet<Shard>) -> Vec<Place> {
        let of = |topic: &TopicName| shards.iter().map(|s| (topic.clone(), *s)).collect::<Vec<_>>();
        self.spec.topics.iter().flat_map(of).collect()
    }

    /// Whether no transaction is open on the positions of these shards; they are remembered until the next poll.
    pub(super) fn stable(&mut self, shards: &BTreeSet<Shard>) -> Result<bool, LogError> {
        if shards.is_empty() {
            return Ok(true);
        }
        let Some(stood) = self.fetch(&self.places(shards), ASKING)? else {
            return Ok(false);
        };
        self.found
            .extend(stood.iter().map(|(place, stood)| (place.clone(), stood.clone())));
        self.stood = stood;
        Ok(true)
    }

    /// The position that the group has committed.
    pub(super) fn stands(&mut self, topic: &TopicName, shard: Shard) -> Result<Option<Offset>, LogError> {
        let place = (topic.clone(), shard);
        if !self.stood.contains_key(&place) {
            let mut places: Vec<Place> = self.places(&self.held.keys().copied().collect());
            if !places.contains(&place) {
                places.push(place.clone());
            }
            let within = self.shared.options.answer_within;
            let found = self.fetch(&places, within)?;
            let away = || {
                format!(
                    "the group does not say where it stands in {topic}/{shard}{}",
                    self.shared.health.last()
                )
            };
            self.stood = found.ok_or_else(|| LogError::Away(away()))?;
        }
        Ok(self.stood.get(&place).and_then(|s| s.at))
    }

    pub(super) fn ask_what_became(&mut self) -> Result<Committed, LogError> {
        if let Some(why) = &self.dead {
            return Err(LogError::Fenced(why.clone()));
        }
        let Some(pending) = &self.unresolved else {
            let none = || Committed::No {
                reason: "this session has not committed anything".into(),
            };
            return Ok(self.last.clone().unwrap_or_else(none));
        };
        // A new producer of the same id ends the transaction, one way or the other, before it may begin.
        match self.lanes.mend(&self.shared) {
            Ok(()) => {}
            Err(LogError::Away(_)) => return Ok(Committed::Unknown),
            Err(found) => return Err(found),
        }
        let Some(stood) = self.fetch(&pending.places, self.shared.options.answer_within)? else {
            return Ok(Committed::Unknown);
        };
        let committed = stood.values().any(|stood| stood.token == pending.token);
        // As they were before: put there by this session, or found when the shards were taken over.
        let before = |(place, stood): (&Place, &Stood)| {
            self.tokens.own(&stood.token) || self.found.get(place).is_some_and(|found| found == stood)
        };
        let answer = if committed {
            Committed::Yes(self.shared.commits.next())
        } else if stood.iter().all(before) {
            Committed::No {
                reason: "the transaction was aborted".into(),
            }
        } else {
            return Err(self.fenced("another member has committed meanwhile".into()));
        };
        self.unresolved = None;
        self.lanes.turn();
        Ok(answer)
    }
}
