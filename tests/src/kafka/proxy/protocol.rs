//! As much of Kafka's protocol as the proxy reads: frames, and the first fields of their headers.
//! <https://kafka.apache.org/protocol>

use std::io::{self, Read};

/// Kinds of requests, by their key in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub enum Api {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    ApiVersions = 18,
    CreateTopics = 19,
    InitProducerId = 22,
    AddPartitionsToTxn = 24,
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    TxnOffsetCommit = 28,
}

/// More than any broker of the tests accepts.
const LARGEST: usize = 200 << 20;

/// One request or answer, with the four bytes of its length.
pub struct Frame(Vec<u8>);

impl Frame {
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut bytes = vec![0; 4];
        from.read_exact(&mut bytes)?;
        let length = u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
        if length > LARGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "this is not Kafka's protocol",
            ));
        }
        bytes.resize(4 + length, 0);
        from.read_exact(&mut bytes[4..])?;
        Ok(Self(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Of a request: its kind's key.
    pub fn key(&self) -> Option<i16> {
        let key = self.0.get(4..6)?;
        Some(i16::from_be_bytes(key.try_into().ok()?))
    }

    /// Of a request: what its answer begins with.
    pub fn correlation(&self) -> Option<i32> {
        let id = self.0.get(8..12)?;
        Some(i32::from_be_bytes(id.try_into().ok()?))
    }

    /// Of an answer: which request it belongs to.
    pub fn answered(&self) -> Option<i32> {
        let id = self.0.get(4..8)?;
        Some(i32::from_be_bytes(id.try_into().ok()?))
    }
}
