//! One transactional producer.
//!
//! Transactions that follow each other on one transactional id pay a retry each, because the broker concludes one
//! after it has answered: hence several lanes for each worker, used in turn ([`crate::lanes`]).
//!
//! What librdkafka says of a failed call decides what may be said of its transaction:
//! - it asks for an abort: nothing of it happened once the abort succeeds;
//! - it may be repeated: the same call again, until the deadline;
//! - anything else: the producer is of no more use, and of a commit it is unknown what became of it. A producer of the
//!   same id that is initialised ends what was open; then the group's positions tell (librdkafka#5423).

use crate::flush::flush;
use crate::health::{self, Health};
use crate::shared::Shared;
use crate::{convert, fault, settings};
use fermata_core::{NewRecord, Offset, codes, ports::LogError};
use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::{ClientContext, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Lane {
    id: String,
    producer: BaseProducer<Delivering>,
}

/// Why a step of a transaction failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The transaction must be aborted: nothing of it happened.
    Abort { code: Option<Code>, text: String },
    /// No answer came in time.
    Late(String),
    /// The producer is of no more use: fenced, or it failed for good.
    Broken { text: String, fenced: bool },
}

impl Failed {
    pub fn text(&self) -> &str {
        match self {
            Self::Abort { text, .. } | Self::Late(text) | Self::Broken { text, .. } => text,
        }
    }
}

/// Hears what became of the records of the open transaction.
#[derive(Default)]
struct Reports {
    failed: Option<(Code, String)>,
    /// By the number that each was sent with; only where successes are reported.
    offsets: Vec<Option<Offset>>,
}

struct Delivering {
    health: Arc<Health>,
    reports: Mutex<Reports>,
}

impl ClientContext for Delivering {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        health::log(level, facility, text);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.health.note(error.rdkafka_error_code(), reason);
    }
}

impl ProducerContext for Delivering {
    type DeliveryOpaque = usize;
    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let mut reports = self.reports.lock();
        match result {
            Ok(message) => {
                if let Some(slot) = reports.offsets.get_mut(number) {
                    *slot = Some(convert::offset(message.offset()));
                }
            }
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                let found = format!(
                    "a record for {}/{} was not taken: {error}",
                    message.topic(),
                    message.partition()
                );
                reports.failed.get_or_insert((code, found));
            }
        }
    }
}

/// One call of librdkafka's waits at most so long, so that what else it has to say is heard in between.
const SLICE: Duration = Duration::from_millis(1_000);
/// An abort waits for the reports of the records that it drops, which this same thread must hear.
const ABORT_SLICE: Duration = Duration::from_millis(20);
/// What the producer has to say is heard one by one; so many at a time.
const HEARD: usize = 16;

impl Lane {
    /// Connects and initialises: what an earlier producer of this id left open has ended then.
    pub fn open(shared: &Shared, id: String, reports: bool, deadline: Instant) -> Result<Self, LogError> {
        let batch = shared.catalogue.batch_bytes();
        let context = Delivering {
            health: shared.health.clone(),
            reports: Mutex::default(),
        };
        let producer: BaseProducer<Delivering> = settings::producer(&shared.options, &id, batch, reports)
            .create_with_context(context)
            .map_err(|e| settings::making("a producer", &e, &shared.health))?;
        let lane = Self { id, producer };
        let doing = format!("initialising transactions as {}", lane.id);
        // Without a connection librdkafka would look again only after half a second.
        let left = deadline.saturating_duration_since(Instant::now());
        let connected = lane.producer.client().fetch_cluster_id(left);
        lane.hear();
        if connected.is_none() {
            let late = KafkaError::MetadataFetch(Code::OperationTimedOut);
            return Err(shared.explain(&doing, &late));
        }
        match lane.attempt(deadline, |left| lane.producer.init_transactions(left)) {
            Ok(()) => Ok(lane),
            Err(Failed::Abort { code, text }) => Err(Self::explain(shared, &doing, code, text)),
            Err(Failed::Broken { text, .. }) => {
                let code = lane.producer.client().fatal_error().map(|(code, _)| code);
                Err(Self::explain(shared, &doing, code, text))
            }
            Err(Failed::Late(text)) => Err(LogError::Away(format!("{doing}: {text}{}", shared.health.last()))),
        }
    }

    fn explain(shared: &Shared, doing: &str, code: Option<Code>, text: String) -> LogError {
        match code {
            Some(code) => shared.explain(doing, &KafkaError::Global(code)),
            None => LogError::Away(format!("{doing}: {text}{}", shared.health.last())),
        }
    }

    /// Hears reports of failures, and what the connections meet.
    fn hear(&self) {
        (0..HEARD).for_each(|_| self.producer.poll(Duration::ZERO));
    }

    fn attempt(&self, deadline: Instant, call: impl FnMut(Duration) -> KafkaResult<()>) -> Result<(), Failed> {
        self.repeat(SLICE, deadline, call)
    }

