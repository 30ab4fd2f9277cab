//! What the author of a Fermata validator writes against.
//!
//! A validator is one `impl Validator` and one `export!(MyValidator);` line. It sees each record that a stage is about
//! to get, and says whether it may pass. It can call nothing: what it must know of earlier records of the same key is
//! in the memo, which the host hands in and keeps. Guest memory may be dropped between any two records.

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;

use serde::de::DeserializeOwned;

/// A record header; values are bytes, and may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// The record in question. No value: a tombstone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// Code: kebab-case; the host puts the validator's name before it. Reason: for people.
    Reject {
        code: &'static str,
        reason: String,
    },
}

/// Bytes kept for a record's key, at most `memo-bytes` of the manifest. None: nothing is kept.
pub type Memo = Option<Vec<u8>>;

pub trait Validator: Sized + Send + 'static {
    /// From the manifest's `config`.
    type Config: DeserializeOwned;

    /// Once for each instance. The error refuses the configuration.
    fn init(config: Self::Config) -> Result<Self, String>;

    /// The verdict, and what to keep for the key. A record without a key has no memo, and gets none.
    fn validate(&self, record: &Record, memo: Memo) -> (Verdict, Memo);
}

/// `V` from the JSON text of its configuration.
pub fn init<V: Validator>(config: &str) -> Result<V, String> {
    let config = serde_json::from_str(config).map_err(|error| format!("config: {error}"))?;
    V::init(config)
}

/// Exports a [`Validator`] as a component of world `validator`. Natively it expands to nothing.
#[macro_export]
macro_rules! export {
    ($validator:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::guest::Guest<$validator>;
    $crate::guest::world::export_validator_world!(Exported with_types_in $crate::guest::world);
        };
    };
}
