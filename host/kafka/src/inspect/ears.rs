//! What librdkafka says beside its answers: why nobody answers, and what the brokers can do.

use super::versions;
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub struct Heard {
    trouble: Mutex<Option<(Option<Code>, String)>>,
    /// Of each request that a broker knows, the newest form that every broker knows.
    apis: Mutex<BTreeMap<i16, i16>>,
}

impl Heard {
    /// Why the last connection failed.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().as_ref().map(|(_, text)| text.clone())
    }
    pub fn code(&self) -> Option<Code> {
        self.trouble.lock().as_ref().and_then(|(code, _)| *code)
    }
    /// By name or password: waiting does not help.
    pub fn refused(&self) -> bool {
        self.code().is_some_and(super::error::refusal)
    }
    pub fn version(&self) -> Option<&'static str> {
        versions::release(&self.apis.lock())
    }
}

#[derive(Clone)]
pub struct Ears(pub Arc<Heard>);

impl ClientContext for Ears {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        if let Some((api, newest)) = versions::parse(text) {
            let mut apis = self.0.apis.lock();
            let known = apis.entry(api).or_insert(newest);
            *known = newest.min(*known);
        } else {
            tracing::debug!("librdkafka: {facility} {text}");
        }
    }
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let mut trouble = self.0.trouble.lock();
        // That all brokers are down is the consequence; why, was said before.
        let consequence = code == Some(Code::AllBrokersDown) && trouble.is_some();
        if !consequence {
            *trouble = Some((code, reason.to_owned()));
        }
    }
}
impl ConsumerContext for Ears {}
