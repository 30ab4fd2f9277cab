//! Opening a folder and making topics.

use crate::{
    advice,
    commit::Writer,
    durability::Durability,
    embedded::{Embedded, Shared},
    group::Groups,
    layout::{self, TopicMeta},
    options::Options,
    positions::Positions,
    pulse::Pulse,
    retention::{self, Housekeeping},
    stores::Stores,
    topic::{Generation, Topic},
};
use fermata_core::{
    TopicName, codes,
    ports::{LogError, TopicSpec},
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, config::FilterPolicy};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
};

/// A partition keeps at least this much of its newest records in memory, if any.
const SMALLEST_TAIL: usize = 64 * 1024;

impl Embedded {
    /// Opens the folder `dir`, making it if need be. Whatever a stopped process had written is found again, up to
    /// some commit and nothing of those behind it, and is on the disk when this returns.
    pub fn open(dir: &Path, options: Options) -> Result<Arc<Self>, LogError> {
        let database = database(dir, &options)?;
        let shared = read_all(dir, database, options)?;
        shared.durability.claim(&shared.database)?;
        let shared = Arc::new(shared);
        let mut log = Self {
            shared,
            threads: Vec::new(),
        };
        log.start("fermata-sync", |shared| shared.durability.run(&shared.database))
            .and_then(|()| log.start("fermata-housekeeping", retention::run))
            .map_err(|found| failed(dir, "starting a thread", &found))?;
        Ok(Arc::new(log))
    }

    fn start(&mut self, name: &str, run: fn(&Shared)) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let _watched = Watched(&shared.durability);
            run(&shared);
        })?;
        self.threads.push(thread);
        Ok(())
    }
}

/// A thread that panics must not leave commits waiting for ever.
struct Watched<'a>(&'a Durability);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("keeping the log", &"a thread of it panicked");
        }
    }
}

pub(crate) fn failed(dir: &Path, doing: &str, found: &dyn std::fmt::Display) -> LogError {
    LogError::Fatal(format!("{}: {doing} in {}: {found}", codes::LOG_FAILED, dir.display()))
}

pub(crate) fn database(dir: &Path, options: &Options) -> Result<Database, LogError> {
    let opened = Database::builder(dir)
        .cache_size(options.cache_bytes)
        .max_journaling_size(options.journal_bytes.max(64 * 1024 * 1024))
        .open();
    opened.map_err(|found| match found {
        fjall::Error::Locked => LogError::Fatal(format!(
            "{}: the data folder {} is in use by another process: stop it or choose another folder",
            codes::LOG_LOCKED,
            dir.display()
        )),
        other => failed(dir, "opening the database", &advice::of(&other, dir)),
    })
}

pub(crate) fn read_all(dir: &Path, database: Database, options: Options) -> Result<Shared, LogError> {
    let here = |found: fjall::Error| failed(dir, "reading the database", &found);
    // Few keys, written again by every commit: each flush would stop the commits for a moment and save little.
    let bytes = options.state_memtable_bytes;
    let often = || KeyspaceCreateOptions::default().max_memtable_size(bytes);
    let meta = database.keyspace(layout::META, often).map_err(here)?;
    let pos = database.keyspace(layout::POSITIONS, often).map_err(here)?;
    let damaged = |what: &str| failed(dir, "reading the database", &format!("{what} is damaged"));
    let last = match meta.get(layout::COMMIT).map_err(here)? {
        None => 0,
        Some(value) => layout::parse_u64(&value).ok_or_else(|| damaged("the commit number"))?,
    };
    let mut topics = HashMap::new();
    for entry in meta.prefix(layout::TOPIC_PREFIX) {
        let (key, value) = entry.into_inner().map_err(here)?;
        let name = std::str::from_utf8(&key[layout::TOPIC_PREFIX.len()..]).ok();
        let name = name.and_then(|n| TopicName::new(n).ok());
        let name = name.ok_or_else(|| damaged("a topic's name"))?;
        let about: TopicMeta = serde_json::from_slice(&value).map_err(|_| damaged("a topic's description"))?;
        let topic = open_topic(&database, &options, name.clone(), about).map_err(here)?;
        topics.insert(name, Arc::new(topic));
    }
    let mut positions = Positions::default();
    for entry in pos.iter() {
        let (key, value) = entry.into_inner().map_err(here)?;
        let (group, topic, shard, next) = layout::parse_position(&key, &value).ok_or_else(|| damaged("a position"))?;
        positions.set(&group, &topic, shard, next);
    }
    let pulse = Arc::new(Pulse::default());
    let state = Stores::open(database.clone(), options.state_memtable_bytes).map_err(here)?;
    let state = Arc::new(state);
    let durability = Durability::new(last, dir, &options, Arc::clone(&pulse));
    let shared = Shared {
        database,
        meta,
        pos,
        options,
        topics: RwLock::new(topics),
        state,
        positions: Mutex::new(positions),
        groups: Mutex::new(Groups::default()),
        writer: Mutex::new(Writer { last }),
        durability,
        pulse,
        housekeeping: Housekeeping::default(),
        tail_bytes: AtomicUsize::new(SMALLEST_TAIL),
    };
    shared.share_tails();
    Ok(shared)
}

