//! Components over the log: an instance that was given one puts its bytes on `<pipeline>.artifacts`, and any other
//! gets them there by digest. Bytes are kept where the instance keeps its own, so that they are read once.

use bytes::{Bytes, BytesMut};
use fermata_core::names::Purpose;
use fermata_core::ports::{Artifact, ArtifactError, Artifacts, Log, LogError};
use fermata_core::{Digest, NewRecord, Offset, PipelineName, Record, Shard, Timestamp, TopicName};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one record: half of what a Kafka broker takes by default.
pub const CHUNK: usize = 448 << 10;
/// Records read at once, so that a handful of megabytes is in memory.
const PAGE: usize = 8;
/// The topic has one partition.
const ONLY: Shard = Shard(0);
/// A component is on disk before a command may name it.
const DURABLE_WITHIN: Duration = Duration::from_secs(30);

/// Keeps components in `own`, and on the log for the others.
pub struct LogArtifacts {
    own: Arc<dyn Artifacts>,
    log: Arc<dyn Log>,
    topic: TopicName,
    index: Mutex<Index>,
}

/// Where the chunks lie, as far as the topic was read.
#[derive(Default)]
struct Index {
    next: Option<Offset>,
    chunks: BTreeMap<Digest, BTreeMap<u32, Chunk>>,
}

#[derive(Clone, Copy)]
struct Chunk {
    offset: Offset,
    /// How many the component has.
    of: u32,
}

impl LogArtifacts {
    /// The topic exists ([`crate::nodes::topics`]).
    pub fn new(own: Arc<dyn Artifacts>, log: Arc<dyn Log>, pipeline: &PipelineName) -> Self {
        Self {
            own,
            log,
            topic: Purpose::Artifacts.topic(pipeline),
            index: Mutex::default(),
        }
    }

    /// Puts a component on the log, unless all of it is there.
    fn share(&self, artifact: &Artifact) -> Result<(), ArtifactError> {
        let failed = |error: LogError| self.unreadable(&artifact.digest, &error);
        let mut index = self.index.lock();
        index.read_on(&*self.log, &self.topic).map_err(failed)?;
        if index.complete(&artifact.digest).is_some() {
            return Ok(());
        }
        let chunks: Vec<Bytes> = match artifact.bytes.is_empty() {
            true => vec![Bytes::new()],
            false => (0..artifact.bytes.len())
                .step_by(CHUNK)
                .map(|from| artifact.bytes.slice(from..artifact.bytes.len().min(from + CHUNK)))
                .collect(),
        };
        let of = chunks.len();
        let mut last = None;
        for (number, bytes) in chunks.into_iter().enumerate() {
            let record = NewRecord {
                topic: self.topic.clone(),
                shard: ONLY,
                timestamp: Timestamp(0),
                key: Some(format!("{}/{number}/{of}", artifact.digest.full()).into()),
                value: Some(bytes),
                headers: Vec::new(),
            };
            last = Some(self.log.append(vec![record]).map_err(failed)?.commit);
        }
        let Some(commit) = last else { return Ok(()) };
        match self.log.wait_durable(commit, DURABLE_WITHIN).map_err(failed)? {
            true => Ok(()),
            false => {
                let why = format!("it was not on disk within {} s", DURABLE_WITHIN.as_secs());
                Err(self.unreadable(&artifact.digest, &LogError::Away(why)))
            }
        }
    }

    fn fetch(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
        let failed = |error: LogError| self.unreadable(digest, &error);
        let mut index = self.index.lock();
        index.read_on(&*self.log, &self.topic).map_err(failed)?;
        let Some(offsets) = index.complete(digest) else {
            return Err(ArtifactError::NotFound {
                reference: reference(digest),
                found: format!("neither kept here nor on {}: upload it again", self.topic),
            });
        };
        let mut bytes = BytesMut::new();
        for offset in offsets {
            let page = self.log.read(&self.topic, ONLY, offset, 1).map_err(failed)?;
            let chunk = page.first().filter(|record| record.offset == offset);
            bytes.extend_from_slice(chunk.and_then(|r| r.value.as_deref()).unwrap_or_default());
        }
        let artifact = Artifact::new(bytes.freeze());
        if artifact.digest == *digest {
            return Ok(artifact);
        }
        Err(ArtifactError::Unreadable {
            reference: reference(digest),
            found: format!(
                "{} has other bytes under its name: sha256:{}",
                self.topic,
                artifact.digest.full()
            ),
        })
    }

    fn unreadable(&self, digest: &Digest, error: &LogError) -> ArtifactError {
        ArtifactError::Unreadable {
            reference: reference(digest),
            found: format!("{}: {error}", self.topic),
        }
    }
}

fn reference(digest: &Digest) -> String {
    format!("sha256:{}", digest.full())
}

impl Artifacts for LogArtifacts {
    fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError> {
        if let Some(hex) = reference.strip_prefix("sha256:")
            && let Ok(digest) = Digest::try_from(hex.to_owned())
        {
            return self.get(&digest);
        }
        let artifact = self.own.resolve(reference)?;
        self.share(&artifact)?;
        Ok(artifact)
    }

    fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
        match self.own.get(digest) {
            Ok(artifact) => Ok(artifact),
            Err(_) => {
                let artifact = self.fetch(digest)?;
                self.own.put(artifact.bytes.clone())?;
                Ok(artifact)
            }
        }
    }

    fn put(&self, bytes: Bytes) -> Result<Artifact, ArtifactError> {
        let artifact = self.own.put(bytes)?;
        self.share(&artifact)?;
        Ok(artifact)
    }
}

impl Index {
    fn read_on(&mut self, log: &dyn Log, topic: &TopicName) -> Result<(), LogError> {
        let mut next = match self.next {
            Some(next) => next,
            None => log.bounds(topic, ONLY)?.start,
        };
        loop {
            let page = log.read(topic, ONLY, next, PAGE)?;
            let Some(last) = page.last() else {
                self.next = Some(next);
                return Ok(());
            };
            next = last.offset.next();
            page.iter().for_each(|record| self.note(record));
        }
    }

    fn note(&mut self, record: &Record) {
        let key = std::str::from_utf8(record.key.as_deref().unwrap_or_default()).unwrap_or_default();
        let mut parts = key.split('/');
        let digest = parts.next().and_then(|hex| Digest::try_from(hex.to_owned()).ok());
        let mut number = || parts.next().and_then(|n| n.parse::<u32>().ok());
        let (Some(digest), Some(number), Some(of)) = (digest, number(), number()) else {
            tracing::warn!("{}: not a part of a component, passed", record.coordinates());
            return;
        };
        let chunks = self.chunks.entry(digest).or_default();
        match record.value {
            Some(_) => {
                let offset = record.offset;
                chunks.insert(number, Chunk { offset, of });
            }
            None => {
                chunks.remove(&number);
            }
        }
    }

    /// Where the chunks of a component lie, in order, when all of them are there.
    fn complete(&self, digest: &Digest) -> Option<Vec<Offset>> {
        let chunks = self.chunks.get(digest)?;
        let of = chunks.values().next_back()?.of;
        (0..of)
            .map(|number| chunks.get(&number).filter(|c| c.of == of).map(|c| c.offset))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::log::MemoryLog;

    /// Keeps what it is given, and knows one file.
    #[derive(Default)]
    struct Kept(Mutex<BTreeMap<Digest, Artifact>>);
    impl Artifacts for Kept {
        fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError> {
            self.put(Bytes::copy_from_slice(reference.as_bytes()))
        }
        fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
            let missing = || ArtifactError::NotFound {
                reference: reference(digest),
                found: "nothing".into(),
            };
            self.0.lock().get(digest).cloned().ok_or_else(missing)
        }
        fn put(&self, bytes: Bytes) -> Result<Artifact, ArtifactError> {
            let artifact = Artifact::new(bytes);
            self.0.lock().insert(artifact.digest, artifact.clone());
            Ok(artifact)
        }
    }

    fn two() -> (Arc<MemoryLog>, LogArtifacts, LogArtifacts) {
        let log: Arc<MemoryLog> = Arc::default();
        let pipeline = PipelineName::new("p").expect("a name");
        let one = || LogArtifacts::new(Arc::new(Kept::default()), log.clone(), &pipeline);
        let (first, second) = (one(), one());
        (log, first, second)
    }

    #[test]
    fn what_one_was_given_the_other_finds_by_digest() {
        let (log, first, second) = two();
        for size in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1] {
            let bytes: Bytes = (0..size).map(|n| (n % 251) as u8).collect();
            let put = first.put(bytes.clone()).expect("put");
            assert_eq!(second.get(&put.digest).expect("found").bytes, bytes, "{size} bytes");
        }
        let file = first.resolve("a.wasm").expect("a file");
        assert_eq!(second.get(&file.digest).expect("found").bytes, file.bytes);
        let topic: TopicName = "p.artifacts".parse().expect("a name");
        let before = log.all(&topic, ONLY).len();
        second.put(file.bytes).expect("there already");
        assert_eq!(log.all(&topic, ONLY).len(), before, "nothing is written twice");
        assert!(
            log.all(&topic, ONLY)
                .iter()
                .all(|r| r.value.as_ref().is_some_and(|v| v.len() <= CHUNK))
        );
    }

    #[test]
    fn what_is_not_whole_or_not_itself_is_not_given() {
        let (log, first, second) = two();
        let digest = Digest::of(b"nobody has it");
        assert!(matches!(second.get(&digest), Err(ArtifactError::NotFound { .. })));
        let put = |number: u32, of: u32, value: &'static [u8]| {
            let record = NewRecord {
                topic: "p.artifacts".parse().expect("a name"),
                shard: ONLY,
                timestamp: Timestamp(0),
                key: Some(format!("{}/{number}/{of}", digest.full()).into()),
                value: Some(Bytes::from_static(value)),
                headers: Vec::new(),
            };
            log.append(vec![record]).expect("the fake takes it");
        };
        put(0, 2, b"nobody ");
        assert!(
            matches!(second.get(&digest), Err(ArtifactError::NotFound { .. })),
            "half of it"
        );
        put(1, 2, b"has that");
        assert!(
            matches!(second.get(&digest), Err(ArtifactError::Unreadable { .. })),
            "other bytes"
        );
        put(1, 2, b"has it");
        assert_eq!(first.get(&digest).expect("the last word holds").bytes, "nobody has it");
    }
}
