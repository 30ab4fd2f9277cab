//! A task's timers: host-owned state beside the stage's own, so that they commit and move with it.
//!
//! Two entries a timer: `i<id>` holds it, `d<at><id>` orders by due time. Times are big-endian with the sign
//! flipped, so that byte order is time order.

use super::overlay::Overlay;
use bytes::{Buf, BufMut, Bytes};
use fermata_core::ports::{Namespace, StateError, StateRead};
use fermata_core::{Shard, StageName, Timestamp, names};
use std::sync::Arc;

/// A timer with what its firing inherits from the record that set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    pub id: String,
    pub at: Timestamp,
    pub key: Option<Bytes>,
    pub root: String,
    /// Microseconds.
    pub root_time: i64,
    pub payload: Bytes,
}

/// Where a stage's timers are kept.
pub fn namespace(stage: &StageName) -> Arc<Namespace> {
    Arc::new(Namespace {
        stage: stage.clone(),
        store: names::stores::TIMERS.into(),
        schema: 1,
    })
}

/// At most so many timers fire in one tick; the rest are due at the next.
pub const PER_TICK: usize = 1_000;

pub struct Timers<'a> {
    pub namespace: &'a Arc<Namespace>,
    pub state: &'a dyn StateRead,
    pub shard: Shard,
}

impl Timers<'_> {
    pub fn set(&self, overlay: &mut Overlay, timer: &Timer) -> Result<(), StateError> {
        self.cancel(overlay, &timer.id)?;
        overlay.write(self.namespace, &by_id(&timer.id), Some(encode(timer)));
        overlay.write(self.namespace, &by_due(timer.at, &timer.id), Some(Bytes::new()));
        Ok(())
    }

    /// Keeps a timer known by its id though it is not due any more: it has fired, and waits.
    pub fn hold(&self, overlay: &mut Overlay, timer: &Timer) {
        overlay.write(self.namespace, &by_id(&timer.id), Some(encode(timer)));
    }

    pub fn get(&self, overlay: &Overlay, id: &str) -> Result<Option<Timer>, StateError> {
        let value = overlay.get(self.state, self.namespace, self.shard, &by_id(id))?;
        value
            .map(|v| decode(id, v).ok_or_else(|| corrupt(self.namespace)))
            .transpose()
    }

    pub fn cancel(&self, overlay: &mut Overlay, id: &str) -> Result<(), StateError> {
        if let Some(old) = self.get(overlay, id)? {
            overlay.write(self.namespace, &by_id(id), None);
            overlay.write(self.namespace, &by_due(old.at, id), None);
        }
        Ok(())
    }

    /// Ids of the timers due at `now`, by time, then id.
    pub fn due(&self, overlay: &Overlay, now: Timestamp) -> Result<Vec<(Timestamp, String)>, StateError> {
        let entries = overlay.scan(self.state, self.namespace, self.shard, b"d", None, PER_TICK)?;
        let mut due = Vec::new();
        for (key, _) in entries {
            let (at, id) = split_due(&key).ok_or_else(|| corrupt(self.namespace))?;
            if at > now {
                break;
            }
            due.push((at, id));
        }
        Ok(due)
    }

    /// When the next timer is due, if there is one.
    pub fn next(&self, overlay: &Overlay) -> Result<Option<Timestamp>, StateError> {
        let first = overlay.scan(self.state, self.namespace, self.shard, b"d", None, 1)?;
        first
            .first()
            .map(|(key, _)| split_due(key).map(|d| d.0).ok_or_else(|| corrupt(self.namespace)))
            .transpose()
    }
}

fn corrupt(namespace: &Namespace) -> StateError {
    StateError {
        namespace: format!("{}/{}", namespace.stage, namespace.store),
        doing: "decoded",
        found: "a timer entry that this version did not write".into(),
    }
}

fn by_id(id: &str) -> Vec<u8> {
    [b"i", id.as_bytes()].concat()
}

fn by_due(at: Timestamp, id: &str) -> Vec<u8> {
    let ordered = (at.0 as u64) ^ (1 << 63);
    [b"d".as_slice(), &ordered.to_be_bytes(), id.as_bytes()].concat()
}

fn split_due(key: &[u8]) -> Option<(Timestamp, String)> {
    let rest = key.strip_prefix(b"d")?;
    let (at, id) = rest.split_at_checked(8)?;
    let ordered = u64::from_be_bytes(at.try_into().ok()?);
    Some((
        Timestamp((ordered ^ (1 << 63)) as i64),
        String::from_utf8(id.to_vec()).ok()?,
    ))
}

fn encode(timer: &Timer) -> Bytes {
    let mut out = Vec::with_capacity(64 + timer.payload.len());
    out.put_i64(timer.at.0);
    out.put_i64(timer.root_time);
    out.put_u32(timer.root.len() as u32);
    out.put_slice(timer.root.as_bytes());
    out.put_u32(timer.key.as_ref().map_or(u32::MAX, |k| k.len() as u32));
    out.put_slice(timer.key.as_deref().unwrap_or_default());
    out.put_slice(&timer.payload);
    out.into()
}

fn decode(id: &str, mut value: Bytes) -> Option<Timer> {
    let at = Timestamp(value.try_get_i64().ok()?);
    let root_time = value.try_get_i64().ok()?;
    let length = value.try_get_u32().ok()? as usize;
    let root = String::from_utf8((value.len() >= length).then(|| value.split_to(length))?.to_vec()).ok()?;
    let key = match value.try_get_u32().ok()? {
        u32::MAX => None,
        n => Some((value.len() >= n as usize).then(|| value.split_to(n as usize))?),
    };
    Some(Timer {
        id: id.into(),
        at,
        key,
        root,
        root_time,
        payload: value,
    })
}
