//! What the host writes around a stage's words: identities, causes, times, dead letters.

use super::timers::Timer;
use super::wiring::{Inlet, Wiring};
use bytes::Bytes;
use fermata_core::limits::MAX_REASON;
use fermata_core::manifest::OnMisplaced;
use fermata_core::names::headers as h;
use fermata_core::printable::printable;
use fermata_core::{
    Digest, Due, Emission, Header, Identity, Input, NewRecord, Offset, Record, Rejection, Shard, StageName, Timestamp,
    TopicName, partition,
};

/// One thing for a task to process: a record on a port, or a timer that is due.
#[derive(Clone, Debug)]
pub struct Work {
    pub subject: Subject,
    pub identity: Identity,
    /// Head record that began the chain.
    pub root: String,
    /// The head record's timestamp, microseconds since the Unix epoch.
    pub root_time: i64,
    /// The record that the chain was read from; for a timer its tick, whose offset is not known yet.
    pub source: Source,
    /// W3C trace context of the input, passed on unless the stage sets its own.
    pub trace: Option<Header>,
    /// The host itself refuses the record; no guest is shown it.
    pub refused: Option<Refusal>,
    /// It comes out of quarantine.
    pub again: Option<Box<Again>>,
}

/// What released work must know of itself: to be put back where it was, and for the headers of what it leads to.
#[derive(Clone, Debug)]
pub struct Again {
    /// Its place in the queue of its key.
    pub number: u64,
    /// The task's last tick when it was parked.
    pub since: Timestamp,
    /// How often it has failed.
    pub attempts: u64,
    /// What began the chain in which it came.
    pub begun_by: Source,
    /// Journal sequence of the transaction that releases it.
    pub released: u64,
}

#[derive(Clone, Debug)]
pub enum Subject {
    /// `original`: headers as on the log, for a dead letter.
    Record {
        input: Input,
        original: Vec<Header>,
    },
    Timer(Due),
}

#[derive(Clone, Debug)]
pub struct Source {
    pub topic: TopicName,
    pub shard: Shard,
    pub offset: Option<Offset>,
    /// The work is an emission of the same transaction: its cause has no offset yet.
    pub fused: bool,
}

/// What becomes of a record that the host does not give to the stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Rejected(Rejection),
    /// It is appended once more, to the shard of its key.
    Elsewhere(Shard),
}

impl Work {
    /// The record again, on the shard of its key, where it is on its way there.
    pub fn rerouted(&self) -> Option<NewRecord> {
        let (Some(Refusal::Elsewhere(shard)), Subject::Record { input, original }) = (&self.refused, &self.subject)
        else {
            return None;
        };
        Some(NewRecord {
            topic: self.source.topic.clone(),
            shard: *shard,
            key: input.key.clone(),
            value: input.value.clone(),
            headers: original.clone(),
            timestamp: input.timestamp,
        })
    }

    pub fn key(&self) -> Option<&Bytes> {
        match &self.subject {
            Subject::Record { input, .. } => input.key.as_ref(),
            Subject::Timer(due) => due.key.as_ref(),
        }
    }

    /// A record as it was read. On a head, which no stage writes, what looks like a host header is not one, and a
    /// key on another partition than its own is refused unless the manifest says otherwise: its state would live on
    /// two shards.
    pub fn of_record(record: &Record, inlet: &Inlet, partitions: u32) -> Self {
        let made_by_host = !inlet.head && record.header(h::STAGE).is_some();
        let identity = match record.header(h::ID).filter(|_| made_by_host) {
            Some(id) => Identity::from_header(id),
            None => Identity::root(&record.topic, record.shard, record.offset),
        };
        let root_time = match record
            .header(h::ROOT_TIME)
            .filter(|_| made_by_host)
            .and_then(|t| t.parse().ok())
        {
            Some(micros) => micros,
            None => record.timestamp.0.saturating_mul(1_000),
        };
        let source = Source {
            topic: record.topic.clone(),
            shard: record.shard,
            offset: Some(record.offset),
            fused: false,
        };
        let (key, value) = (&record.key, &record.value);
        let mut work = Self::record(
            &inlet.port,
            identity,
            root_time,
            source,
            record.timestamp,
            key,
            value,
            &record.headers,
        );
        let own = key.as_ref().map(|k| partition::shard_of(k, partitions));
        if let Some(own) = own.filter(|own| inlet.head && *own != record.shard) {
            work.refused = match inlet.on_misplaced {
                OnMisplaced::Trust => None,
                OnMisplaced::Reroute => Some(Refusal::Elsewhere(own)),
                OnMisplaced::Reject => Some(Refusal::Rejected(Rejection {
                    code: MISPLACED.into(),
                    reason: format!(
                        "the key belongs on partition {own}, the record came on {}",
                        record.shard
                    ),
                })),
            };
        }
        work
    }

