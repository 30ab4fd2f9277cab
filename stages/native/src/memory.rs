//! A host context of one shard in memory: what stages are called with where nothing but the call matters.

use std::any::Any;
use std::collections::BTreeMap;

use bytes::Bytes;
use fermata_core::Timestamp;
use fermata_core::ports::{HostCalls, LogLevel, Refused};

/// Keeps every store that is named; takes timers, figures and log lines, and forgets them.
#[derive(Default)]
pub struct Memory {
    /// Of the record in hand, and its own root.
    pub id: String,
    /// The head's timestamp, and the task's clock.
    pub at: Timestamp,
    pub stores: BTreeMap<String, BTreeMap<Vec<u8>, Bytes>>,
    /// Says of a store's name why it may not be touched; without it all may.
    pub refuse: Option<fn(&str) -> Option<Refused>>,
}

impl Memory {
    fn allowed(&self, store: &str) -> Result<(), Refused> {
        self.refuse.and_then(|refuse| refuse(store)).map_or(Ok(()), Err)
    }
}

impl HostCalls for Memory {
    fn id(&self) -> &str {
        &self.id
    }
    fn root(&self) -> (&str, Timestamp) {
        (&self.id, self.at)
    }
    fn now(&self) -> Timestamp {
        self.at
    }
    fn random(&mut self) -> u64 {
        4
    }
    fn get(&mut self, store: &str, key: &[u8]) -> Result<Option<Bytes>, Refused> {
        self.allowed(store)?;
        Ok(self.stores.get(store).and_then(|s| s.get(key)).cloned())
    }
    fn put(&mut self, store: &str, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.allowed(store)?;
        if !self.stores.contains_key(store) {
            self.stores.insert(store.to_owned(), BTreeMap::new());
        }
        if let Some(entries) = self.stores.get_mut(store) {
            entries.insert(key.to_vec(), Bytes::copy_from_slice(value));
        }
        Ok(())
    }
    fn delete(&mut self, store: &str, key: &[u8]) -> Result<(), Refused> {
        self.allowed(store)?;
        if let Some(entries) = self.stores.get_mut(store) {
            entries.remove(key);
        }
        Ok(())
    }
    fn scan(
        &mut self,
        store: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        self.allowed(store)?;
        let Some(entries) = self.stores.get(store) else {
            return Ok(Vec::new());
        };
        let from = after.unwrap_or(prefix).to_vec();
        let found = entries
            .range(from..)
            .filter(|(k, _)| after.is_none_or(|a| k.as_slice() > a));
        let found = found.take_while(|(k, _)| k.starts_with(prefix)).take(limit as usize);
        Ok(found.map(|(k, v)| (Bytes::copy_from_slice(k), v.clone())).collect())
    }
    fn set_timer(&mut self, _: &str, _: Timestamp, _: &[u8]) -> Result<(), Refused> {
        Ok(())
    }
    fn cancel_timer(&mut self, _: &str) -> Result<(), Refused> {
        Ok(())
    }
    fn add(&mut self, _: &str, _: &[String], _: u64) -> Result<(), Refused> {
        Ok(())
    }
    fn set(&mut self, _: &str, _: &[String], _: i64) -> Result<(), Refused> {
        Ok(())
    }
    fn observe(&mut self, _: &str, _: &[String], _: f64) -> Result<(), Refused> {
        Ok(())
    }
    fn log(&mut self, _: LogLevel, _: &str) -> Result<(), Refused> {
        Ok(())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
