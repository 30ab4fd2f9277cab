//! Coming to rest: quiescent after two equal sweeps, drained when the manifest's condition holds as well.

use super::controller::Controller;
use super::error::ControlError;
use super::quiet::{self, Incomplete};
use super::wire::News;
use fermata_core::control::Fact;
use fermata_core::journal::Counts;
use fermata_core::ports::LogError;
use fermata_core::{Offset, Sequence, Shard};
use std::collections::BTreeMap;

/// How far the pipeline has come to rest while intake is closed.
#[derive(Default)]
pub(super) struct Rest {
    last: Option<quiet::Sweep>,
    pub quiescent: bool,
    /// Why it is not quiescent.
    pub obstacles: Vec<String>,
    /// The shards' sequences when the condition did not hold: asked again only when something has happened since.
    incomplete_at: Option<BTreeMap<Shard, Sequence>>,
    /// Where the others were told that the last sweep was made: what they say of later is another sweep.
    mark: Option<Offset>,
}

impl Rest {
    /// As the leader says.
    pub fn told(quiescent: bool, obstacles: Vec<String>) -> Self {
        Self {
            quiescent,
            obstacles,
            ..Self::default()
        }
    }
    /// A sweep was made, and the others do not know it yet.
    pub fn wants_mark(&self) -> bool {
        self.last.is_some() && self.mark.is_none()
    }
    /// This instance has told of itself, after its last sweep.
    pub fn marked(&mut self, at: Offset) {
        if self.wants_mark() {
            self.mark = Some(at);
        }
    }
    /// Records in quarantine, as of the last sweep.
    fn parked(&self) -> u64 {
        let counts = self.last.iter().flat_map(|sweep| sweep.counts.values());
        counts.map(Counts::in_quarantine).sum()
    }
}

impl Controller {
    pub(super) fn come_to_rest(&mut self) -> Result<(), ControlError> {
        if self.fold.paused.is_none() {
            self.rest = Rest::default();
            return Ok(());
        }
        let Some(drain) = self.fold.draining().cloned() else {
            if !self.rest.quiescent {
                self.sweep()?;
            }
            return Ok(());
        };
        let sequences = self.sweep()?;
        let waited = u64::try_from(self.clock.now().0.saturating_sub(drain.since)).unwrap_or_default();
        if self.rest.quiescent && self.rest.incomplete_at.as_ref() != Some(&sequences) {
            // Nothing ends that is parked.
            let complete = match self.rest.parked() {
                0 => quiet::complete(self.manifest.drain.complete_when.as_ref(), &self.views),
                parked => Err(Incomplete::Found(format!("{parked} records are parked"))),
            };
            match complete {
                Ok(()) => {
                    self.record(vec![News::of(drain.command, Fact::Drained { took_ms: waited })])?;
                    return Ok(());
                }
                Err(Incomplete::Found(_)) => self.rest.incomplete_at = Some(sequences),
                Err(Incomplete::Unanswered(_)) => {}
            }
        }
        if waited >= drain.timeout_ms {
            let blocking = quiet::blocking(&self.manifest, &self.views, &self.rest.obstacles);
            let fact = Fact::NotDrained {
                timeout_ms: drain.timeout_ms,
                blocking,
            };
            self.record(vec![News::of(drain.command, fact)])?;
        }
        Ok(())
    }

    /// Instances that may still take in records, for all that this one knows.
    fn not_heard(&self) -> Vec<String> {
        if !self.nodes.shared() {
            return Vec::new();
        }
        let behind = |epoch: u64| epoch < self.fold.epoch;
        let own = self.board.tenure.obeyed().filter(|epoch| behind(*epoch));
        let live = self.nodes.live();
        let late = live.iter().filter(|heard| behind(heard.report.epoch));
        let late = late.map(|heard| heard.report.node.as_str());
        let late = late.chain(own.map(|_| self.nodes.own.name.as_str()));
        let late = late.map(|node| format!("node {node}: not every worker has answered yet"));
        let silent = self.nodes.silent().into_iter();
        late.chain(silent.map(|node| format!("node {node} is silent")))
            .collect()
    }

    /// Has every other instance looked at its workers since the last sweep was made? Two looks at the same words are
    /// one look, and between two words of different times a record could slip through.
    fn swept_again(&self) -> bool {
        let live = self.nodes.live();
        let since = |mark: Offset| live.iter().all(|heard| heard.report.read_to > mark);
        live.is_empty() || self.rest.mark.is_some_and(since)
    }

    /// One sweep, compared with the one before. Returns the sequences that it saw.
    fn sweep(&mut self) -> Result<BTreeMap<Shard, Sequence>, LogError> {
        let reports = self.nodes.reports();
        let mut sweep = quiet::sweep(&self.manifest, &*self.log, &reports, self.fold.epoch)?;
        sweep.obstacles.extend(self.not_heard());
        let same = self.rest.last.as_ref() == Some(&sweep);
        self.rest.quiescent = same && sweep.obstacles.is_empty() && self.swept_again();
        self.rest.obstacles.clone_from(&sweep.obstacles);
        if !same {
            self.rest.mark = None;
            self.rest.last = Some(sweep);
        }
        Ok(reports
            .iter()
            .map(|(shard, report)| (*shard, report.sequence))
            .collect())
    }
}
