//! How entries of a store are written.

use minicbor::{Decode, Encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// From an entry of a [`Table`](crate::Table) to its bytes and back.
pub trait Format<T> {
    fn write(entry: &T) -> Vec<u8>;

    /// The error says why the bytes are no such entry.
    fn read(bytes: &[u8]) -> Result<T, String>;
}

/// JSON with named fields: for people to read, and for stages whose state is small.
#[derive(Debug, Clone, Copy)]
pub enum Json {}

impl<T: Serialize + DeserializeOwned> Format<T> for Json {
    fn write(entry: &T) -> Vec<u8> {
        serde_json::to_vec(entry).expect("an entry is plain data with string keys")
    }

    fn read(bytes: &[u8]) -> Result<T, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

/// CBOR (RFC 8949) with numbered fields, by the derives of `minicbor`: several times cheaper to read and to write.
/// Two versions of one schema share it as long as numbers are never used again: unknown fields are passed over, and
/// missing ones are `None` or, with `#[cbor(default)]`, the default.
#[derive(Debug, Clone, Copy)]
pub enum Cbor {}

/// Most entries fit, and so are written without growing.
const ROOM: usize = 128;

impl<T: Encode<()> + for<'b> Decode<'b, ()>> Format<T> for Cbor {
    fn write(entry: &T) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ROOM);
        minicbor::encode(entry, &mut bytes).expect("memory takes all that is written");
        bytes
    }

    fn read(bytes: &[u8]) -> Result<T, String> {
        minicbor::decode(bytes).map_err(|error| error.to_string())
    }
}
