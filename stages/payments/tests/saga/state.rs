//! What the stages keep, as the checks read it.

use std::collections::BTreeMap;

pub use fermata_account::state::{Account, Credit, Debit, Ledger, Position, Status};
use minicbor::Decode;

pub const REMEMBER: i64 = 8 * 86_400_000;

/// validate's counts, by the numbers of their fields.
#[derive(Debug, Clone, Default, Decode)]
pub struct Figures {
    #[n(0)]
    pub accepted: u64,
    #[n(2)]
    pub repeated: u64,
    #[n(3)]
    pub rejected: BTreeMap<String, u64>,
}

pub fn read<T: for<'b> Decode<'b, ()>>(entry: &[u8]) -> T {
    minicbor::decode(entry).expect("state is CBOR")
}
