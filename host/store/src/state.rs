//! Committed state of the embedded log: reads as of now, snapshots, copies.

use crate::{
    commit::Work,
    embedded::Embedded,
    layout,
    stores::{Picture, error},
};
use bytes::Bytes;
use fermata_core::{
    CommitId, Shard,
    ports::{Namespace, StateChange, StateError, StateRead, StateStore},
};
use fjall::Readable;
use std::sync::Arc;

impl StateRead for Embedded {
    fn get(&self, namespace: &Namespace, shard: Shard, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        self.shared.state.get(namespace, shard, key)
    }

    fn scan(
        &self,
        namespace: &Namespace,
        shard: Shard,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StateError> {
        self.picture().scan(namespace, shard, prefix, after, limit)
    }
}

impl Embedded {
    fn picture(&self) -> Picture {
        self.shared.state.picture()
    }
}

impl StateStore for Embedded {
    /// The changes were in the commit's own batch: only the number is checked.
    fn apply(&self, id: CommitId, changes: &[StateChange]) -> Result<(), StateError> {
        let last = self.shared.durability.committed();
        if id.0 <= last {
            return Ok(());
        }
        Err(StateError {
            namespace: changes
                .first()
                .map_or_else(|| "every stage".into(), |c| layout::shown(&c.namespace)),
            doing: "applied",
            found: format!("commit {id} was never made (the last is {last})"),
        })
    }

    fn snapshot(&self) -> Result<(CommitId, Arc<dyn StateRead>), StateError> {
        let failed = |found: String| StateError {
            namespace: "every stage".into(),
            doing: "pictured",
            found,
        };
        let checked = self.shared.durability.check();
        checked.map_err(|found| failed(found.to_string()))?;
        let picture = self.picture();
        // The number lies in the picture itself: no lock is needed for the two to agree.
        let last = picture.snapshot.get(&self.shared.meta, layout::COMMIT);
        let last = last.map_err(|found| failed(found.to_string()))?;
        let last = last.map_or(Some(0), |value| layout::parse_u64(&value));
        let last = last.ok_or_else(|| failed("the number of the last commit is damaged".into()))?;
        Ok((CommitId(last), Arc::new(picture)))
    }

    /// What `to` held of the shard is replaced. The entries are those of one moment; they arrive in several commits.
    fn fork(&self, from: &Namespace, to: &Namespace, shard: Shard) -> Result<u64, StateError> {
        self.picture().copy(from, to, shard, |changes| {
            let work = Work {
                changes,
                ..Work::default()
            };
            let written = self.shared.write(self.shared.writer.lock(), work);
            written.map(drop).map_err(error(to, "written"))
        })
    }
}
