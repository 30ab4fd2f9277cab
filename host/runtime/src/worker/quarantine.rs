//! A task's parked records: host-owned state beside the stage's own, so that they commit and move with it.
//!
//! Three entries a record and key: `k<key>` says how many wait, `r<length><key><number>` holds each of them in order,
//! `a<number>` orders the keys' records by age. Numbers are big-endian and grow with every record that is parked.

use super::lineage::{Again, Failed, Source, Subject, Work, work_trace};
use super::overlay::Overlay;
use bytes::Bytes;
use fermata_core::ports::{Namespace, StateError, StateRead};
use fermata_core::{
    Digest, Due, Header, Identity, Input, Offset, Shard, StageName, Timestamp, TopicName, Verdict, names,
};
use prost::Message;
use std::sync::Arc;

/// Where a stage's parked records are kept.
pub fn namespace(stage: &StageName) -> Arc<Namespace> {
    Arc::new(Namespace {
        stage: stage.clone(),
        store: names::stores::QUARANTINE.into(),
        schema: 1,
    })
}

/// The queue of one key.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Queue {
    #[prost(uint64, tag = "1")]
    pub records: u64,
}

/// One record or timer with all that it takes to process it as if it had just come.
#[derive(Clone, PartialEq, Message)]
pub struct Parked {
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(oneof = "What", tags = "2, 3")]
    pub what: Option<What>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub key: Option<Bytes>,
    #[prost(string, tag = "5")]
    pub identity: String,
    #[prost(string, tag = "6")]
    pub root: String,
    /// Microseconds since the Unix epoch.
    #[prost(int64, tag = "7")]
    pub root_time: i64,
    /// What it is a consequence of, as its emissions will say.
    #[prost(message, optional, tag = "8")]
    pub source: Option<Place>,
    /// What began its chain, as a dead letter will say.
    #[prost(message, optional, tag = "9")]
    pub begun_by: Option<Place>,
    /// The task's last tick when it was parked, milliseconds.
    #[prost(int64, tag = "10")]
    pub since: i64,
    /// How it failed; `None`: it only waits.
    #[prost(message, optional, tag = "11")]
    pub failure: Option<Failure>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum What {
    #[prost(message, tag = "2")]
    Record(Recorded),
    #[prost(message, tag = "3")]
    Timer(Timed),
}

