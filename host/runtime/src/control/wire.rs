//! Commands and facts as records on the log, and back.

use fermata_core::control::{Command, Fact, Status, VERSION};
use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::ports::{Appended, Log, LogError};
use fermata_core::{Digest, NewRecord, PipelineName, Record, Shard, Timestamp};
use serde::Serialize;
use uuid::Uuid;

/// Control and status have one partition.
pub const ONLY: Shard = Shard(0);

/// Appends a wish to the control topic. It is acknowledged once [`Appended::commit`] is durable.
pub fn append_command(log: &dyn Log, manifest: &Manifest, command: Command) -> Result<Appended, LogError> {
    log.append(vec![record(&manifest.name, Purpose::Control, command.at, &command)])
}

/// What a record of the control topic says.
#[derive(Debug)]
pub enum Wish {
    Command(Box<Command>),
    /// Not a command that this version knows: answered by a refusal under `id`.
    Unreadable {
        id: Uuid,
        because: String,
    },
}

pub fn read_command(record: &Record) -> Wish {
    let bytes = record.value.as_deref().unwrap_or_default();
    match serde_json::from_slice::<Command>(bytes) {
        Ok(command) if command.v == VERSION => Wish::Command(Box::new(command)),
        Ok(command) => {
            let because = format!("a command of format {}, this version reads {VERSION}", command.v);
            Wish::Unreadable {
                id: command.id,
                because,
            }
        }
        Err(error) => {
            let because = format!("the record {} is not a command: {error}", record.coordinates());
            Wish::Unreadable {
                id: id_of(record, bytes),
                because,
            }
        }
    }
}

/// Its own id where it has one, else one made from its place: the refusal is recorded once however often it is read.
fn id_of(record: &Record, bytes: &[u8]) -> Uuid {
    let own = serde_json::from_slice::<serde_json::Value>(bytes)
        .ok()
        .and_then(|value| value.get("id")?.as_str()?.parse().ok());
    own.unwrap_or_else(|| {
        let hash = Digest::of(record.coordinates().as_bytes()).0;
        let (first, _) = hash.split_at(16);
        uuid::Builder::from_custom_bytes(first.try_into().expect("split at 16")).into_uuid()
    })
}

pub fn status_record(pipeline: &PipelineName, status: &Status) -> NewRecord {
    record(pipeline, Purpose::Status, status.at, status)
}

/// `None`: written by another version or by somebody else; the fold passes it.
pub fn read_status(record: &Record) -> Option<Status> {
    let read = serde_json::from_slice::<Status>(record.value.as_deref().unwrap_or_default());
    match read {
        Ok(status) if status.v == VERSION => Some(status),
        Ok(status) => {
            tracing::warn!("{}: a fact of format {}, passed", record.coordinates(), status.v);
            None
        }
        Err(error) => {
            tracing::warn!("{}: not a fact, passed: {error}", record.coordinates());
            None
        }
    }
}

/// A fact about to be recorded, and the command that led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    pub command: Option<Uuid>,
    pub fact: Fact,
}

impl News {
    pub fn of(command: Option<Uuid>, fact: Fact) -> Self {
        Self { command, fact }
    }
}

fn record(pipeline: &PipelineName, purpose: Purpose, at: i64, content: &impl Serialize) -> NewRecord {
    let json = serde_json::to_vec(content).expect("commands and facts have string keys only");
    NewRecord {
        topic: purpose.topic(pipeline),
        shard: ONLY,
        timestamp: Timestamp(at),
        key: None,
        value: Some(json.into()),
        headers: Vec::new(),
    }
}
