//! What the stages keep, as the checks read it.

use std::collections::BTreeMap;

pub use fermata_account::state::{Account, Credit, Debit, Ledger, Position, Status};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub const REMEMBER: i64 = 8 * 86_400_000;

/// validate's counts.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Figures {
    pub accepted: u64,
    pub repeated: u64,
    pub rejected: BTreeMap<String, u64>,
}

pub fn read<T: DeserializeOwned>(entry: &[u8]) -> T {
    serde_json::from_slice(entry).expect("state is JSON")
}
