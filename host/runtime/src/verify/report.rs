//! What verification found.

use std::collections::BTreeSet;

use serde::Serialize;

/// The answer of [`super::verify`].
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// No problem was found. What could not be compared at all is in `limited`.
    pub ok: bool,
    pub problems: Vec<Problem>,
    /// Problems found beyond those listed.
    pub unlisted: u64,
    /// Comparisons that were impossible, and why.
    pub limited: Vec<String>,
    pub figures: Figures,
}

/// One difference: where, what was expected and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub check: Check,
    pub what: String,
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Sequences without gap, each record naming the hash of the one before.
    JournalChain,
    /// Where a task ended is where it goes on; every record below its position was passed.
    Positions,
    /// A task's version changes only with a receipt, and every receipt fits what is around it.
    Receipts,
    /// Every record that a stage wrote carries the host's headers, and they are true.
    Headers,
    /// No record twice.
    Duplicates,
    /// Fused inputs of the journal and done marks of the records are the same set.
    Fusion,
    /// Number of records that the topics hold of each task, and the hash over them.
    Outputs,
    /// Number of dead letters of each task.
    DeadLetters,
    /// The manifest's own invariants.
    Invariants,
    /// The journal executed again gives the same bytes.
    Replay,
}

impl Check {
    pub fn name(self) -> &'static str {
        match self {
            Self::JournalChain => "journal-chain",
            Self::Positions => "positions",
            Self::Receipts => "receipts",
            Self::Headers => "headers",
            Self::Duplicates => "duplicates",
            Self::Fusion => "fusion",
            Self::Outputs => "outputs",
            Self::DeadLetters => "dead-letters",
            Self::Invariants => "invariants",
            Self::Replay => "replay",
        }
    }
}

/// How much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    pub shards: u32,
    pub journal_records: u64,
    pub receipts: u64,
    /// Records of data topics, ticks and dead letters that belong to the cut.
    pub records: u64,
    pub dead_letters: u64,
    /// Records in quarantine at the cut.
    pub parked: u64,
    /// Fused inputs matched with their records.
    pub fused: u64,
    /// Records that came after the cut: they are for the next verification.
    pub later: u64,
    /// Everything taken in has come to its end, as the manifest's `drain` defines it.
    pub drained: bool,
    pub invariants: u64,
    /// Records and timers executed again.
    pub replayed: u64,
}

/// Problems listed at most; the rest is counted.
const LISTED: usize = 100;

/// Collects while checks run.
#[derive(Default)]
pub struct Findings {
    problems: Vec<Problem>,
    unlisted: u64,
    limited: BTreeSet<String>,
    pub figures: Figures,
}

impl Findings {
    pub fn problem(&mut self, check: Check, what: impl Into<String>) {
        if self.problems.len() < LISTED {
            self.problems.push(Problem {
                check,
                what: what.into(),
            });
        } else {
            self.unlisted += 1;
        }
    }

    /// A comparison that cannot be made; said once.
    pub fn limited(&mut self, what: impl Into<String>) {
        self.limited.insert(what.into());
    }

    pub fn report(self) -> Report {
        Report {
            ok: self.problems.is_empty(),
            problems: self.problems,
            unlisted: self.unlisted,
            limited: self.limited.into_iter().collect(),
            figures: self.figures,
        }
    }
}
