//! What a session reads: for each partition where it stands, and the records that have come and were not asked for.
//!
//! librdkafka delivers whatever comes; the port wants the most downstream topic first. So everything that has come is
//! taken over at once and handed out by topic. Partitions are never paused: what may not be read, or has come in plenty
//! already, is left out of the assignment, which then begins again exactly where this stands.

use fermata_core::{Offset, Record, Shard, TopicName};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

/// So much may lie here in all before nothing more is taken over.
pub(super) const HELD_RECORDS: usize = 8_192;
pub(super) const HELD_BYTES: usize = 8 << 20;

pub(super) struct Cursor {
    /// Behind what has come.
    pub next: Offset,
    pub waiting: VecDeque<Record>,
    /// The consumer delivers from `next` on. What comes for another is of an assignment that is over.
    pub armed: bool,
    /// When a record came, or it was armed.
    pub moved: Instant,
    /// Up to here there is nothing that could have come.
    pub clean: Offset,
    /// There was something to read when it was last looked for, and it has not come yet.
    pub owed: bool,
}

#[derive(Default)]
pub(super) struct Cursors {
    /// In the order of the session's topics.
    topics: Vec<Topic>,
    records: usize,
    bytes: usize,
}

struct Topic {
    name: TopicName,
    cursors: BTreeMap<Shard, Cursor>,
    paused: BTreeSet<Shard>,
    served: Option<Shard>,
}

impl Cursors {
    pub fn new(topics: &[TopicName]) -> Self {
        let topics = topics.iter().map(|name| Topic {
            name: name.clone(),
            cursors: BTreeMap::new(),
            paused: BTreeSet::new(),
            served: None,
        });
        Self {
            topics: topics.collect(),
            records: 0,
            bytes: 0,
        }
    }

    pub fn full(&self) -> bool {
        self.records >= HELD_RECORDS || self.bytes >= HELD_BYTES
    }

    /// What waited is dropped; nothing comes before it is armed again.
    pub fn seek(&mut self, topic: &TopicName, shard: Shard, next: Offset) -> bool {
        let Some(topic) = self.topics.iter_mut().find(|t| t.name == *topic) else {
            return false;
        };
        let cursor = Cursor {
            next,
            waiting: VecDeque::new(),
            armed: false,
            moved: Instant::now(),
            clean: Offset(0),
            owed: false,
        };
        if let Some(old) = topic.cursors.insert(shard, cursor) {
            (self.records, self.bytes) = without(self.records, self.bytes, &old);
        }
        true
    }

    pub fn forget(&mut self, shards: &BTreeSet<Shard>) {
        for topic in &mut self.topics {
            for shard in shards {
                if let Some(old) = topic.cursors.remove(shard) {
                    (self.records, self.bytes) = without(self.records, self.bytes, &old);
                }
            }
        }
    }

    /// Everything must be armed anew.
    pub fn disarm(&mut self) {
        for cursor in self.topics.iter_mut().flat_map(|t| t.cursors.values_mut()) {
            cursor.armed = false;
        }
    }

    /// Arms what may be read and returns where from. Of a paused partition nothing waits here any more.
    pub fn arm(&mut self) -> Vec<(TopicName, Shard, Offset)> {
        let now = Instant::now();
        let mut places = Vec::new();
        for topic in &mut self.topics {
            for (shard, cursor) in &mut topic.cursors {
                cursor.armed = !topic.paused.contains(shard);
                (cursor.moved, cursor.owed) = (now, false);
                if cursor.armed {
                    places.push((topic.name.clone(), *shard, cursor.next));
                } else if let Some(first) = cursor.waiting.front().map(|r| r.offset) {
                    (self.records, self.bytes) = without(self.records, self.bytes, cursor);
                    cursor.waiting.clear();
                    cursor.next = first;
                }
            }
        }
        places
    }