#[derive(Clone, PartialEq, Message)]
pub struct Recorded {
    #[prost(string, tag = "1")]
    pub port: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub value: Option<Bytes>,
    /// As on the log.
    #[prost(message, repeated, tag = "3")]
    pub headers: Vec<Named>,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "4")]
    pub timestamp: i64,
    #[prost(message, repeated, tag = "5")]
    pub verdicts: Vec<Judgement>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Timed {
    #[prost(string, tag = "1")]
    pub id: String,
    /// When it was due, milliseconds.
    #[prost(int64, tag = "2")]
    pub at: i64,
    #[prost(bytes = "bytes", tag = "3")]
    pub payload: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub struct Named {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub value: Option<Bytes>,
}

/// A validator's verdict.
#[derive(Clone, PartialEq, Message)]
pub struct Judgement {
    #[prost(string, tag = "1")]
    pub validator: String,
    #[prost(string, optional, tag = "2")]
    pub code: Option<String>,
    #[prost(string, tag = "3")]
    pub reason: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Place {
    #[prost(string, tag = "1")]
    pub topic: String,
    #[prost(uint32, tag = "2")]
    pub shard: u32,
    #[prost(uint64, optional, tag = "3")]
    pub offset: Option<u64>,
    #[prost(bool, tag = "4")]
    pub fused: bool,
}

/// The last time that it was tried.
#[derive(Clone, PartialEq, Message)]
pub struct Failure {
    #[prost(string, tag = "1")]
    pub code: String,
    #[prost(string, tag = "2")]
    pub reason: String,
    #[prost(string, tag = "3")]
    pub stack: String,
    #[prost(bool, tag = "4")]
    pub fault: bool,
    /// SHA-256 of the component that failed.
    #[prost(bytes = "vec", tag = "5")]
    pub component: Vec<u8>,
    /// How often it has been tried.
    #[prost(uint64, tag = "6")]
    pub attempts: u64,
    /// The task's last tick then, milliseconds.
    #[prost(int64, tag = "7")]
    pub at: i64,
}

/// The queues of one task.
pub struct Quarantine<'a> {
    pub namespace: &'a Arc<Namespace>,
    pub state: &'a dyn StateRead,
    pub shard: Shard,
}

impl Quarantine<'_> {
    pub fn queue(&self, overlay: &Overlay, key: &[u8]) -> Result<Option<Queue>, StateError> {
        let value = overlay.get(self.state, self.namespace, self.shard, &by_key(key))?;
        value.map(|v| self.decode(&v)).transpose()
    }

    /// Puts a record at its place in its key's queue: at the end, or back to where it was.
    pub fn put(&self, overlay: &mut Overlay, key: &[u8], parked: &Parked) -> Result<(), StateError> {
        let records = self.queue(overlay, key)?.map_or(0, |q| q.records) + 1;
        self.count(overlay, key, records);
        overlay.write(self.namespace, &by_place(key, parked.number), Some(encoded(parked)));
        overlay.write(
            self.namespace,
            &by_age(parked.number),
            Some(Bytes::copy_from_slice(key)),
        );
        Ok(())
    }

    /// The first record of a key.
    pub fn first(&self, overlay: &Overlay, key: &[u8]) -> Result<Option<Parked>, StateError> {
        let found = overlay.scan(self.state, self.namespace, self.shard, &all_of(key), None, 1)?;
        found.first().map(|(_, value)| self.decode(value)).transpose()
    }

    pub fn remove(&self, overlay: &mut Overlay, key: &[u8], number: u64) -> Result<(), StateError> {
        let records = self.queue(overlay, key)?.map_or(0, |q| q.records).saturating_sub(1);
        self.count(overlay, key, records);
        overlay.write(self.namespace, &by_place(key, number), None);
        overlay.write(self.namespace, &by_age(number), None);
        Ok(())
    }

    fn count(&self, overlay: &mut Overlay, key: &[u8], records: u64) {
        let queue = (records > 0).then(|| encoded(&Queue { records }));
        overlay.write(self.namespace, &by_key(key), queue);
    }

    /// Since when the oldest record has been there.
    pub fn oldest(&self, overlay: &Overlay) -> Result<Option<Timestamp>, StateError> {
        let found = overlay.scan(self.state, self.namespace, self.shard, b"a", None, 1)?;
        let Some((place, key)) = found.first() else {
            return Ok(None);
        };
        let number = place.get(1..).and_then(|n| n.try_into().ok()).map(u64::from_be_bytes);
        let number = number.ok_or_else(|| self.corrupt())?;
        let value = overlay.get(self.state, self.namespace, self.shard, &by_place(key, number))?;
        let parked: Parked = self.decode(&value.ok_or_else(|| self.corrupt())?)?;
        Ok(Some(Timestamp(parked.since)))
    }

    /// Keys with parked records, in byte order behind `after`.
    pub fn keys(
        &self,
        overlay: &Overlay,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Queue)>, StateError> {
        let after = after.map(by_key);
        let found = overlay.scan(self.state, self.namespace, self.shard, b"k", after.as_deref(), limit)?;
        let entry = |(place, value): (Bytes, Bytes)| Ok((place.slice(1..), self.decode(&value)?));
        found.into_iter().map(entry).collect()
    }

    /// Records of one key, in their order; at most `limit`.
    pub fn records(&self, overlay: &Overlay, key: &[u8], limit: usize) -> Result<Vec<Parked>, StateError> {
        let found = overlay.scan(self.state, self.namespace, self.shard, &all_of(key), None, limit)?;
        found.iter().map(|(_, value)| self.decode(value)).collect()
    }

    /// The last record that the task passed before its stage became suspect.
    pub fn good(&self, overlay: &Overlay) -> Result<Option<Parked>, StateError> {
        let value = overlay.get(self.state, self.namespace, self.shard, GOOD)?;
        value.map(|v| self.decode(&v)).transpose()
    }

    pub fn keep_good(&self, overlay: &mut Overlay, good: &Parked) {
        overlay.write(self.namespace, GOOD, Some(encoded(good)));
    }

    fn decode<M: Message + Default>(&self, value: &[u8]) -> Result<M, StateError> {
        M::decode(value).map_err(|_| self.corrupt())
    }

    fn corrupt(&self) -> StateError {
        StateError {
            namespace: format!("{}/{}", self.namespace.stage, self.namespace.store),
            doing: "decoded",
            found: "a parked record that this version did not write".into(),
        }
    }
}

const GOOD: &[u8] = b"good";

fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
fn by_key(key: &[u8]) -> Vec<u8> {
    [b"k", key].concat()
}
/// The length first: no key's records lie among another's.
fn all_of(key: &[u8]) -> Vec<u8> {
    [b"r".as_slice(), &(key.len() as u32).to_be_bytes(), key].concat()
}
fn by_place(key: &[u8], number: u64) -> Vec<u8> {
    let mut place = all_of(key);
    place.extend(number.to_be_bytes());
    place
}
fn by_age(number: u64) -> Vec<u8> {
    [b"a".as_slice(), &number.to_be_bytes()].concat()
}