    /// Repeats a call until it succeeds, fails for good, or the deadline has passed.
    fn repeat(
        &self,
        slice: Duration,
        deadline: Instant,
        mut call: impl FnMut(Duration) -> KafkaResult<()>,
    ) -> Result<(), Failed> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let result = call(left.min(slice));
            let Err(error) = result else {
                return Ok(());
            };
            self.hear();
            let text = error.to_string();
            let code = error.rdkafka_error_code();
            match &error {
                KafkaError::Transaction(e) if e.is_fatal() || code.is_some_and(fault::fenced) => {
                    let fenced = code.is_some_and(fault::fenced) || self.fenced();
                    return Err(Failed::Broken { text, fenced });
                }
                KafkaError::Transaction(e) if e.txn_requires_abort() => return Err(Failed::Abort { code, text }),
                KafkaError::Transaction(e) if e.is_retriable() => {}
                // Its flush: the transaction itself was not touched.
                KafkaError::Flush(_) => {}
                _ if code.is_some_and(|c| fault::refusal(c).is_some()) => return Err(Failed::Abort { code, text }),
                _ => return Err(Failed::Broken { text, fenced: false }),
            }
            if left.is_zero() {
                return Err(Failed::Late(text));
            }
        }
    }

    fn fenced(&self) -> bool {
        let fatal = self.producer.client().fatal_error();
        fatal.is_some_and(|(code, _)| fault::fenced(code))
    }

    pub fn begin(&self) -> Result<(), Failed> {
        *self.producer.context().reports.lock() = Reports::default();
        let now = Instant::now();
        self.attempt(now, |_| self.producer.begin_transaction())
    }

    /// Sends one record at once. `number`: where reports of successes are heard, its place among the offsets.
    pub fn send(&self, record: &NewRecord, number: usize, deadline: Instant) -> Result<(), Failed> {
        let mut outgoing = convert::outgoing(record, number);
        loop {
            let (error, back) = match self.producer.send(outgoing) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let code = error.rdkafka_error_code();
            let text = format!("a record for {}/{}: {error}", record.topic, record.shard);
            match code {
                Some(Code::QueueFull) if Instant::now() < deadline => {
                    flush(&self.producer, Duration::from_millis(1));
                    self.producer.poll(Duration::ZERO);
                    outgoing = back;
                }
                Some(Code::QueueFull) => return Err(Failed::Late(text)),
                Some(code) if fault::fenced(code) => return Err(Failed::Broken { text, fenced: true }),
                // In a transaction that has already failed.
                _ if self.producer.client().fatal_error().is_some() => {
                    return Err(Failed::Broken {
                        text,
                        fenced: self.fenced(),
                    });
                }
                code => return Err(Failed::Abort { code, text }),
            }
        }
    }

    pub fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        member: &ConsumerGroupMetadata,
        deadline: Instant,
    ) -> Result<(), Failed> {
        self.attempt(deadline, |left| {
            self.producer.send_offsets_to_transaction(offsets, member, left)
        })
    }

    /// Waits until the brokers have every record.
    pub fn flush(&self, deadline: Instant) -> Result<(), Failed> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let done = flush(&self.producer, left.min(Duration::from_millis(50)));
            if done {
                self.producer.poll(Duration::ZERO);
            } else {
                self.hear();
            }
            self.delivered()?;
            if done || self.producer.in_flight_count() == 0 {
                return self.delivered();
            }
            if left.is_zero() {
                return Err(Failed::Late("the brokers have not acknowledged every record".into()));
            }
        }
    }

    /// As [`Lane::flush`], where successes are reported too: they wait in the queue for this thread.
    pub fn flush_reported(&self, deadline: Instant) -> Result<(), Failed> {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::ZERO);
            self.delivered()?;
            if Instant::now() > deadline {
                return Err(Failed::Late("the brokers have not acknowledged every record".into()));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        self.delivered()
    }

    fn delivered(&self) -> Result<(), Failed> {
        let Some((code, text)) = self.producer.context().reports.lock().failed.clone() else {
            return Ok(());
        };
        match self.fenced() {
            true => Err(Failed::Broken { text, fenced: true }),
            false => Err(Failed::Abort { code: Some(code), text }),
        }
    }

    /// Everything must have been flushed.
    pub fn commit(&self, deadline: Instant) -> Result<(), Failed> {
        self.attempt(deadline, |left| self.producer.commit_transaction(left))
    }

    pub fn abort(&self, deadline: Instant) -> Result<(), Failed> {
        self.repeat(ABORT_SLICE, deadline, |left| self.producer.abort_transaction(left))
    }

    /// Makes room for the offsets of so many records.
    pub fn expect(&self, records: usize) {
        self.producer.context().reports.lock().offsets = vec![None; records];
    }
    /// Where the records of the open transaction lie, as far as it was reported.
    pub fn offsets(&self) -> Vec<Option<Offset>> {
        self.producer.context().reports.lock().offsets.clone()
    }

    /// The topic, or the record, is at fault: to be said, not repeated.
    pub fn hopeless(code: Option<Code>) -> bool {
        matches!(
            code,
            Some(
                Code::MessageSizeTooLarge
                    | Code::InvalidMessageSize
                    | Code::InvalidTimestamp
                    | Code::InvalidRecord
                    | Code::PolicyViolation
            )
        ) || code.is_some_and(|c| fault::refusal(c).is_some())
    }

    /// For [`Lane::hopeless`].
    pub fn give_up(shared: &Shared, code: Option<Code>, text: &str) -> LogError {
        match code {
            Some(code) if fault::refusal(code).is_some() => shared.explain(text, &KafkaError::Global(code)),
            _ => LogError::Fatal(format!(
                "{}: the brokers refuse a record: {text}",
                codes::LOG_KAFKA_TOPICS
            )),
        }
    }
}
