//! Every broken kind of record on the heads of the payment pipeline, and how each must end: told from topics alone.

mod commands;
mod ends;
mod object;
mod payments;

use bytes::Bytes;
use fermata_core::partition::shard_of;
use fermata_core::ports::Log;
use fermata_core::{NewRecord, Offset, Shard, Timestamp, TopicName};

pub use ends::{Summary, check};

pub const INCOMING: &str = "payment.incoming";
pub const COMMANDS: &str = "account.commands";

/// How a record ends, with its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    DeadLetter(&'static str),
    /// On `payment.rejected`.
    Rejected(&'static str),
    /// On `account.results`.
    Answered(&'static str),
    Confirmed,
}

/// One record on a head.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub head: &'static str,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// On another partition than its key's.
    pub misplaced: bool,
    pub end: End,
}

/// A case, and where the log has it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub case: Case,
    pub shard: Shard,
    pub offset: Offset,
}

/// All cases, a sound message behind each; `now`: milliseconds since the Unix epoch.
pub fn cases(now: i64) -> Vec<Case> {
    let at = fermata_payments::time::format(now);
    let cases = payments::cases(&at).into_iter().chain(commands::cases());
    let cases = cases.enumerate().flat_map(|(n, case)| {
        let sound = match case.head {
            INCOMING => payments::sound(n, &at),
            _ => commands::sound(n),
        };
        [case, sound]
    });
    cases.collect()
}

/// Appends as a foreign producer would: any bytes, on any partition.
pub fn append(log: &dyn Log, partitions: u32, now: i64, cases: Vec<Case>) -> Vec<Sent> {
    let shards: Vec<Shard> = cases
        .iter()
        .map(|case| {
            let own = shard_of(case.key.as_deref().unwrap_or_default(), partitions);
            Shard((own.0 + u32::from(case.misplaced)) % partitions)
        })
        .collect();
    let records = cases.iter().zip(&shards).map(|(case, shard)| NewRecord {
        topic: TopicName::new(case.head).expect("a topic's name"),
        shard: *shard,
        timestamp: Timestamp(now),
        key: case.key.clone().map(Bytes::from),
        value: case.value.clone().map(Bytes::from),
        headers: Vec::new(),
    });
    let offsets = log.append(records.collect()).expect("the log takes records").offsets;
    cases
        .into_iter()
        .zip(shards)
        .zip(offsets)
        .map(|((case, shard), offset)| Sent { case, shard, offset })
        .collect()
}

/// Cases being collected; each has a key of its own.
struct Table {
    head: &'static str,
    cases: Vec<Case>,
}

impl Table {
    fn new(head: &'static str) -> Self {
        Self {
            head,
            cases: Vec::new(),
        }
    }

    /// The key of the next case.
    fn next_key(&self) -> String {
        let kind = if self.head == INCOMING { "p" } else { "acct" };
        format!("bad-{kind}-{:04}", self.cases.len())
    }

    /// One more case under its own key.
    fn add(&mut self, name: impl Into<String>, end: End, value: impl Into<Vec<u8>>) -> &mut Case {
        let key = self.next_key();
        self.cases.push(Case {
            name: name.into(),
            head: self.head,
            key: Some(key.into_bytes()),
            value: Some(value.into()),
            misplaced: false,
            end,
        });
        self.cases.last_mut().expect("pushed above")
    }
}