    /// Replaces the paused partitions; whether what was left out must be armed again.
    pub fn set_paused(&mut self, paused: &[(TopicName, Shard)]) -> bool {
        let mut rearm = false;
        for topic in &mut self.topics {
            let own = paused.iter().filter(|(name, _)| *name == topic.name);
            topic.paused = own.map(|(_, shard)| *shard).collect();
            let free = topic.cursors.iter().filter(|(shard, _)| !topic.paused.contains(shard));
            rearm |= free.into_iter().any(|(_, cursor)| !cursor.armed);
        }
        rearm
    }

    /// Whether records of paused partitions take the room: they must be left out of the assignment.
    pub fn clogged(&self) -> bool {
        let paused = |t: &Topic| {
            let armed = t.cursors.iter().filter(|(s, c)| t.paused.contains(s) && c.armed);
            armed.map(|(_, c)| c.waiting.len()).max().unwrap_or_default()
        };
        self.topics.iter().map(paused).max().unwrap_or_default() > HELD_RECORDS / 16
    }

    pub fn name(&self, topic: &str) -> Option<&TopicName> {
        self.topics.iter().map(|t| &t.name).find(|name| name.as_str() == topic)
    }

    /// Where a record that has come belongs; `None`: nowhere any more.
    pub fn wants(&self, topic: &str, shard: Shard, offset: Offset) -> bool {
        let topic = self.topics.iter().find(|t| t.name.as_str() == topic);
        let cursor = topic.and_then(|t| t.cursors.get(&shard));
        cursor.is_some_and(|c| c.armed && offset >= c.next)
    }

    pub fn came(&mut self, record: Record) {
        let topic = self.topics.iter_mut().find(|t| t.name == record.topic);
        let Some(cursor) = topic.and_then(|t| t.cursors.get_mut(&record.shard)) else {
            return;
        };
        self.records += 1;
        self.bytes += record.size();
        cursor.next = record.offset.next();
        (cursor.moved, cursor.owed) = (Instant::now(), false);
        cursor.waiting.push_back(record);
    }

    /// Up to `limit` records of one topic and shard: the first topic that has any, its shards in turn.
    pub fn serve(&mut self, limit: usize) -> Option<Vec<Record>> {
        if limit == 0 {
            return None;
        }
        for topic in &mut self.topics {
            let ready =
                |(shard, cursor): &(&Shard, &Cursor)| !cursor.waiting.is_empty() && !topic.paused.contains(shard);
            let mut found = topic.cursors.iter().filter(ready).map(|(shard, _)| *shard);
            let Some(first) = found.next() else {
                continue;
            };
            let behind = Some(first)
                .into_iter()
                .chain(found)
                .find(|shard| Some(*shard) > topic.served);
            let shard = behind.unwrap_or(first);
            topic.served = Some(shard);
            let cursor = topic.cursors.get_mut(&shard).expect("it was just found");
            let count = cursor.waiting.len().min(limit);
            let records: Vec<_> = cursor.waiting.drain(..count).collect();
            self.records -= records.len();
            self.bytes -= records.iter().map(Record::size).sum::<usize>();
            return Some(records);
        }
        None
    }

    /// The partition that is to be read, has been silent the longest, and since when.
    pub fn most_silent(&self) -> Option<(TopicName, Shard, Instant)> {
        let all = self.topics.iter().flat_map(|t| {
            let cursors = t
                .cursors
                .iter()
                .filter(|(s, c)| c.armed && c.waiting.is_empty() && !t.paused.contains(s));
            cursors.map(|(shard, cursor)| (t.name.clone(), *shard, cursor.moved))
        });
        all.min_by_key(|(_, _, moved)| *moved)
    }

    pub fn get(&self, topic: &TopicName, shard: Shard) -> Option<&Cursor> {
        self.topics.iter().find(|t| t.name == *topic)?.cursors.get(&shard)
    }
    pub fn get_mut(&mut self, topic: &TopicName, shard: Shard) -> Option<&mut Cursor> {
        self.topics
            .iter_mut()
            .find(|t| t.name == *topic)?
            .cursors
            .get_mut(&shard)
    }

