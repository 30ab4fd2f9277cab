//! The host of a guest that works on no record: `describe`, `init`, a generator.

use bytes::Bytes;
use fermata_core::limits::{LOG_LINES_PER_SECOND, MAX_LOG_LINE};
use fermata_core::ports::{HostCalls, LogLevel, Refused};
use fermata_core::printable::printable;
use fermata_core::{Fault, FaultCode, Timestamp};
use std::any::Any;

/// No time, no chance, no state: what such a guest computes depends on its arguments alone.
pub struct Quiet {
    doing: &'static str,
    chance: u8,
    /// Lines logged.
    lines: u32,
}

impl Quiet {
    /// `chance` is all that a guest gets to see as time and as randomness: who asks twice with different ones
    /// finds out a guest that depends on them.
    pub fn boxed(doing: &'static str, chance: u8) -> Box<dyn HostCalls> {
        Box::new(Self {
            doing,
            chance,
            lines: 0,
        })
    }
    fn refuse<T>(&self, call: &str) -> Result<T, Refused> {
        Err(Refused::Fault(Fault::new(
            FaultCode::Contract,
            format!("{call} was called in {}, where there is no record", self.doing),
        )))
    }
}

impl HostCalls for Quiet {
    fn id(&self) -> &str {
        ""
    }
    fn root(&self) -> (&str, Timestamp) {
        ("", Timestamp(0))
    }
    fn now(&self) -> Timestamp {
        Timestamp(self.chance.into())
    }
    fn random(&mut self) -> u64 {
        self.chance.into()
    }
    fn get(&mut self, _store: &str, _key: &[u8]) -> Result<Option<Bytes>, Refused> {
        self.refuse("store.get")
    }
    fn put(&mut self, _store: &str, _key: &[u8], _value: &[u8]) -> Result<(), Refused> {
        self.refuse("store.put")
    }
    fn delete(&mut self, _store: &str, _key: &[u8]) -> Result<(), Refused> {
        self.refuse("store.delete")
    }
    fn scan(
        &mut self,
        _store: &str,
        _prefix: &[u8],
        _after: Option<&[u8]>,
        _limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        self.refuse("store.scan")
    }
    fn set_timer(&mut self, _id: &str, _at: Timestamp, _payload: &[u8]) -> Result<(), Refused> {
        self.refuse("timer.set")
    }
    fn cancel_timer(&mut self, _id: &str) -> Result<(), Refused> {
        self.refuse("timer.cancel")
    }
    fn add(&mut self, _metric: &str, _labels: &[String], _value: u64) -> Result<(), Refused> {
        self.refuse("metrics.add")
    }
    fn set(&mut self, _metric: &str, _labels: &[String], _value: i64) -> Result<(), Refused> {
        self.refuse("metrics.set")
    }
    fn observe(&mut self, _metric: &str, _labels: &[String], _value: f64) -> Result<(), Refused> {
        self.refuse("metrics.observe")
    }
    /// A panic is logged before it traps, so logging is allowed everywhere.
    fn log(&mut self, level: LogLevel, message: &str) -> Result<(), Refused> {
        self.lines = self.lines.saturating_add(1);
        if self.lines > LOG_LINES_PER_SECOND {
            return Ok(());
        }
        let (doing, message) = (self.doing, printable(message, MAX_LOG_LINE));
        match level {
            LogLevel::Debug => tracing::debug!(doing, "{message}"),
            LogLevel::Info => tracing::info!(doing, "{message}"),
            LogLevel::Warn => tracing::warn!(doing, "{message}"),
            LogLevel::Error => tracing::error!(doing, "{message}"),
        }
        Ok(())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
