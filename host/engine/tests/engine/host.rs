//! A host context that keeps what it was asked, and can be told to refuse.

use bytes::Bytes;
use fermata_core::Timestamp;
use fermata_core::ports::{HostCalls, LogLevel, Refused};
use std::any::Any;
use std::collections::BTreeMap;

pub struct Host {
    pub store: BTreeMap<Vec<u8>, Vec<u8>>,
    pub calls: Vec<String>,
    /// What every write is answered with.
    pub refuse: Option<Refused>,
}

impl Host {
    pub fn new() -> Self {
        Self {
            store: BTreeMap::new(),
            calls: vec![],
            refuse: None,
        }
    }
    pub fn refusing(refused: Refused) -> Self {
        Self {
            refuse: Some(refused),
            ..Self::new()
        }
    }
    /// What was lent comes back as what it was.
    pub fn back(host: Box<dyn HostCalls>) -> Self {
        *host.into_any().downcast().expect("the context that was lent")
    }
    fn note(&mut self, call: String) -> Result<(), Refused> {
        self.calls.push(call);
        self.refuse.clone().map_or(Ok(()), Err)
    }
}

impl HostCalls for Host {
    fn id(&self) -> &str {
        "orders/3/17"
    }
    fn root(&self) -> (&str, Timestamp) {
        ("orders/3/17", Timestamp(1_700_000_000_000))
    }
    fn now(&self) -> Timestamp {
        Timestamp(42)
    }
    fn random(&mut self) -> u64 {
        4
    }
    fn get(&mut self, store: &str, key: &[u8]) -> Result<Option<Bytes>, Refused> {
        self.calls.push(format!("get {store} {}", key.escape_ascii()));
        Ok(self.store.get(key).cloned().map(Bytes::from))
    }
    fn put(&mut self, store: &str, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.note(format!("put {store} {} {}", key.escape_ascii(), value.len()))?;
        self.store.insert(key.into(), value.into());
        Ok(())
    }
    fn delete(&mut self, store: &str, key: &[u8]) -> Result<(), Refused> {
        self.note(format!("delete {store} {}", key.escape_ascii()))?;
        self.store.remove(key);
        Ok(())
    }
    fn scan(
        &mut self,
        store: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        self.calls.push(format!(
            "scan {store} {} {:?} {limit}",
            prefix.escape_ascii(),
            after.map(|a| a.escape_ascii().to_string())
        ));
        let found = self.store.iter().filter(|(key, _)| key.starts_with(prefix));
        let found = found.filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after));
        let entries = found.map(|(k, v)| (k.clone().into(), v.clone().into()));
        Ok(entries.take(limit as usize).collect())
    }
    fn set_timer(&mut self, id: &str, at: Timestamp, payload: &[u8]) -> Result<(), Refused> {
        self.note(format!("set-timer {id} {at} {}", payload.escape_ascii()))
    }
    fn cancel_timer(&mut self, id: &str) -> Result<(), Refused> {
        self.note(format!("cancel-timer {id}"))
    }
    fn add(&mut self, metric: &str, labels: &[String], value: u64) -> Result<(), Refused> {
        self.note(format!("add {metric} {labels:?} {value}"))
    }
    fn set(&mut self, metric: &str, labels: &[String], value: i64) -> Result<(), Refused> {
        self.note(format!("set {metric} {labels:?} {value}"))
    }
    fn observe(&mut self, metric: &str, labels: &[String], value: f64) -> Result<(), Refused> {
        self.note(format!("observe {metric} {labels:?} {value}"))
    }
    fn log(&mut self, level: LogLevel, message: &str) -> Result<(), Refused> {
        self.note(format!("log {level:?} {message}"))
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
