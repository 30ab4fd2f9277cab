//! The open transaction: what goes into it, and what becomes of it.

use super::chain::{self, ChainEnd, Concluded, Ground, Refuted};
use super::context::MetricChange;
use super::journaling::{self, Chained, Cutover, Frame};
use super::lineage::Work;
use super::{SEQUENCE_KEY, Worker, WorkerError, shard_namespace};
use crate::board::{ShardReport, WorkerEvent};
use fermata_core::ports::{Commit, Committed, Moment, StateChange};
use fermata_core::{CommitId, Shard, StageName, TopicName};
use std::collections::BTreeMap;
use std::time::Duration;

/// Since the last commit.
#[derive(Default)]
pub struct Batch {
    /// Something was appended or must be.
    pub open: bool,
    pub records: usize,
    /// Bytes of the records appended.
    pub bytes: usize,
    /// It ends before the records that were polled do.
    pub full: bool,
    /// A chain's records are among what was appended, not ticks alone.
    pub appended: bool,
    pub refuted: Vec<(Shard, Refuted)>,
}

/// What came of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// `passed`: its first reader emitted.
    Concluded { passed: bool },
    /// It could not conclude, a task is paused, nothing happened.
    Undone,
}

/// A transaction that was handed to the log.
pub struct Sent {
    changes: Vec<StateChange>,
    metrics: Vec<(StageName, MetricChange)>,
    chained: Vec<(Shard, Chained)>,
    cutovers: Vec<Switched>,
    refuted: Vec<(Shard, Refuted)>,
}

/// A cutover on its way into the log.
pub struct Switched {
    pub shard: Shard,
    pub receipt: fermata_core::journal::Receipt,
    pub old: fermata_core::VersionId,
    pub new: fermata_core::VersionId,
    /// When the old version ended (monotonic).
    pub since: Duration,
}

/// What may be shown once a commit is durable.
pub struct Effects {
    pub reports: Vec<(Shard, ShardReport)>,
    pub ended: Vec<(TopicName, i64)>,
    pub metrics: Vec<(StageName, MetricChange)>,
    pub switched: Vec<(Switched, u64)>,
    pub events: Vec<WorkerEvent>,
}

impl Worker {
    /// Runs a chain and appends what it made.
    pub(super) fn run_chain(&mut self, shard: Shard, reader: usize, work: &Work) -> Result<Came, WorkerError> {
        let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
        let ground = Ground {
            instances: &mut self.instances,
            second: &self.second,
            now: self.spec.clock.now(),
        };
        match chain::run(state, reader, work, ground).map_err(WorkerError::Host)? {
            ChainEnd::Concluded(concluded) => {
                let passed = concluded.passed;
                let look = state.tasks.iter().any(|t| t.suspect || t.owes_good);
                self.append(shard, concluded)?;
                if look {
                    self.look_into(shard)?;
                }
                Ok(Came::Concluded { passed })
            }
            ChainEnd::Undone => {
                for task in state.tasks.iter().filter(|t| t.paused.is_some()) {
                    let because = task.paused.clone().unwrap_or_default();
                    tracing::error!(
                        stage = task.wiring.stage.as_str(),
                        shard = shard.0,
                        "task paused: {because}"
                    );
                    let stage = task.wiring.stage.clone();
                    self.spec.board.tell(WorkerEvent::TaskPaused { stage, shard, because });
                }
                self.stale_reports = true;
                self.set_paused();
                Ok(Came::Undone)
            }
        }
    }

    pub(super) fn append(&mut self, shard: Shard, concluded: Concluded) -> Result<(), WorkerError> {
        let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
        state.touched = true;
        self.batch.open = true;
        let first = !std::mem::replace(&mut self.batch.appended, true);
        self.batch
            .refuted
            .extend(concluded.refuted.into_iter().map(|r| (shard, r)));
        for record in concluded.records {
            let end = self.spec.manifest.topics.contains_key(&record.topic)
                && self.spec.manifest.readers(&record.topic).next().is_none();
            if let Some(micros) = end
                .then(|| record.header(fermata_core::names::headers::ROOT_TIME))
                .flatten()
            {
                let state = self.shards.get_mut(&shard).expect("held: checked by the caller");
                state
                    .ended
                    .push((record.topic.clone(), micros.parse().unwrap_or_default()));
            }
            self.batch.bytes += record.size();
            self.session().append(record)?;
        }
        if first {
            self.spec.probe.reached(Moment::Append);
        }
        Ok(())
    }