impl Parked {
    /// Everything of `work`, which began its chain at `begun_by`.
    pub fn of(work: &Work, begun_by: &Source, number: u64, since: Timestamp) -> Self {
        let what = match &work.subject {
            Subject::Record { input, original } => What::Record(Recorded {
                port: input.port.clone(),
                value: input.value.clone(),
                headers: original.iter().map(named).collect(),
                timestamp: input.timestamp.0,
                verdicts: input.verdicts.iter().map(judgement).collect(),
            }),
            Subject::Timer(due) => What::Timer(Timed {
                id: due.id.clone(),
                at: due.at.0,
                payload: due.payload.clone(),
            }),
        };
        Self {
            number,
            what: Some(what),
            key: work.key().cloned(),
            identity: work.identity.to_string(),
            root: work.root.clone(),
            root_time: work.root_time,
            source: Some(place(&work.source)),
            begun_by: Some(place(begun_by)),
            since: since.0,
            failure: None,
        }
    }

    /// The work again. `released`: journal sequence of the transaction that does it.
    pub fn work(&self, released: u64) -> Option<Work> {
        let (source, begun_by) = (source(self.source.as_ref()?)?, source(self.begun_by.as_ref()?)?);
        let identity = Identity::from_header(&self.identity);
        let subject = match self.what.as_ref()? {
            What::Record(record) => {
                let original: Vec<Header> = record.headers.iter().map(header).collect();
                let own = original.iter().filter(|h| !names::headers::reserved(&h.key));
                Subject::Record {
                    input: Input {
                        port: record.port.clone(),
                        key: self.key.clone(),
                        value: record.value.clone(),
                        headers: own.cloned().collect(),
                        timestamp: Timestamp(record.timestamp),
                        verdicts: record.verdicts.iter().map(verdict).collect(),
                    },
                    original,
                }
            }
            What::Timer(timer) => Subject::Timer(Due {
                id: timer.id.clone(),
                key: self.key.clone(),
                at: Timestamp(timer.at),
                payload: timer.payload.clone(),
            }),
        };
        Some(Work {
            trace: work_trace(&subject),
            subject,
            identity,
            root: self.root.clone(),
            root_time: self.root_time,
            source,
            refused: None,
            again: Some(Box::new(Again {
                number: self.number,
                since: Timestamp(self.since),
                attempts: self.failure.as_ref().map_or(0, |f| f.attempts),
                begun_by,
                released,
            })),
        })
    }

    pub fn failed(&self) -> Option<Failed> {
        let failure = self.failure.clone()?;
        Some(Failed {
            code: failure.code,
            reason: failure.reason,
            stack: failure.stack,
            fault: failure.fault,
        })
    }

    /// `topic/partition/offset`, or the identity of what never had an offset of its own.
    pub fn place(&self) -> String {
        match self.source.as_ref().map(|s| (s, s.offset)) {
            Some((source, Some(offset))) if !source.fused => format!("{}/{}/{offset}", source.topic, source.shard),
            _ => self.identity.clone(),
        }
    }
}

impl Failure {
    pub fn of(failed: &Failed, by: Digest, before: u64, at: Timestamp) -> Self {
        Self {
            code: failed.code.clone(),
            reason: failed.reason.clone(),
            stack: failed.stack.clone(),
            fault: failed.fault,
            component: by.0.to_vec(),
            attempts: before + 1,
            at: at.0,
        }
    }
}

fn place(source: &Source) -> Place {
    Place {
        topic: source.topic.to_string(),
        shard: source.shard.0,
        offset: source.offset.map(|o| o.0),
        fused: source.fused,
    }
}
fn source(place: &Place) -> Option<Source> {
    Some(Source {
        topic: TopicName::new(&place.topic).ok()?,
        shard: Shard(place.shard),
        offset: place.offset.map(Offset),
        fused: place.fused,
    })
}
fn named(header: &Header) -> Named {
    Named {
        name: header.key.to_string(),
        value: header.value.clone(),
    }
}
fn header(named: &Named) -> Header {
    Header {
        key: named.name.clone().into(),
        value: named.value.clone(),
    }
}
fn judgement(verdict: &Verdict) -> Judgement {
    Judgement {
        validator: verdict.validator.clone(),
        code: verdict.code.clone(),
        reason: verdict.reason.clone(),
    }
}
fn verdict(judgement: &Judgement) -> Verdict {
    Verdict {
        validator: judgement.validator.clone(),
        code: judgement.code.clone(),
        reason: judgement.reason.clone(),
    }
}