    /// A timer of `stage` that fires at `tick`.
    pub fn of_timer(timer: Timer, stage: &StageName, tick: &Identity, ticks: &TopicName, shard: Shard) -> Self {
        let identity = Identity::timer(tick, stage, &timer.id);
        Self {
            identity,
            root: timer.root,
            root_time: timer.root_time,
            source: Source {
                topic: ticks.clone(),
                shard,
                offset: None,
                fused: true,
            },
            subject: Subject::Timer(Due {
                id: timer.id,
                key: timer.key,
                at: timer.at,
                payload: timer.payload,
            }),
            trace: None,
            refused: None,
            again: None,
        }
    }

    /// An emission of this transaction, for a reader that is fused.
    pub fn of_emission(record: &NewRecord, port: &str, begun_by: &Source) -> Self {
        let identity = Identity::from_header(record.header(h::ID).unwrap_or_default());
        let root_time = record
            .header(h::ROOT_TIME)
            .and_then(|t| t.parse().ok())
            .unwrap_or_default();
        let source = Source {
            fused: true,
            ..begun_by.clone()
        };
        let (key, value) = (&record.key, &record.value);
        let mut work = Self::record(
            port,
            identity,
            root_time,
            source,
            record.timestamp,
            key,
            value,
            &record.headers,
        );
        // The emission's own topic is its cause; the source of a dead letter stays where the chain was read.
        work.source.topic = record.topic.clone();
        work
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of a record, from two kinds of record"
    )]
    fn record(
        port: &str,
        identity: Identity,
        root_time: i64,
        source: Source,
        timestamp: Timestamp,
        key: &Option<Bytes>,
        value: &Option<Bytes>,
        headers: &[Header],
    ) -> Self {
        let root = identity.as_str().split('#').next().unwrap_or_default().to_owned();
        let input = Input {
            port: port.to_owned(),
            key: key.clone(),
            value: value.clone(),
            headers: headers.iter().filter(|x| !h::reserved(&x.key)).cloned().collect(),
            timestamp,
            verdicts: Vec::new(),
        };
        let subject = Subject::Record {
            input,
            original: headers.to_vec(),
        };
        Self {
            trace: work_trace(&subject),
            subject,
            identity,
            root,
            root_time,
            source,
            refused: None,
            again: None,
        }
    }
}

/// Code of a record that came on another partition than its key's.
pub const MISPLACED: &str = "misplaced";
const TRACE: &str = "traceparent";

/// W3C trace context of an input, passed on unless the stage sets its own.
pub fn work_trace(subject: &Subject) -> Option<Header> {
    match subject {
        Subject::Record { original, .. } => original.iter().find(|x| x.key == TRACE).cloned(),
        Subject::Timer(_) => None,
    }
}

/// Names and values of the headers that the host puts on an emission, at most: the manifest keeps the values within
/// [`h::MAX_HOST_BYTES`], but for the trace context, which came with the input.
pub fn host_bytes(work: &Work) -> usize {
    const NAMES: usize = h::ID.len()
        + h::CAUSE.len()
        + h::ROOT_TIME.len()
        + h::STAGE.len()
        + h::DIGEST.len()
        + h::DONE.len()
        + h::RELEASED.len();
    let trace = work.trace.as_ref();
    NAMES + h::MAX_HOST_BYTES + trace.map_or(0, |t| t.key.len() + t.value.as_ref().map_or(0, Bytes::len))
}

/// Who speaks, and when.
#[derive(Clone, Copy)]
pub struct Speaker<'a> {
    pub wiring: &'a Wiring,
    pub shard: Shard,
    pub digest: Digest,
    pub now: Timestamp,
}

