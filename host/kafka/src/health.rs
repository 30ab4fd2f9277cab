//! What librdkafka says beside its answers: the last trouble with the brokers, told to whoever then waits in vain.

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One for the log, shared by its clients.
#[derive(Default)]
pub(crate) struct Health {
    trouble: Mutex<Option<Trouble>>,
    /// When trouble of each kind was last told to the log of this process.
    told: Mutex<Vec<(Option<RDKafkaErrorCode>, Instant)>>,
    /// The brokers have let this process in before.
    pub welcome: AtomicBool,
}

struct Trouble {
    at: Instant,
    code: Option<RDKafkaErrorCode>,
    text: String,
}

/// The same trouble is logged once in so long.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// Older trouble says nothing about an answer that is missing now.
const FRESH: Duration = Duration::from_secs(60);

impl Health {
    pub fn note(&self, code: Option<RDKafkaErrorCode>, text: &str) {
        let now = Instant::now();
        if self.is_news(code, now) {
            tracing::warn!("Kafka: {text}");
        }
        *self.trouble.lock() = Some(Trouble {
            at: now,
            code,
            text: text.to_owned(),
        });
    }

    /// Kinds of trouble take turns while brokers are away: each is told at intervals only.
    fn is_news(&self, code: Option<RDKafkaErrorCode>, now: Instant) -> bool {
        let mut told = self.told.lock();
        told.retain(|(_, at)| now.duration_since(*at) < TOLD_EVERY);
        let news = told.iter().all(|(known, _)| *known != code);
        if news {
            told.push((code, now));
        }
        news
    }

    /// "; librdkafka said ... 3 s ago", or nothing.
    pub fn last(&self) -> String {
        let trouble = self.trouble.lock();
        let fresh = trouble.as_ref().filter(|t| t.at.elapsed() < FRESH);
        fresh.map_or(String::new(), |t| {
            format!("; librdkafka said {} s ago: {}", t.at.elapsed().as_secs(), t.text)
        })
    }

    /// The code of fresh trouble: a wrong password shows only so, the answer itself is a time-out. Nothing once the
    /// brokers have let this process in: they refuse for a moment when they restart.
    pub fn unwelcome(&self) -> Option<RDKafkaErrorCode> {
        if self.welcome.load(Ordering::Relaxed) {
            return None;
        }
        let trouble = self.trouble.lock();
        trouble.as_ref().filter(|t| t.at.elapsed() < FRESH).and_then(|t| t.code)
    }
}

/// The context of clients that have nothing else to remember.
#[derive(Clone)]
pub(crate) struct Reporting(pub Arc<Health>);

impl ClientContext for Reporting {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(level, facility, text);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.note(error.rdkafka_error_code(), reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Reporting {}

/// Its own lines are for debugging: what matters comes as an error as well.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!("librdkafka: {facility} {text}");
        }
        _ => tracing::debug!("librdkafka: {facility} {text}"),
    }
}
