//! The consumer of a session: a static member of the pipeline's group, polled by one thread only.
//!
//! librdkafka hands rebalances over inside a poll. They are only noted there; the session answers them in its own
//! time, so that a batch ends before its shards go.

use crate::health::{self, Health};
use crate::settings;
use crate::shared::Shared;
use fermata_core::ports::{LogError, SessionSpec};
use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the group decided.
pub(super) enum Change {
    /// Topic and partition of everything assigned.
    Assigned(Vec<(String, i32)>),
    Revoked {
        lost: bool,
    },
}

pub(super) struct Noting {
    health: Arc<Health>,
    state: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    changes: VecDeque<Change>,
    /// Nobody will answer any more: give everything back at once, or the consumer never closes.
    closing: bool,
}

impl ClientContext for Noting {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        health::log(level, facility, text);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.health.note(error.rdkafka_error_code(), reason);
    }
}

impl ConsumerContext for Noting {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let mut state = self.state.lock();
        let assigned = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if state.closing {
            if let Err(error) = consumer.unassign() {
                tracing::debug!("giving shards back: {error}");
            }
            return;
        }
        state.changes.push_back(match assigned {
            true => Change::Assigned(
                list.elements()
                    .iter()
                    .map(|e| (e.topic().to_owned(), e.partition()))
                    .collect(),
            ),
            false => Change::Revoked {
                lost: consumer.assignment_lost(),
            },
        });
    }
}

pub(super) struct Member {
    consumer: BaseConsumer<Noting>,
    /// A member that was fenced has nothing to leave.
    pub leaves: bool,
}

/// Leaving waits so long for brokers that do not answer.
const LEAVING: Duration = Duration::from_secs(2);

impl Member {
    pub fn subscribe(shared: &Shared, spec: &SessionSpec) -> Result<Self, LogError> {
        let context = Noting {
            health: shared.health.clone(),
            state: Mutex::default(),
        };
        let consumer: BaseConsumer<Noting> = settings::member(&shared.options, &spec.group, &spec.member)
            .create_with_context(context)
            .map_err(|e| settings::making("a member of the group", &e, &shared.health))?;
        let topics: Vec<_> = spec.topics.iter().map(|t| t.as_str()).collect();
        consumer
            .subscribe(&topics)
            .map_err(|e| shared.explain("joining the group", &e))?;
        Ok(Self { consumer, leaves: true })
    }

    pub fn next_change(&self) -> Option<Change> {
        self.consumer.context().state.lock().changes.pop_front()
    }
    pub fn changes(&self) -> bool {
        !self.consumer.context().state.lock().changes.is_empty()
    }
}

impl Deref for Member {
    type Target = BaseConsumer<Noting>;
    fn deref(&self) -> &Self::Target {
        &self.consumer
    }
}

impl Drop for Member {
    /// A static member that only closes stays in the group until its session times out; one that unsubscribes leaves.
    fn drop(&mut self) {
        self.consumer.context().state.lock().closing = true;
        if !self.leaves {
            return;
        }
        drop(self.consumer.unassign());
        self.consumer.unsubscribe();
        // What was assigned is given back within a poll; then the request to leave goes out.
        let deadline = Instant::now() + LEAVING;
        let mut quiet = 0;
        while quiet < 2 && Instant::now() < deadline {
            if self.consumer.poll(Duration::from_millis(20)).is_none() {
                quiet += 1;
            }
        }
    }
}
