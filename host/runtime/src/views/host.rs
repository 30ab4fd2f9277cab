//! What a view may ask of its host: committed state of its own shard, and nothing that writes.

use crate::worker::context::Stores;
use crate::worker::scanning::within_bounds;
use bytes::Bytes;
use fermata_core::limits as l;
use fermata_core::ports::{HostCalls, LogLevel, Namespace, Refused, StateError, StateRead};
use fermata_core::printable::printable;
use fermata_core::{Fault, FaultCode, Shard, Timestamp};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use std::any::Any;
use std::sync::Arc;

pub(super) struct ViewHost {
    /// `view:<name>`: no record is in hand.
    pub id: String,
    /// Last tick of the task; for a merge the latest of all shards.
    pub now: Timestamp,
    pub random: ChaCha8Rng,
    /// Lines logged in this call.
    pub lines: u32,
    /// `None`: a merge, which may not read.
    pub source: Option<Source>,
}

/// One shard of one stage as of a snapshot.
pub(super) struct Source {
    pub state: Arc<dyn StateRead>,
    pub stores: Arc<Stores>,
    pub shard: Shard,
}

fn refuse<T>(code: FaultCode, text: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Fault(Fault::new(code, text)))
}
fn writes<T>(what: &str) -> Result<T, Refused> {
    refuse(FaultCode::Contract, format!("{what} in a view: views only read"))
}
fn host(error: StateError) -> Refused {
    Refused::Host(error.to_string())
}
fn check_key(key: &[u8]) -> Result<(), Refused> {
    if key.len() > l::MAX_KEY {
        return refuse(
            FaultCode::Size,
            format!("a store key of {} bytes, at most {}", key.len(), l::MAX_KEY),
        );
    }
    Ok(())
}

impl ViewHost {
    /// Only declared stores: the host's own have no declaration.
    fn store(&self, name: &str) -> Result<(&Source, &Arc<Namespace>), Refused> {
        let Some(source) = &self.source else {
            return refuse(
                FaultCode::Contract,
                format!("store {name:?} read in merge, which works on its parts only"),
            );
        };
        match source.stores.declared.iter().find(|(declared, _)| declared == name) {
            Some((_, namespace)) => Ok((source, namespace)),
            None => refuse(
                FaultCode::Contract,
                format!("store {name:?} is not declared by describe"),
            ),
        }
    }
}

impl HostCalls for ViewHost {
    fn id(&self) -> &str {
        &self.id
    }
    fn root(&self) -> (&str, Timestamp) {
        (&self.id, self.now)
    }
    fn now(&self) -> Timestamp {
        self.now
    }
    fn random(&mut self) -> u64 {
        self.random.next_u64()
    }

    fn get(&mut self, store: &str, key: &[u8]) -> Result<Option<Bytes>, Refused> {
        let (source, namespace) = self.store(store)?;
        check_key(key)?;
        source.state.get(namespace, source.shard, key).map_err(host)
    }
    fn scan(
        &mut self,
        store: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        let (source, namespace) = self.store(store)?;
        check_key(prefix)?;
        within_bounds(limit, after, |after, limit| {
            source.state.scan(namespace, source.shard, prefix, after, limit)
        })
    }

    fn put(&mut self, _: &str, _: &[u8], _: &[u8]) -> Result<(), Refused> {
        writes("a put")
    }
    fn delete(&mut self, _: &str, _: &[u8]) -> Result<(), Refused> {
        writes("a delete")
    }
    fn set_timer(&mut self, _: &str, _: Timestamp, _: &[u8]) -> Result<(), Refused> {
        writes("a timer set")
    }
    fn cancel_timer(&mut self, _: &str) -> Result<(), Refused> {
        writes("a timer cancelled")
    }
    fn add(&mut self, _: &str, _: &[String], _: u64) -> Result<(), Refused> {
        writes("a metric added to")
    }
    fn set(&mut self, _: &str, _: &[String], _: i64) -> Result<(), Refused> {
        writes("a metric set")
    }
    fn observe(&mut self, _: &str, _: &[String], _: f64) -> Result<(), Refused> {
        writes("a metric observed")
    }
    /// Nothing that lasts: for whoever debugs a view.
    fn log(&mut self, _: LogLevel, message: &str) -> Result<(), Refused> {
        self.lines = self.lines.saturating_add(1);
        if self.lines > l::LOG_LINES_PER_SECOND {
            return Ok(());
        }
        let line = printable(message, l::MAX_LOG_LINE);
        tracing::debug!(target: "fermata::stage", view = self.id, "{line}");
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