    /// Ends the open transaction, if there is one: journal, positions and state with everything appended.
    pub(super) fn commit(
        &mut self,
        mut cutovers: BTreeMap<Shard, Vec<(Cutover, Switched)>>,
    ) -> Result<(), WorkerError> {
        if self.unresolved.is_some() {
            return Ok(());
        }
        if !self.batch.open {
            // Records that were only passed wait for the next transaction: read again, they would be passed again.
            self.batch.records = 0;
            self.batch.full = false;
            return Ok(());
        }
        let mut sent = Sent {
            changes: Vec::new(),
            metrics: Vec::new(),
            chained: Vec::new(),
            cutovers: Vec::new(),
            refuted: std::mem::take(&mut self.batch.refuted),
        };
        let mut commit = Commit::default();
        let notes = shard_namespace();
        let at_micros = self.spec.clock.now_micros();
        let loaded = &self.loaded;
        let frame = Frame {
            pipeline: &self.spec.manifest.name,
            epoch: self.directive.epoch,
            engine: &self.spec.engine_name,
            at_micros,
        };
        let mut journals = Vec::new();
        for (shard, state) in self.shards.iter_mut().filter(|(_, s)| s.touched) {
            let (entries, switched): (Vec<_>, Vec<_>) = cutovers.remove(shard).unwrap_or_default().into_iter().unzip();
            sent.cutovers.extend(switched);
            let of = |id: &fermata_core::VersionId| loaded.values().find(|l| l.id() == *id);
            let known = |id: &fermata_core::VersionId| of(id).map(|l| journaling::version_entry(l));
            let (record, chained) = journaling::record(state, &frame, &known, entries);
            journals.push(record);
            let sequence = chained.sequence.0.to_be_bytes();
            sent.chained.push((*shard, chained));
            let positions = state.positions_to_commit();
            commit
                .positions
                .extend(positions.into_iter().map(|(topic, next)| (topic, *shard, next)));
            for task in &mut state.tasks {
                let mut metrics = Vec::new();
                task.drain(&mut sent.changes, &mut metrics);
                sent.metrics
                    .extend(metrics.into_iter().map(|m| (task.wiring.stage.clone(), m)));
            }
            sent.changes.push(StateChange {
                namespace: notes.clone(),
                shard: *shard,
                key: SEQUENCE_KEY.into(),
                value: Some(bytes::Bytes::copy_from_slice(&sequence)),
            });
        }
        for record in journals {
            self.session().append(record)?;
        }
        commit.changes.clone_from(&sent.changes);
        if !sent.cutovers.is_empty() {
            self.spec.probe.reached(Moment::Switch);
        } else if std::mem::take(&mut self.fresh_cutover) {
            self.spec.probe.reached(Moment::FirstCommit);
        }
        self.spec.probe.reached(Moment::Commit);
        let begun = self.spec.clock.elapsed();
        let answer = self.session().commit(commit)?;
        self.pace.committed_in(self.spec.clock.elapsed().saturating_sub(begun));
        match answer {
            Committed::Yes(id) => self.committed(id, sent),
            Committed::No { reason } => {
                tracing::warn!(
                    worker = self.spec.index,
                    "the batch was not committed ({reason}); it is read again"
                );
                self.reset();
                Ok(())
            }
            Committed::Unknown => {
                self.unresolved = Some(sent);
                Ok(())
            }
        }
    }

    /// Asks the log what became of the last transaction. `false`: it still does not say.
    pub(super) fn resolve(&mut self) -> Result<bool, WorkerError> {
        let Some(sent) = self.unresolved.take() else {
            return Ok(true);
        };
        let answer = match self.session().resolve() {
            Ok(answer) => answer,
            Err(error) => {
                self.unresolved = Some(sent);
                return Err(error.into());
            }
        };
        match answer {
            Committed::Yes(id) => self.committed(id, sent).map(|()| true),
            Committed::No { .. } => {
                self.reset();
                Ok(true)
            }
            Committed::Unknown => {
                self.unresolved = Some(sent);
                Ok(false)
            }
        }
    }

    fn committed(&mut self, id: CommitId, sent: Sent) -> Result<(), WorkerError> {
        self.spec.store.apply(id, &sent.changes)?;
        self.batch = Batch::default();
        let elapsed = self.spec.clock.elapsed();
        let pause = |s: &Switched| u64::try_from(elapsed.saturating_sub(s.since).as_micros()).unwrap_or(u64::MAX);
        let mut effects = Effects {
            reports: Vec::new(),
            ended: Vec::new(),
            metrics: sent.metrics,
            switched: sent
                .cutovers
                .into_iter()
                .map(|s| {
                    let p = pause(&s);
                    (s, p)
                })
                .collect(),
            events: Vec::new(),
        };
        for (shard, refuted) in sent.refuted {
            effects.events.push(WorkerEvent::Refuted {
                stage: refuted.stage,
                deployment: refuted.deployment,
                shard,
                identity: refuted.identity,
                fault: refuted.fault.to_string(),
            });
        }
        for (shard, chained) in sent.chained {
            let Some(state) = self.shards.get_mut(&shard) else {
                continue;
            };
            state.journal = chained;
            state.touched = false;
            effects.ended.append(&mut state.ended);
            state.next_due = state.earliest_due()?;
            let report = self.report_of(shard, id, false);
            effects.reports.extend(report.map(|r| (shard, r)));
        }
        self.unpublished.push(id, effects);
        Ok(())
    }

    /// Drops the open batch and goes back to what is committed.
    pub(super) fn abandon(&mut self) -> Result<(), WorkerError> {
        if self.unresolved.is_some() {
            // Its answer decides, not we.
            return Ok(());
        }
        if let Some(session) = self.session.as_deref_mut() {
            session.abort()?;
        }
        self.reset();
        Ok(())
    }

    /// After an abort: overlay and instances go, and every shard is read from its journal again.
    pub(super) fn reset(&mut self) {
        self.batch = Batch::default();
        self.instances.clear();
        self.unrestored.extend(std::mem::take(&mut self.shards).into_keys());
    }
}
