//! What a topic is for.

use fermata_core::names::Purpose;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Written from outside, read by stages: often somebody else's.
    Source,
    /// Written and read by stages.
    Internal,
    /// Written by stages for others.
    End,
    /// Kept by the host.
    Own(Purpose),
    /// State of all stages, and of the host.
    Changelog,
    /// What `fermata doctor` writes to and reads back.
    Probe,
}

impl Kind {
    /// Topics that exist for the pipeline alone.
    pub fn ours(self) -> bool {
        !matches!(self, Self::Source | Self::End)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Internal => "internal",
            Self::End => "end",
            Self::Own(Purpose::DeadLetters) => "dead letters",
            Self::Own(purpose) => purpose.suffix(),
            Self::Changelog => "changelog",
            Self::Probe => "probe",
        })
    }
}
