//! One topic: its partitions in memory (bounds and newest records) and its generations on disk.

use crate::{
    encoding,
    layout::{self, GenerationMeta, TopicMeta},
};
use bytes::Bytes;
use fermata_core::{
    Offset, Record, Shard, TopicName,
    ports::{Bounds, LogError, TopicSpec},
};
use fjall::Keyspace;
use parking_lot::{Mutex, RwLock};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

pub(crate) struct Topic {
    pub name: TopicName,
    partitions: Vec<Partition>,
    /// Oldest first; never empty.
    generations: RwLock<Vec<Arc<Generation>>>,
}

pub(crate) struct Generation {
    pub number: u32,
    /// By partition: the first offset that lies here and not in the generation before.
    pub first: Vec<u64>,
    pub keyspace: Keyspace,
    bytes: AtomicU64,
}

struct Partition {
    /// The next offset to give away: only whoever holds the writer's lock looks.
    next: AtomicU64,
    tail: Mutex<Tail>,
}

/// The newest records; their offsets have no gaps.
struct Tail {
    start: u64,
    end: u64,
    records: VecDeque<Record>,
    bytes: usize,
}

/// Bytes of a record's key.
const RECORD_KEY: u64 = 12;
/// What a record takes in memory beside its key, value and headers' bytes.
const OVERHEAD: usize = 160;
const HEADER_OVERHEAD: usize = 96;

fn weight(record: &Record) -> usize {
    record.size() + OVERHEAD + HEADER_OVERHEAD * record.headers.len()
}

impl Topic {
    /// Finds the ends of the partitions on disk.
    pub fn open(name: TopicName, generations: Vec<Generation>) -> Result<Self, fjall::Error> {
        let count = generations.last().map_or(0, |g| g.first.len());
        let mut partitions = Vec::with_capacity(count);
        for index in 0..count {
            let start = generations.first().map_or(0, |g| g.first[index]);
            let mut end = generations.last().map_or(0, |g| g.first[index]);
            for generation in generations.iter().rev() {
                if let Some(last) = generation.last(Shard(index as u32))? {
                    end = end.max(last + 1);
                    break;
                }
            }
            partitions.push(Partition {
                next: AtomicU64::new(end),
                tail: Mutex::new(Tail {
                    start,
                    end,
                    records: VecDeque::new(),
                    bytes: 0,
                }),
            });
        }
        Ok(Self {
            name,
            partitions,
            generations: RwLock::new(generations.into_iter().map(Arc::new).collect()),
        })
    }

    pub fn spec(&self) -> TopicSpec {
        TopicSpec {
            name: self.name.clone(),
            partitions: self.partitions.len() as u32,
        }
    }
    pub fn has(&self, shard: Shard) -> Result<(), LogError> {
        self.partition(shard).map(drop)
    }
    fn partition(&self, shard: Shard) -> Result<&Partition, LogError> {
        self.partitions
            .get(shard.0 as usize)
            .ok_or_else(|| LogError::PartitionCount {
                topic: self.name.clone(),
                expected: shard.0 + 1,
                found: self.partitions.len() as u32,
            })
    }

    pub fn bounds(&self, shard: Shard) -> Result<Bounds, LogError> {
        let tail = self.partition(shard)?.tail.lock();
        Ok(Bounds {
            start: Offset(tail.start),
            end: Offset(tail.end),
            // A transaction is written whole: nothing is ever open on disk.
            high: Offset(tail.end),
        })
    }

