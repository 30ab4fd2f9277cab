//! Reads one partition, committed records only, and knows when it has reached the end.
//!
//! Transaction markers and aborted records take offsets but are never delivered, so the last record's offset says
//! nothing about the end (librdkafka's own end of partition does, and it names the offset that it reached).

use crate::health::{self, Health};
use crate::shared::Shared;
use crate::{Place, convert, fault, settings};
use fermata_core::{Offset, Record, TopicName, ports::LogError};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{ClientContext, message::Message};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(crate) struct Reader {
    consumer: BaseConsumer<Watching>,
    place: Option<Place>,
    /// Topics whose leaders the consumer knows.
    known: BTreeSet<TopicName>,
    /// No record lies between these two: the next asked for may be anywhere in between.
    after: u64,
    next: u64,
    /// The end when it was last asked for.
    end: u64,
    pub used: Instant,
}

/// Hears where the end of the partition was met.
struct Watching {
    health: Arc<Health>,
    /// One past the offset of the last end met since the assignment; 0: none.
    met: AtomicU64,
}

impl ClientContext for Watching {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        health::log(level, facility, text);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(Code::PartitionEOF) => {
                let met = end_met(reason).map_or(0, |at| at + 1);
                self.met.store(met, Ordering::Relaxed);
            }
            code => self.health.note(code, reason),
        }
    }
}
impl ConsumerContext for Watching {}

/// "Fetch from broker 1 reached end of partition at offset 12 (HighwaterMark 15)".
fn end_met(reason: &str) -> Option<u64> {
    let (_, rest) = reason.split_once("at offset ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Reader {
    pub fn open(shared: &Shared) -> Result<Self, LogError> {
        let context = Watching {
            health: shared.health.clone(),
            met: AtomicU64::new(0),
        };
        let consumer = settings::reader(&shared.options, &shared.group())
            .create_with_context(context)
            .map_err(|e| settings::making("a reader", &e, &shared.health))?;
        Ok(Self {
            consumer,
            place: None,
            known: BTreeSet::new(),
            after: 0,
            next: 0,
            end: 0,
            used: Instant::now(),
        })
    }

    /// Whether it can go on at `from` without asking for anything again.
    pub fn stands_at(&self, place: &Place, from: Offset) -> bool {
        self.place.as_ref() == Some(place) && (self.after..=self.next).contains(&from.0)
    }

    /// The end as last asked for.
    pub fn end(&self) -> Offset {
        Offset(self.end)
    }

    /// Up to `limit` records from `from` on: fewer only when there are no more.
    pub fn read(
        &mut self,
        shared: &Shared,
        place: &Place,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>, LogError> {
        self.used = Instant::now();
        let known = self.stands_at(place, from) && self.next < self.end;
        if !known && !self.ask(shared, place, from)? {
            return Ok(Vec::new());
        }
        if !self.stands_at(place, from) {
            self.assign(shared, place, from)?;
        }
        let mut records = Vec::new();
        loop {
            self.gather(shared, place, limit, &mut records)?;
            // What was known of the end may be old; less than asked for means that there is no more.
            if records.len() >= limit {
                return Ok(records);
            }
            if !self.ask(shared, place, Offset(self.next))? {
                self.rest();
                return Ok(records);
            }
        }
    }

    /// Stands nowhere: as good as a new one, and better where it knows the topic.
    pub fn rests(&self) -> bool {
        self.place.is_none()
    }

    pub fn knows(&self, topic: &TopicName) -> bool {
        self.known.contains(topic)
    }

    /// At the end there is nothing to fetch ahead: a fetch that waits for more would only hold up the next reading of
    /// another partition, and keep a broker busy.
    fn rest(&mut self) {
        self.place = None;
        if let Err(error) = self.consumer.unassign() {
            tracing::debug!("a reader does not rest: {error}");
        }
    }

    /// Whether there may be anything at `from`.
    fn ask(&mut self, shared: &Shared, place: &Place, from: Offset) -> Result<bool, LogError> {
        let (start, end) = shared.ends.stable(&place.0, place.1)?;
        if from < start {
            return Err(LogError::Trimmed {
                topic: place.0.clone(),
                shard: place.1,
                asked: from,
                start,
            });
        }
        self.end = end.0;
        Ok(from < end)
    }

    fn assign(&mut self, shared: &Shared, place: &Place, from: Offset) -> Result<(), LogError> {
        self.place = None;
        self.consumer.context().met.store(0, Ordering::Relaxed);
        let list = convert::places([(&place.0, place.1, Some(from))]);
        let doing = || format!("reading {}/{}", place.0, place.1);
        if !self.known.contains(&place.0) {
            // Connected, and told whom to ask: left alone librdkafka would look at it once a second.
            let within = shared.options.answer_within;
            let told = self.consumer.fetch_metadata(Some(place.0.as_str()), within);
            told.map_err(|e| shared.explain(&doing(), &e))?;
            self.known.insert(place.0.clone());
        }
        self.consumer.assign(&list).map_err(|e| shared.explain(&doing(), &e))?;
        // An end met before the assignment is not this one's.
        self.consumer.context().met.store(0, Ordering::Relaxed);
        self.place = Some(place.clone());
        (self.after, self.next) = (from.0, from.0);
        Ok(())
    }

    /// Polls until `limit`, or the end as last asked for.
    fn gather(
        &mut self,
        shared: &Shared,
        place: &Place,
        limit: usize,
        records: &mut Vec<Record>,
    ) -> Result<(), LogError> {
        let mut deadline = Instant::now() + shared.options.answer_within;
        while records.len() < limit && self.next < self.end {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let offset = convert::offset(message.offset()).0;
                    if offset < self.next {
                        continue;
                    }
                    records.push(convert::record(&place.0, &message));
                    (self.after, self.next) = (offset + 1, offset + 1);
                    if records.len().is_multiple_of(1_024) {
                        deadline = Instant::now() + shared.options.answer_within;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    let met = self.consumer.context().met.load(Ordering::Relaxed);
                    self.next = self.next.max(met.saturating_sub(1));
                }
                Some(Err(error)) => self.failed(shared, place, &error)?,
                None if Instant::now() > deadline => {
                    self.place = None;
                    let doing = format!("reading {}/{} at offset {}", place.0, place.1, self.next);
                    return Err(shared.explain(&doing, &KafkaError::MessageConsumption(Code::OperationTimedOut)));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn failed(&mut self, shared: &Shared, place: &Place, error: &KafkaError) -> Result<(), LogError> {
        let code = error.rdkafka_error_code();
        if matches!(code, Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)) {
            self.place = None;
            shared.out_of_range(place, Offset(self.next))?;
            return Err(shared.explain(&format!("reading {}/{}", place.0, place.1), error));
        }
        if code.is_some_and(fault::unknown_topic) {
            self.place = None;
            shared.catalogue.forget(&place.0);
            return Err(LogError::UnknownTopic(place.0.clone()));
        }
        if code.is_some_and(|c| fault::refusal(c).is_some()) {
            self.place = None;
            return Err(shared.explain(&format!("reading {}/{}", place.0, place.1), error));
        }
        // Connections come and go; the deadline decides.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_that_was_met_is_read_from_what_librdkafka_says() {
        let said = "Fetch from broker 1 reached end of partition at offset 12 (HighwaterMark 15)";
        assert_eq!(end_met(said), Some(12));
        assert_eq!(end_met("reached end of partition"), None);
    }
}
