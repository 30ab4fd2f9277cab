//! Records of the generator, made by plain Rust: both sides of a comparison get the same.

use super::Outcome;
use fermata_core::manifest::{Generator, Manifest};
use fermata_core::partition::shard_of;
use fermata_core::ports::{Artifacts, Executor, GeneratorInstance};
use fermata_core::{NewRecord, Timestamp};
use fermata_native::{NativeArtifacts, NativeExecutor};
use std::time::{SystemTime, UNIX_EPOCH};

const SEED: u64 = 7;

pub struct Load<'a> {
    instance: Box<dyn GeneratorInstance>,
    wired: &'a Generator,
    partitions: u32,
    /// The next sequence number.
    next: u64,
}

impl<'a> Load<'a> {
    pub fn new(manifest: &'a Manifest) -> Outcome<Self> {
        let wired = manifest.generators.first().ok_or("the manifest has no generator")?;
        let artifact = NativeArtifacts::default().resolve(&wired.component)?;
        let instance = NativeExecutor::default().generator(&artifact, &wired.config.to_string(), SEED)?;
        Ok(Self {
            instance,
            wired,
            partitions: manifest.partitions,
            next: 0,
        })
    }

    /// All of the set-up: it comes before any payment.
    pub fn set_up(&mut self) -> Outcome<Vec<NewRecord>> {
        let count = self.instance.plan().setup - self.next;
        self.take(count)
    }

    /// Leaves out the set-up, and so many payments behind it.
    pub fn skip_to_payment(&mut self, n: u64) {
        self.next = self.instance.plan().setup + n;
    }

    /// The records of the next `count` sequence numbers, due now.
    pub fn take(&mut self, count: u64) -> Outcome<Vec<NewRecord>> {
        let due = now();
        let mut records = Vec::new();
        for _ in 0..count {
            records.extend(self.one(due)?);
        }
        Ok(records)
    }

    /// The records of the next sequence number.
    pub fn one(&mut self, due: Timestamp) -> Outcome<Vec<NewRecord>> {
        let emissions = self.instance.next(self.next, due);
        let emissions = emissions.map_err(|fault| format!("the generator failed at {}: {fault}", self.next))?;
        self.next += 1;
        let records = emissions.into_iter().map(|e| {
            let topic = self
                .wired
                .outputs
                .get(&e.port)
                .ok_or("the generator has a port without a topic")?;
            Ok(NewRecord {
                topic: topic.clone(),
                shard: shard_of(e.key.as_deref().unwrap_or_default(), self.partitions),
                timestamp: due,
                key: e.key,
                value: e.value,
                headers: e.headers,
            })
        });
        records.collect()
    }
}

pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
