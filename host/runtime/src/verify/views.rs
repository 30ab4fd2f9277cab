//! What verification asks of views.

use std::collections::BTreeMap;

use fermata_core::{Sequence, Shard};
use serde_json::Value;

/// Answers of a pipeline's views over committed state. The error says why there is none, for people.
pub trait ViewSource {
    /// Each shard's own part of the answer, before any merging.
    fn parts(&self, view: &str) -> Result<BTreeMap<Shard, Part>, String>;
    /// The merged answer.
    fn whole(&self, view: &str) -> Result<Whole, String>;
}

/// One shard's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub data: Value,
    /// Journal sequence of the state that was asked.
    pub sequence: Sequence,
}

/// All shards' answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    pub data: Value,
    pub positions: BTreeMap<Shard, Sequence>,
    /// A shard did not answer.
    pub partial: bool,
}