fn open_topic(
    database: &Database,
    options: &Options,
    name: TopicName,
    about: TopicMeta,
) -> Result<Topic, fjall::Error> {
    let mut generations = Vec::with_capacity(about.generations.len());
    for generation in about.generations {
        let keyspace = log_keyspace(database, options, &name, generation.number)?;
        generations.push(Generation::found(generation, keyspace));
    }
    Topic::open(name, generations)
}

pub(crate) fn log_keyspace(
    database: &Database,
    options: &Options,
    topic: &TopicName,
    generation: u32,
) -> Result<Keyspace, fjall::Error> {
    let bytes = options.log_memtable_bytes;
    database.keyspace(&layout::log_keyspace(topic, generation), || {
        // Records are read by ranges: filters would never be asked.
        KeyspaceCreateOptions::default()
            .max_memtable_size(bytes)
            .filter_policy(FilterPolicy::disabled())
    })
}

impl Shared {
    /// Makes the topics that are missing, or nothing when one does not fit.
    pub fn ensure(&self, specs: &[TopicSpec]) -> Result<(), LogError> {
        // Appends look topics up before they take this lock: nobody can see a half-made one.
        let _writer = self.writer.lock();
        let mut missing: Vec<&TopicSpec> = Vec::new();
        for spec in specs {
            match self.topic(&spec.name) {
                Err(_) => missing.push(spec),
                Ok(topic) => same_partitions(spec, topic.spec().partitions)?,
            }
        }
        for spec in missing {
            if let Ok(topic) = self.topic(&spec.name) {
                same_partitions(spec, topic.spec().partitions)?;
                continue;
            }
            let first = vec![0; spec.partitions as usize];
            let topic = self
                .make(&spec.name, first)
                .map_err(|found| self.durability.refused("making a topic", &found))?;
            self.topics.write().insert(spec.name.clone(), Arc::new(topic));
        }
        self.share_tails();
        Ok(())
    }

    fn make(&self, name: &TopicName, first: Vec<u64>) -> Result<Topic, fjall::Error> {
        let keyspace = log_keyspace(&self.database, &self.options, name, 0)?;
        let topic = Topic::open(name.clone(), vec![Generation::new(0, first, keyspace)])?;
        self.write_meta(name, &Topic::meta(&topic.generations()))?;
        Ok(topic)
    }

    /// In the order of the journal: what follows and builds on it is never there without it.
    pub fn write_meta(&self, name: &TopicName, about: &TopicMeta) -> Result<(), fjall::Error> {
        let mut batch = self.database.batch();
        batch.insert(&self.meta, layout::topic_key(name), encode_meta(about));
        batch.commit()
    }

    /// The memory for newest records, divided among all partitions.
    fn share_tails(&self) {
        let topics = self.topics.read();
        let partitions: usize = topics.values().map(|t| t.spec().partitions as usize).sum();
        let share = match self.options.tail_bytes {
            0 => 0,
            bytes => (bytes / partitions.max(1)).max(SMALLEST_TAIL),
        };
        self.tail_bytes.store(share, Ordering::Relaxed);
    }
}

pub(crate) fn encode_meta(about: &TopicMeta) -> Vec<u8> {
    serde_json::to_vec(about).expect("numbers and lists of numbers are JSON")
}

fn same_partitions(spec: &TopicSpec, found: u32) -> Result<(), LogError> {
    if spec.partitions == found {
        return Ok(());
    }
    Err(LogError::PartitionCount {
        topic: spec.name.clone(),
        expected: spec.partitions,
        found,
    })
}
