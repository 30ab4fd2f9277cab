//! An independent witness: a plain read_committed consumer and a JSON parser, none of Fermata's own reckoning.

use super::client::Quiet;
use crate::harness::{PATIENCE, until};
use parking_lot::Mutex;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(100);

/// What was seen of one id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    pub accepted: u32,
    pub rejected: u32,
    pub confirmed: u32,
    pub failed: u32,
}

impl Fate {
    /// Exactly one: rejected at the head, confirmed or failed.
    pub fn ends(&self) -> u32 {
        self.rejected + self.confirmed + self.failed
    }
}

#[derive(Default)]
struct Seen {
    fates: HashMap<String, Fate>,
    /// Ids with an end.
    ended: usize,
    last_end: Option<Instant>,
    longest_gap: Duration,
    /// The last decision about a payment at the head of each shard, and the longest time between two.
    heads: BTreeMap<i32, (Instant, Duration)>,
    /// Records whose value is no JSON object with an id.
    unread: Vec<String>,
    /// Next position of each partition.
    reached: BTreeMap<(String, i32), i64>,
}

/// Reads the ends of payments while everything else runs.
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    consumer: Arc<BaseConsumer<Quiet>>,
    topics: Vec<(String, i32)>,
}

/// Where payments are accepted and end: topic names of the payment pipeline, without a prefix.
const TOPICS: [&str; 4] = [
    "payment.accepted",
    "payment.rejected",
    "payment.confirmed",
    "payment.failed",
];

impl Witness {
    /// Of topics that exist: `prefix` and the payment pipeline's names.
    pub fn start(bootstrap: &str, prefix: &str, partitions: i32) -> Self {
        let topics: Vec<_> = TOPICS
            .iter()
            .flat_map(|topic| (0..partitions).map(move |partition| (format!("{prefix}{topic}"), partition)))
            .collect();
        let consumer: BaseConsumer<Quiet> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            // It joins no group and commits nothing; librdkafka wants a name all the same.
            .set("group.id", super::unique("witness"))
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("reconnect.backoff.max.ms", "500")
            .create_with_context(Quiet)
            .expect("the settings are librdkafka's");
        let mut all = TopicPartitionList::new();
        for (topic, partition) in &topics {
            all.add_partition_offset(topic, *partition, Offset::Beginning)
                .expect("an offset of a new list");
        }
        consumer.assign(&all).expect("partitions can be assigned");
        let (consumer, seen, stop) = (Arc::new(consumer), Arc::default(), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (consumer, seen, stop, skip) = (consumer.clone(), Arc::clone(&seen), stop.clone(), prefix.len());
            move || watch(&consumer, &seen, &stop, skip)
        });
        Self {
            seen,
            stop,
            thread: Some(thread),
            consumer,
            topics,
        }
    }

    /// Ids that have an end.
    pub fn ended(&self) -> usize {
        self.seen.lock().ended
    }

    /// Waits until so many more ids have ended.
    pub fn more(&self, count: usize) {
        let goal = self.ended() + count;
        until("payments end", PATIENCE, || {
            let now = self.ended();
            if now >= goal { Ok(()) } else { Err((now, goal)) }
        });
    }

    /// The longest time between two ends so far; an open one counts.
    pub fn longest_gap(&self) -> Duration {
        let seen = self.seen.lock();
        let open = seen.last_end.map_or(Duration::ZERO, |last| last.elapsed());
        seen.longest_gap.max(open)
    }

    /// Counts gaps from now on.
    pub fn reset_gap(&self) {
        let mut seen = self.seen.lock();
        let now = Instant::now();
        seen.longest_gap = Duration::ZERO;
        seen.last_end = Some(now);
        seen.heads.values_mut().for_each(|head| *head = (now, Duration::ZERO));
    }

    /// The longest time in which one shard took no payment in: what a move of it costs. An open one counts.
    pub fn longest_pause(&self) -> Duration {
        let seen = self.seen.lock();
        let pauses = seen.heads.values().map(|(last, longest)| last.elapsed().max(*longest));
        pauses.max().unwrap_or_default()
    }

    /// Reads on to what is the end of every topic now.
    pub fn catch_up(&self) {
        for (topic, partition) in &self.topics {
            let end = until("the broker says where a topic ends", PATIENCE, || {
                self.consumer
                    .fetch_watermarks(topic, *partition, Duration::from_secs(10))
                    .map(|(_, end)| end)
            });
            until(&format!("{topic}/{partition} is read to {end}"), PATIENCE, || {
                let reached = self.reached(topic, *partition);
                if reached >= end { Ok(()) } else { Err(reached) }
            });
        }
    }

    /// Beyond markers and aborted records too, which the position of the consumer counts.
    fn reached(&self, topic: &str, partition: i32) -> i64 {
        let positions = self.consumer.position().ok();
        let found = positions.as_ref().and_then(|all| all.find_partition(topic, partition));
        let position = match found.map(|p| p.offset()) {
            Some(Offset::Offset(position)) => position,
            _ => 0,
        };
        let read = self.seen.lock().reached.get(&(topic.to_owned(), partition)).copied();
        position.max(read.unwrap_or_default())
    }

    /// What was seen of every id so far.
    pub fn fates(&self) -> HashMap<String, Fate> {
        self.seen.lock().fates.clone()
    }

    /// Records that were no payments.
    pub fn unread(&self) -> Vec<String> {
        self.seen.lock().unread.clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there is one of these tests' own; it was told when it happened.
            let _ = thread.join();
        }
    }
}

fn watch(consumer: &BaseConsumer<Quiet>, seen: &Mutex<Seen>, stop: &AtomicBool, skip: usize) {
    while !stop.load(Ordering::Relaxed) {
        // Errors: a broker is away, and the consumer goes on by itself.
        let Some(Ok(record)) = consumer.poll(LOOK) else {
            continue;
        };
        let value: Option<Value> = record.payload().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let id = value.as_ref().and_then(|v| v["id"].as_str()).map(str::to_owned);
        let place = (record.topic().to_owned(), record.partition());
        let mut seen = seen.lock();
        let shard = record.partition();
        seen.reached.insert(place, record.offset() + 1);
        let Some(id) = id else {
            seen.unread
                .push(format!("{}/{}/{}", record.topic(), record.partition(), record.offset()));
            continue;
        };
        seen.note(&record.topic()[skip..], shard, id);
    }
}

impl Seen {
    fn note(&mut self, topic: &str, shard: i32, id: String) {
        if matches!(topic, "payment.accepted" | "payment.rejected") {
            let now = Instant::now();
            let (last, longest) = self.heads.entry(shard).or_insert((now, Duration::ZERO));
            *longest = (*longest).max(now - *last);
            *last = now;
        }
        let fate = self.fates.entry(id).or_default();
        let before = fate.ends();
        match topic {
            "payment.accepted" => fate.accepted += 1,
            "payment.rejected" => fate.rejected += 1,
            "payment.confirmed" => fate.confirmed += 1,
            "payment.failed" => fate.failed += 1,
            other => panic!("nobody asked for {other}"),
        }
        if before == 0 && fate.ends() > 0 {
            self.ended += 1;
            let now = Instant::now();
            if let Some(last) = self.last_end.replace(now) {
                self.longest_gap = self.longest_gap.max(now - last);
            }
        }
    }
}
