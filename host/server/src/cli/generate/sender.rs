//! Batches to the server's intake, and what it answers.

use super::source::Item;
use super::tally::Tally;
use crate::cli::client::{Client, segment};
use crate::cli::records::ENVELOPE;
use crate::cli::talk::Talk;
use crate::failure::{Exit, Failure};
use bytes::Bytes;
use fermata_core::codes;
use serde_json::{Map, Value, json};
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
            by_topic.entry(item.topic.to_string()).or_default().push(item);
        }
        for (topic, items) in by_topic {
            let path = self.client.path(&format!("/topics/{}/records", segment(&topic)))?;
            for items in requests(&items) {
                tally.sent += items.len() as u64;
                self.post(&path, items, tally)?;
            }
        }
        Ok(())
    }

    /// Intake takes a request as a whole or not at all: a refused one is halved until what it refuses stands alone.
    fn post(&self, path: &str, items: &[Item], tally: &mut Tally) -> Result<(), Failure> {
        let records = items.iter().map(record).collect::<Result<Value, Failure>>()?;
        let body = json!({ "records": records }).to_string();
        match self.client.post_bytes(path, ENVELOPE, body.as_bytes()) {
            Ok(_) => {
                let now = Instant::now();
                items.iter().for_each(|item| tally.acknowledged(now - item.due));
                Ok(())
            }
            Err(Failure::Plain { code, message, .. }) if code == codes::RECORD_REFUSED => {
                if let [one] = items {
                    tally.refused += 1;
                    // The one record of this request has number 0, which says nothing.
                    let why = message.strip_prefix("record 0: ").unwrap_or(&message);
                    return self.complain(tally.refused, one.place, why);
                }
                let (first, second) = items.split_at(items.len() / 2);
                self.post(path, first, tally)?;
                self.post(path, second, tally)
            }
            Err(failure) => Err(failure),
        }
    }
}

/// Cut so that no request is too large.
fn requests(items: &[Item]) -> impl Iterator<Item = &[Item]> {
    let mut bytes = 0;
    items.chunk_by(move |one, other| {
        let size = |item: &Item| item.key.as_ref().map_or(0, Bytes::len) + item.value.as_ref().map_or(0, Bytes::len);
        bytes += size(one);
        let fits = bytes + size(other) <= MOST_BYTES;
        if !fits {
            bytes = 0;
        }
        fits
    })
}

fn record(item: &Item) -> Result<Value, Failure> {
    let mut record = Map::new();
    put(&mut record, "key", item.key.as_ref());
    put(&mut record, "value", item.value.as_ref());
    record.insert("timestamp".into(), item.timestamp.0.into());
    if !item.headers.is_empty() {
        let mut headers = Map::new();
        for header in &item.headers {
            let value = header.value.as_deref().map(std::str::from_utf8).transpose();
            let value = value.map_err(|_| {
                let message = format!("header {:?} of {} is not UTF-8", header.key, item.topic);
                Failure::failed(codes::RECORD_REFUSED, message).help("intake over HTTP takes headers that are texts")
            })?;
            headers.insert(header.key.to_string(), value.into());
        }
        record.insert("headers".into(), headers.into());
    }
    Ok(record.into())
}

/// A text where the bytes are UTF-8, else hex.
fn put(record: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    let Some(bytes) = bytes else { return };
    match std::str::from_utf8(bytes) {
        Ok(text) => record.insert(name.into(), text.into()),
        Err(_) => record.insert(format!("{name}_hex"), hex::encode(bytes).into()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::{Timestamp, TopicName};

    fn item(value: Vec<u8>) -> Item {
        Item {
            topic: TopicName::new("t").unwrap(),
            key: None,
            value: Some(value.into()),
            headers: Vec::new(),
            timestamp: Timestamp(5),
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

    #[test]
    fn bytes_that_are_no_text_travel_as_hex() {
        assert_eq!(
            record(&item(b"a".to_vec())).unwrap(),
            json!({ "value": "a", "timestamp": 5 })
        );
        assert_eq!(
            record(&item(vec![255, 0])).unwrap(),
            json!({ "value_hex": "ff00", "timestamp": 5 })
        );
    }
}
