//! Batches to the server's intake, and what it answers.

use super::source::Item;
use super::tally::Tally;
use crate::cli::client::{Client, segment};
use crate::cli::envelope;
use crate::cli::records::ENVELOPE;
use crate::cli::talk::Talk;
use crate::failure::{Exit, Failure};
use bytes::Bytes;
use fermata_core::codes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Bytes of keys and values in one request; as JSON they may become six times as many.
const MOST_BYTES: usize = 8 << 20;
/// So many of one kind are told one by one, the rest by their number.
const TOLD: u64 = 10;

pub struct Sender<'a> {
    talk: &'a Talk,
    pub client: Client,
    strict: bool,
    /// What a place is.
    word: &'static str,
}

impl<'a> Sender<'a> {
    pub fn new(talk: &'a Talk, client: Client, strict: bool) -> Self {
        Self {
            talk,
            client,
            strict,
            word: "sequence number",
        }
    }

    pub fn say_places_of(&mut self, word: &'static str) {
        self.word = word;
    }

    /// Tells of the `n`th that cannot be sent or was refused; the first one ends a strict run.
    pub fn complain(&self, n: u64, place: u64, why: &str) -> Result<(), Failure> {
        let told = format!("{} {place}: {why}", self.word);
        if self.strict {
            return Err(Failure::new(codes::RECORD_REFUSED, Exit::Refused, told)
                .help("without --strict the run goes on, and the summary counts what was left out"));
        }
        if n <= TOLD {
            self.talk.say(told);
        }
        if n == TOLD + 1 {
            self.talk.say("more of these are only counted");
        }
        Ok(())
    }

    /// Each topic's records in their order. What intake refuses is left out and told.
    pub fn send(&mut self, items: Vec<Item>, tally: &mut Tally) -> Result<(), Failure> {
        let mut by_topic: BTreeMap<String, Vec<Item>> = BTreeMap::new();
        for item in items {
            by_topic.entry(item.record.topic.to_string()).or_default().push(item);
        }
        for (topic, items) in by_topic {
            let path = self.client.path(&format!("/topics/{}/records", segment(&topic)))?;
            for items in requests(&items) {
                self.post(&path, items, tally)?;
            }
        }
        Ok(())
    }

    /// Intake takes a request as a whole or not at all: a refused one is halved until what it refuses stands alone.
    fn post(&self, path: &str, items: &[Item], tally: &mut Tally) -> Result<(), Failure> {
        let records: Value = items.iter().map(|item| envelope::shape(&item.record)).collect();
        let body = json!({ "records": records }).to_string();
        match self.client.post_bytes(path, ENVELOPE, body.as_bytes()) {
            Ok(_) => {
                tally.sent += items.len() as u64;
                let now = Instant::now();
                items.iter().for_each(|item| tally.acknowledged(now - item.due));
                Ok(())
            }
            Err(Failure::Plain { code, message, .. }) if code == codes::RECORD_REFUSED => {
                if let [one] = items {
                    tally.sent += 1;
                    tally.refused += 1;
                    // The one record of this request has number 0, which says nothing.
                    let why = message.strip_prefix("record 0: ").unwrap_or(&message);
                    return self.complain(tally.refused, one.place, why);
                }
                let (first, second) = items.split_at(items.len() / 2);
                self.post(path, first, tally)?;
                self.post(path, second, tally)
            }
            Err(failure) => {
                tally.sent += items.len() as u64;
                Err(failure)
            }
        }
    }
}

/// Cut so that no request is too large.
fn requests(items: &[Item]) -> impl Iterator<Item = &[Item]> {
    let mut bytes = 0;
    items.chunk_by(move |one, other| {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let size = |item: &Item| length(&item.record.key) + length(&item.record.value);
        bytes += size(one);
        let fits = bytes + size(other) <= MOST_BYTES;
        if !fits {
            bytes = 0;
        }
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::{NewRecord, Shard, Timestamp, TopicName};

    fn item(value: Vec<u8>) -> Item {
        Item {
            record: NewRecord {
                topic: TopicName::new("t").unwrap(),
                shard: Shard(0),
                timestamp: Timestamp(5),
                key: None,
                value: Some(value.into()),
                headers: Vec::new(),
            },
            due: Instant::now(),
            place: 1,
        }
    }

    #[test]
    fn no_request_is_too_large_and_none_is_empty() {
        let items: Vec<Item> = (0..20).map(|_| item(vec![b'x'; 1 << 20])).collect();
        let sizes: Vec<usize> = requests(&items).map(<[Item]>::len).collect();
        assert_eq!(sizes, [8, 8, 4]);
        assert_eq!(requests(&items[..1]).count(), 1);
        assert_eq!(requests(&[]).count(), 0);
    }
}