    /// Everything that is read just now, and where it stands.
    pub fn armed(&self) -> impl Iterator<Item = (TopicName, Shard, Offset)> + '_ {
        self.topics.iter().flat_map(|t| {
            let armed = t.cursors.iter().filter(|(_, c)| c.armed);
            armed.map(|(shard, cursor)| (t.name.clone(), *shard, cursor.next))
        })
    }
}

fn without(records: usize, bytes: usize, cursor: &Cursor) -> (usize, usize) {
    let own: usize = cursor.waiting.iter().map(Record::size).sum();
    (records - cursor.waiting.len(), bytes - own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::Timestamp;

    fn topic(name: &str) -> TopicName {
        TopicName::new(name).expect("valid")
    }

    fn record(name: &str, shard: u32, offset: u64) -> Record {
        Record {
            topic: topic(name),
            shard: Shard(shard),
            offset: Offset(offset),
            timestamp: Timestamp(0),
            key: None,
            value: Some("x".into()),
            headers: vec![],
        }
    }

    fn reading(shards: u32) -> Cursors {
        let mut cursors = Cursors::new(&[topic("down"), topic("up")]);
        for shard in 0..shards {
            for name in ["down", "up"] {
                assert!(cursors.seek(&topic(name), Shard(shard), Offset(0)));
            }
        }
        cursors.arm();
        cursors
    }

    #[test]
    fn the_first_topic_goes_first_and_shards_take_turns() {
        let mut cursors = reading(2);
        for shard in 0..2 {
            for offset in 0..2 {
                cursors.came(record("up", shard, offset));
                cursors.came(record("down", shard, offset));
            }
        }
        let mut order = Vec::new();
        while let Some(records) = cursors.serve(1) {
            order.push((records[0].topic.to_string(), records[0].shard.0, records[0].offset.0));
        }
        let of = |t: &str| [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(s, o)| (t.to_owned(), s, o));
        assert_eq!(order, [of("down"), of("up")].concat());
        assert_eq!((cursors.records, cursors.bytes), (0, 0));
    }

    #[test]
    fn after_a_seek_only_what_is_asked_for_anew_comes() {
        let mut cursors = reading(1);
        cursors.came(record("up", 0, 0));
        assert!(!cursors.wants("up", Shard(0), Offset(0)), "it has come");
        assert!(cursors.wants("up", Shard(0), Offset(5)), "gaps are markers");
        cursors.seek(&topic("up"), Shard(0), Offset(0));
        assert!(!cursors.wants("up", Shard(0), Offset(1)), "of the assignment before");
        assert_eq!(cursors.serve(9), None);
        assert_eq!(cursors.records, 0);
        cursors.arm();
        assert!(cursors.wants("up", Shard(0), Offset(0)));
        assert!(!cursors.wants("up", Shard(1), Offset(0)) && !cursors.wants("other", Shard(0), Offset(0)));
    }

    #[test]
    fn a_short_pause_costs_nothing_and_a_long_one_holds_nothing() {
        let mut cursors = reading(1);
        cursors.came(record("down", 0, 3));
        let paused = [(topic("down"), Shard(0))];
        assert!(!cursors.set_paused(&paused));
        assert_eq!(cursors.serve(9), None);
        assert!(!cursors.set_paused(&[]), "the consumer still reads it");
        assert_eq!(cursors.serve(9).expect("it waited").len(), 1);
        cursors.came(record("down", 0, 7));
        cursors.set_paused(&paused);
        let armed: Vec<_> = cursors.arm().into_iter().map(|(t, _, _)| t).collect();
        assert_eq!((armed, cursors.records), (vec![topic("up")], 0));
        assert!(cursors.set_paused(&[]), "it must be armed again");
        assert_eq!((cursors.serve(9), cursors.arm()[0].2), (None, Offset(7)));
    }
}
