//! What validators keep for the keys of records: host-owned state of the task, written and undone with the record.

use super::overlay::Overlay;
use bytes::Bytes;
use fermata_core::ports::{Namespace, StateError, StateRead};
use fermata_core::{Shard, StageName, ValidatorName, names};
use prost::Message;
use std::sync::Arc;

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
    pub fn get(&self, overlay: &Overlay, validator: &ValidatorName, key: &[u8]) -> Result<Option<Bytes>, StateError> {
        let kept = overlay.get(self.state, self.namespace, self.shard, &entry(validator, key))?;
        let decode = |value: Bytes| {
            Memo::decode(value).map(|memo| memo.bytes).map_err(|error| StateError {
                namespace: format!("{}/{}", self.namespace.stage, self.namespace.store),
                doing: "decoded",
                found: format!("a memo of validator {validator}: {error}"),
            })
        };
        kept.map(decode).transpose()
    }

    pub fn set(&self, overlay: &mut Overlay, validator: &ValidatorName, key: &[u8], memo: Option<Bytes>) {
        let value = memo.map(|bytes| Memo { bytes }.encode_to_vec().into());
        overlay.write(self.namespace, &entry(validator, key), value);
    }
}

/// No name holds a zero byte, so that no two validators share an entry.
fn entry(validator: &ValidatorName, key: &[u8]) -> Vec<u8> {
    [validator.as_str().as_bytes(), &[0], key].concat()
}
