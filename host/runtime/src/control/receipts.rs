//! Receipts of cutovers, found in the journals: the proof that facts only announce.

use super::deployment::Deployment;
use fermata_core::control::DeploymentState;
use fermata_core::journal::{JournalRecord, Receipt, VersionEntry};
use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::ports::{Log, LogError};
use fermata_core::{Offset, Sequence, Shard, StageName, TopicName, VersionId};
use serde::Serialize;
use std::collections::BTreeMap;

const PAGE: usize = 256;
/// Clocks may step back a little between a fact and a commit.
const SLACK_MICROS: i64 = 2_000_000;

/// One task's cutover, as its journal has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskReceipt {
    pub deployment: u64,
    pub stage: StageName,
    pub shard: Shard,
    pub old: VersionId,
    pub new: VersionId,
    /// Where the old version ended and the new one began: next offset of each input.
    pub positions: BTreeMap<TopicName, Offset>,
    pub pause_micros: u64,
    /// With the wait for the sync; unknown when the process ended in between.
    pub synced_micros: Option<u64>,
    pub migrated: u64,
    pub rollback: bool,
    /// Microseconds since the Unix epoch.
    pub at_micros: i64,
    /// Records that the task had processed before the cutover.
    pub processed_before: u64,
    /// Journal record of the shard that carries it, and where that record lies.
    pub sequence: Sequence,
    pub offset: Offset,
}

/// The receipts of a deployment that facts have announced, those of going back included.
pub fn announced(log: &dyn Log, manifest: &Manifest, deployment: &Deployment) -> Result<Vec<TaskReceipt>, LogError> {
    let journal = Purpose::Journal.topic(&manifest.name);
    let mut found = Vec::new();
    for shard in (0..manifest.partitions).map(Shard) {
        let wanted = usize::from(deployment.switched.contains_key(&shard))
            + usize::from(deployment.returned.contains_key(&shard));
        if wanted == 0 {
            continue;
        }
        let search = Search {
            log,
            journal: &journal,
            shard,
            deployment,
        };
        let mut here = search.forward(search.begin()?, Some(wanted))?;
        if here.len() < wanted {
            // The clock was set back since: only reading all of it will do.
            here = search.forward(log.bounds(&journal, shard)?.start, Some(wanted))?;
        }
        found.append(&mut here);
    }
    Ok(found)
}

/// Which part of the journals is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    SinceThePause,
    /// The clock may have been set back since.
    Everywhere,
}

/// All receipts of a deployment, announced or not: after a restart the journals know more than the facts.
pub fn all(
    log: &dyn Log,
    manifest: &Manifest,
    deployment: &Deployment,
    place: Where,
) -> Result<Vec<TaskReceipt>, LogError> {
    let journal = Purpose::Journal.topic(&manifest.name);
    let mut found = Vec::new();
    for shard in (0..manifest.partitions).map(Shard) {
        let search = Search {
            log,
            journal: &journal,
            shard,
            deployment,
        };
        let from = match place {
            Where::SinceThePause => search.begin()?,
            Where::Everywhere => log.bounds(&journal, shard)?.start,
        };
        found.append(&mut search.forward(from, None)?);
    }
    Ok(found)
}

/// Versions, with their configurations, that the receipts of a deployment name.
pub(super) fn versions(
    log: &dyn Log,
    manifest: &Manifest,
    deployment: &Deployment,
) -> Result<Vec<VersionEntry>, LogError> {
    let journal = Purpose::Journal.topic(&manifest.name);
    let Some(shard) = deployment.switched.keys().next().copied() else {
        return Ok(Vec::new());
    };
    let search = Search {
        log,
        journal: &journal,
        shard,
        deployment,
    };
    let Some(receipt) = search.forward(search.begin()?, Some(1))?.pop() else {
        return Ok(Vec::new());
    };
    let page = log.read(&journal, shard, receipt.offset, 1)?;
    Ok(page
        .first()
        .and_then(|r| decode(r.value.as_deref()))
        .map(|r| r.versions)
        .unwrap_or_default())
}

struct Search<'a> {
    log: &'a dyn Log,
    journal: &'a TopicName,
    shard: Shard,
    deployment: &'a Deployment,
}

impl Search<'_> {
    /// No receipt lies before it.
    fn begin(&self) -> Result<Offset, LogError> {
        let since = self.deployment.reached(DeploymentState::Pausing).unwrap_or_default();
        self.first_since(since.saturating_mul(1_000) - SLACK_MICROS)
    }

    /// By bisection: an offset before which all records are older than `micros`.
    fn first_since(&self, micros: i64) -> Result<Offset, LogError> {
        let bounds = self.log.bounds(self.journal, self.shard)?;
        let (mut low, mut high) = (bounds.start.0, bounds.end.0);
        while low < high {
            let middle = low + (high - low) / 2;
            let page = self.log.read(self.journal, self.shard, Offset(middle), 1)?;
            let older = page
                .first()
                .and_then(|r| Some((r.offset.0, decode(r.value.as_deref())?)));
            match older.filter(|(_, record)| record.at_micros < micros) {
                Some((offset, _)) => low = offset + 1,
                None => high = middle,
            }
        }
        Ok(Offset(low))
    }

    /// Reads on until `wanted` receipts are found, or to the end.
    fn forward(&self, from: Offset, wanted: Option<usize>) -> Result<Vec<TaskReceipt>, LogError> {
        let (mut next, mut found) = (from, Vec::new());
        loop {
            let page = self.log.read(self.journal, self.shard, next, PAGE)?;
            let Some(last) = page.last() else { return Ok(found) };
            next = last.offset.next();
            for raw in &page {
                let Some(record) = decode(raw.value.as_deref()) else {
                    continue;
                };
                found.extend(
                    record
                        .receipts
                        .iter()
                        .filter_map(|r| self.receipt(raw.offset, &record, r)),
                );
            }
            if wanted.is_some_and(|wanted| found.len() >= wanted) {
                return Ok(found);
            }
        }
    }

    fn receipt(&self, offset: Offset, record: &JournalRecord, receipt: &Receipt) -> Option<TaskReceipt> {
        let deployment = self.deployment;
        if receipt.deployment != deployment.number || receipt.stage != deployment.stage.as_str() {
            return None;
        }
        let positions = receipt.positions.iter();
        let announced = deployment.cutovers(receipt.rollback).get(&self.shard);
        Some(TaskReceipt {
            deployment: receipt.deployment,
            stage: deployment.stage.clone(),
            shard: self.shard,
            old: record.version(receipt.old)?,
            new: record.version(receipt.new)?,
            positions: positions
                .filter_map(|p| Some((TopicName::new(&p.topic).ok()?, Offset(p.next))))
                .collect(),
            pause_micros: receipt.pause_micros,
            synced_micros: announced.and_then(|a| a.synced_micros),
            migrated: receipt.migrated,
            rollback: receipt.rollback,
            at_micros: receipt.at_micros,
            processed_before: receipt.processed_before,
            sequence: record.sequence(),
            offset,
        })
    }
}

fn decode(value: Option<&[u8]>) -> Option<JournalRecord> {
    JournalRecord::decode_bytes(value.unwrap_or_default()).ok()
}
