//! What validators keep for the keys of records: host-owned state of the task, written and undone with the record.
//!
//! Whoever only reports has memos apart from those of whoever enforces: it may be passed over when its wall time runs
//! out, which no replay could know of, so nothing that decides about a record may ever rest on what it kept.
//!
//! Memos outlive the validator's place in the manifest. Going back to a version that had it must find what it knew, and
//! there is no moment after which nobody may go back.

use super::overlay::Overlay;
use bytes::Bytes;
use fermata_core::ports::{Namespace, StateError, StateRead};
use fermata_core::validation::{Mode, Policy};
use fermata_core::{Shard, StageName, names};
use prost::Message;
use std::sync::Arc;

/// What the entries of validators that only report begin with.
pub const REPORTED: &str = "report:";

/// As kept. Absent: the validator's last answer for the key had none.
#[derive(Clone, PartialEq, Message)]
struct Memo {
    #[prost(bytes = "bytes", tag = "1")]
    bytes: Bytes,
}

/// Where the memos of all validators of a stage are kept.
pub fn namespace(stage: &StageName) -> Arc<Namespace> {
    Arc::new(Namespace {
        stage: stage.clone(),
        store: names::stores::MEMOS.into(),
        schema: 1,
    })
}

pub struct Memos<'a> {
    pub namespace: &'a Arc<Namespace>,
    pub state: &'a dyn StateRead,
    pub shard: Shard,
}

impl Memos<'_> {
    pub fn get(&self, overlay: &Overlay, policy: &Policy, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let kept = overlay.get(self.state, self.namespace, self.shard, &entry(policy, key))?;
        let decode = |value: Bytes| {
            Memo::decode(value).map(|memo| memo.bytes).map_err(|error| StateError {
                namespace: format!("{}/{}", self.namespace.stage, self.namespace.store),
                doing: "decoded",
                found: format!("a memo of validator {}: {error}", policy.name),
            })
        };
        kept.map(decode).transpose()
    }

    pub fn set(&self, overlay: &mut Overlay, policy: &Policy, key: &[u8], memo: Option<Bytes>) {
        let value = memo.map(|bytes| Memo { bytes }.encode_to_vec().into());
        overlay.write(self.namespace, &entry(policy, key), value);
    }
}

/// No name holds a zero byte or a colon, so that no two validators share an entry.
fn entry(policy: &Policy, key: &[u8]) -> Vec<u8> {
    let apart = match policy.mode {
        Mode::Report => REPORTED,
        Mode::Enforce => "",
    };
    [apart.as_bytes(), policy.name.as_str().as_bytes(), &[0], key].concat()
}
