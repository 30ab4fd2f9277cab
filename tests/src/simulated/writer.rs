//! Commits of state beside a simulated log that keeps a changelog, as a worker's, one shard at a time.

use super::Simulated;
use fermata_core::{
    CommitId, Offset, PipelineName, Sequence, Shard, TopicName, changelog, names,
    ports::{Commit, Committed, Log, Namespace, Polled, Session, SessionSpec, StateChange, TopicSpec},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The one member of its group.
pub struct Writer {
    session: Box<dyn Session>,
    input: TopicName,
    /// The journal's: what the next commit of each shard builds on.
    pub sequences: BTreeMap<Shard, Sequence>,
}

/// A commit as its maker knows it.
#[derive(Clone, Debug)]
pub struct Made {
    pub id: CommitId,
    /// The sequence's note included.
    pub changes: Vec<StateChange>,
}

impl Writer {
    /// Makes the changelog, and takes all shards.
    pub fn new(log: &Simulated, pipeline: &PipelineName, partitions: u32) -> Self {
        log.keep_changelog(pipeline);
        let input = TopicName::new("input").expect("a valid name");
        let topics = [names::changelog(pipeline), input.clone()].map(|name| TopicSpec { name, partitions });
        log.ensure(&topics).expect("topics can be made");
        let spec = SessionSpec {
            group: "writer".into(),
            member: "writer".into(),
            topics: vec![input.clone()],
            partitions,
        };
        let mut session = log.join(spec).expect("the writer joins");
        let polled = session.poll(Duration::ZERO, 1).expect("a poll");
        assert!(matches!(polled, Polled::Assigned(_)), "{polled:?}");
        Self {
            session,
            input,
            sequences: BTreeMap::new(),
        }
    }

    pub fn sequence(&self, shard: Shard) -> Sequence {
        self.sequences.get(&shard).copied().unwrap_or_default()
    }

    /// Commits changes of one shard, and notes its sequence.
    pub fn commit(&mut self, shard: Shard, mut changes: Vec<StateChange>) -> Made {
        let sequence = self.sequence(shard).next();
        changes.push(note(shard, sequence));
        let batch = Commit {
            positions: vec![(self.input.clone(), shard, Offset(sequence.0))],
            changes: changes.clone(),
        };
        let committed = self.session.commit(batch).expect("a commit");
        let Committed::Yes(id) = committed else {
            panic!("expected the commit to succeed, got {committed:?}")
        };
        self.sequences.insert(shard, sequence);
        Made { id, changes }
    }
}

/// What a commit notes of a shard.
pub fn note(shard: Shard, sequence: Sequence) -> StateChange {
    StateChange {
        namespace: changelog::shard_namespace(),
        shard,
        key: changelog::SEQUENCE_KEY.into(),
        value: Some(sequence.0.to_be_bytes().to_vec().into()),
    }
}

/// An entry of a shard, written or deleted.
pub fn entry(namespace: &Arc<Namespace>, shard: Shard, key: &str, value: Option<&str>) -> StateChange {
    StateChange {
        namespace: Arc::clone(namespace),
        shard,
        key: key.to_owned().into(),
        value: value.map(|v| v.to_owned().into()),
    }
}