impl Speaker<'_> {
    /// The record of an emission, and whether it stays on this shard (so that a reader may be fused).
    /// The port is known to be wired.
    pub fn emission(&self, work: &Work, ordinal: usize, emission: Emission, topic: &TopicName) -> (NewRecord, bool) {
        let stays = emission.key.is_none() || emission.key.as_ref() == work.key();
        let shard = match &emission.key {
            Some(key) if !stays => partition::shard_of(key, self.wiring.partitions),
            _ => self.shard,
        };
        let stage = &self.wiring.stage;
        let mut headers = emission.headers;
        if let Some(trace) = work.trace.as_ref().filter(|t| headers.iter().all(|x| x.key != t.key)) {
            headers.push(trace.clone());
        }
        let id = work.identity.emission(stage, ordinal);
        let (cause, root_time, digest) = (self.cause(work), work.root_time.to_string(), self.digest.short());
        let own = [
            (h::ID, id.as_str()),
            (h::CAUSE, &cause),
            (h::ROOT_TIME, &root_time),
            (h::STAGE, stage.as_str()),
            (h::DIGEST, &digest),
        ];
        headers.extend(sharing(own));
        headers.extend(released(work));
        let record = NewRecord {
            topic: topic.clone(),
            shard,
            timestamp: self.now,
            key: emission.key,
            value: emission.value,
            headers,
        };
        (record, stays)
    }

    fn cause(&self, work: &Work) -> String {
        let source = &work.source;
        match source.offset {
            Some(offset) if !source.fused => format!("{}/{}/{offset}", source.topic, self.shard),
            _ => format!(
                "{}/{}/#{}",
                source.topic,
                self.shard,
                short_cause(work.identity.as_str())
            ),
        }
    }

    /// The failing stage's own input, with why it failed.
    pub fn dead_letter(&self, work: &Work, begun_by: &Source, failed: &Failed) -> NewRecord {
        let (key, value, mut headers, port) = match &work.subject {
            Subject::Record { input, original } => {
                // Verbatim, but for those that the host writes anew below.
                let kept = original.iter().filter(|x| !h::reserved(&x.key)).cloned().collect();
                (input.key.clone(), input.value.clone(), kept, input.port.clone())
            }
            Subject::Timer(due) => {
                let timer = vec![Header::new(h::TIMER, bounded(&due.id, 128).to_owned())];
                (due.key.clone(), Some(due.payload.clone()), timer, String::new())
            }
        };
        let errors = [
            (h::ERRORS_EXCEPTION, failed.code.clone()),
            (
                h::ERRORS_MESSAGE,
                bounded(&printable(&failed.reason, MAX_REASON), MAX_REASON).to_owned(),
            ),
            (h::ERRORS_STACKTRACE, bounded(&failed.stack, MAX_REASON).to_owned()),
            (h::ERRORS_TOPIC, begun_by.topic.to_string()),
            (h::ERRORS_PARTITION, begun_by.shard.to_string()),
            (
                h::ERRORS_OFFSET,
                begun_by.offset.map(|o| o.to_string()).unwrap_or_default(),
            ),
            (h::ID, work.identity.as_str().to_owned()),
            (h::CAUSE, self.cause(work)),
            (h::ROOT_TIME, work.root_time.to_string()),
            (h::STAGE, self.wiring.stage.to_string()),
            (h::DIGEST, self.digest.short()),
            (h::PORT, port),
            (h::CODE, failed.code.clone()),
        ];
        headers.extend(
            errors
                .into_iter()
                .filter(|(_, v)| !v.is_empty())
                .map(|(k, v)| Header::new(k, v)),
        );
        headers.extend(released(work));
        let topic = self.wiring.dead_letters.clone();
        NewRecord {
            topic,
            shard: self.shard,
            timestamp: self.now,
            key,
            value,
            headers,
        }
    }
}

/// In which transaction the cause left quarantine: long after it was read.
fn released(work: &Work) -> Option<Header> {
    let again = work.again.as_ref()?;
    Some(Header::new(h::RELEASED, again.released.to_string()))
}

/// Headers whose values lie in one piece of memory: records are copied, kept and dropped often.
fn sharing<const N: usize>(own: [(&'static str, &str); N]) -> impl Iterator<Item = Header> {
    let values = Bytes::from(own.map(|(_, value)| value).concat());
    let mut end = 0;
    own.map(|(name, value)| {
        let start = end;
        end += value.len();
        Header::new(name, values.slice(start..end))
    })
    .into_iter()
}

/// Why a record becomes a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub code: String,
    pub reason: String,
    /// Wasm backtrace, where there is one.
    pub stack: String,
    /// A fault of the component, not its own rejection.
    pub fault: bool,
}

/// The identity's last step names the emission; the whole identity is in `fermata-id` already.
fn short_cause(identity: &str) -> &str {
    identity.split_once('#').map_or("", |(_, steps)| steps)
}

pub(super) fn bounded(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Partition of the task that appended a record, from its cause.
pub fn producing_shard(record: &Record) -> Option<Shard> {
    record.header(h::STAGE)?;
    record.header(h::CAUSE)?.split('/').nth(1)?.parse().ok()
}

/// Does the record's `fermata-done` name this reader?
pub fn done_for(record: &Record, mark: &str) -> bool {
    record
        .header(h::DONE)
        .is_some_and(|done| done.split(',').any(|d| d == mark))
}