    /// Gives the next offset away. The caller holds the writer's lock and has checked the shard.
    pub fn reserve(&self, shard: Shard) -> Offset {
        Offset(self.partitions[shard.0 as usize].next.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a committed record visible. In offset order, under the writer's lock.
    pub fn publish(&self, record: Record, tail_bytes: &AtomicUsize) {
        let mut tail = self.partitions[record.shard.0 as usize].tail.lock();
        tail.end = record.offset.0 + 1;
        tail.bytes += weight(&record);
        tail.records.push_back(record);
        let budget = tail_bytes.load(Ordering::Relaxed);
        while tail.bytes > budget {
            let Some(oldest) = tail.records.pop_front() else {
                break;
            };
            tail.bytes -= weight(&oldest);
        }
    }

    pub fn read(&self, shard: Shard, from: Offset, limit: usize) -> Result<Read, LogError> {
        let partition = self.partition(shard)?;
        let (start, until) = {
            let tail = partition.tail.lock();
            let kept = tail.end - tail.records.len() as u64;
            if from.0 >= kept && from.0 >= tail.start {
                let skip = usize::try_from(from.0 - kept).unwrap_or(usize::MAX);
                let records = tail.records.iter().skip(skip).take(limit);
                return Ok(Read::Records(records.cloned().collect()));
            }
            (tail.start, kept)
        };
        if from.0 < start {
            return Err(LogError::Trimmed {
                topic: self.name.clone(),
                shard,
                asked: from,
                start: Offset(start),
            });
        }
        Ok(Read::Disk { until })
    }

    /// The part of a read that memory does not have: records in `[from, until)`.
    pub fn read_disk(&self, shard: Shard, from: Offset, until: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        for generation in self.generations() {
            for found in generation.range(shard, from.0, until) {
                if records.len() == limit {
                    return Ok(records);
                }
                let (key, value) = found.into_inner()?;
                let (_, offset) = layout::parse_record_key(&key).ok_or(ReadError::Encoding(from))?;
                let bytes = Bytes::copy_from_slice(&value);
                let record = encoding::decode(&self.name, shard, Offset(offset), bytes)
                    .ok_or(ReadError::Encoding(Offset(offset)))?;
                records.push(record);
            }
        }
        Ok(records)
    }

    /// The newest record of a partition.
    pub fn last(&self, shard: Shard) -> Result<Result<Option<Record>, ReadError>, LogError> {
        let end = {
            let tail = self.partition(shard)?.tail.lock();
            if let Some(record) = tail.records.back() {
                return Ok(Ok(Some(record.clone())));
            }
            tail.end
        };
        Ok(self.last_on_disk(shard, end))
    }

    fn last_on_disk(&self, shard: Shard, end: u64) -> Result<Option<Record>, ReadError> {
        for generation in self.generations().iter().rev() {
            if let Some(found) = generation.range(shard, 0, end).next_back() {
                let (_, offset) = layout::parse_record_key(&found.key()?).ok_or(ReadError::Encoding(Offset(0)))?;
                let one = self.read_disk(shard, Offset(offset), offset + 1, 1)?;
                return Ok(one.into_iter().next());
            }
        }
        Ok(None)
    }

    pub fn generations(&self) -> Vec<Arc<Generation>> {
        self.generations.read().clone()
    }
    /// Where records are appended.
    pub fn active(&self) -> Arc<Generation> {
        let generations = self.generations.read();
        Arc::clone(generations.last().expect("a topic has a generation"))
    }
    /// Bytes of all generations, about.
    pub fn size(&self) -> u64 {
        self.generations.read().iter().map(|g| g.size()).sum()
    }
    /// By partition: the next offset to give away. The caller holds the writer's lock.
    pub fn next_offsets(&self) -> Vec<u64> {
        let next = |p: &Partition| p.next.load(Ordering::Relaxed);
        self.partitions.iter().map(next).collect()
    }
    /// Replaces the generations and moves the starts to those of the oldest.
    pub fn set_generations(&self, generations: Vec<Arc<Generation>>) {
        let mut current = self.generations.write();
        if let Some(oldest) = generations.first() {
            for (partition, first) in self.partitions.iter().zip(&oldest.first) {
                partition.tail.lock().start = *first;
            }
        }
        *current = generations;
    }
    pub fn meta(generations: &[Arc<Generation>]) -> TopicMeta {
        TopicMeta {
            partitions: generations.last().map_or(0, |g| g.first.len() as u32),
            generations: generations
                .iter()
                .map(|g| GenerationMeta {
                    number: g.number,
                    first: g.first.clone(),
                    bytes: g.size(),
                })
                .collect(),
        }
    }
}

/// What [`Topic::read`] found.
pub(crate) enum Read {
    Records(Vec<Record>),
    /// Older than what memory keeps: on disk below `until`.
    Disk {
        until: u64,
    },
}

pub(crate) enum ReadError {
    Database(fjall::Error),
    /// The record at this offset is not what was written.
    Encoding(Offset),
}

impl From<fjall::Error> for ReadError {
    fn from(found: fjall::Error) -> Self {
        Self::Database(found)
    }
}

impl Generation {
    pub fn new(number: u32, first: Vec<u64>, keyspace: Keyspace) -> Self {
        Self {
            number,
            first,
            keyspace,
            bytes: AtomicU64::new(0),
        }
    }
    /// As it was described; what was appended since is counted by what the disk has of it.
    pub fn found(about: GenerationMeta, keyspace: Keyspace) -> Self {
        let bytes = about.bytes.max(keyspace.disk_space());
        Self {
            bytes: AtomicU64::new(bytes),
            ..Self::new(about.number, about.first, keyspace)
        }
    }
    /// The same with other first offsets.
    pub fn beginning(&self, first: Vec<u64>) -> Self {
        Self {
            bytes: AtomicU64::new(self.size()),
            ..Self::new(self.number, first, self.keyspace.clone())
        }
    }
    /// Bytes appended, about.
    pub fn size(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
    /// Counts bytes appended; the size then.
    pub fn note(&self, bytes: usize) -> u64 {
        let bytes = bytes as u64 + RECORD_KEY;
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
    pub fn range(&self, shard: Shard, from: u64, until: u64) -> fjall::Iter {
        self.keyspace
            .range(layout::record_key(shard, from)..layout::record_key(shard, until))
    }
    /// Offset of the last record of a partition.
    pub fn last(&self, shard: Shard) -> Result<Option<u64>, fjall::Error> {
        match self.range(shard, 0, u64::MAX).next_back() {
            None => Ok(None),
            Some(found) => Ok(layout::parse_record_key(&found.key()?).map(|(_, offset)| offset)),
        }
    }
}
