//! Orders to workers: releasing and skipping parked records one order after the other, stages that stand still.

use super::controller::Controller;
use super::error::ControlError;
use super::fold::{Fold, Order};
use super::wire::News;
use crate::board::{Orders, Unpark};
use crate::parked::Wanted;
use crate::views::Views;
use fermata_core::control::{Fact, RecordKey};
use fermata_core::journal::Unparking;
use fermata_core::{Shard, StageName};

/// Keys that a drain's verdict names.
const NAMED: usize = 20;

/// What the facts want of workers beside versions.
pub(super) fn orders(fold: &Fold) -> Orders {
    Orders {
        retries: fold.retries,
        at_fault: fold
            .at_fault
            .iter()
            .map(|(stage, at_fault)| (stage.clone(), at_fault.because.clone()))
            .collect(),
        unpark: fold.orders.front().map(|order| Unpark {
            number: order.number,
            which: order.which.clone(),
            skip: order.skip,
        }),
    }
}

impl Controller {
    /// The order under way is over when every task that it concerns says so.
    pub(super) fn end_unparking(&mut self) -> Result<(), ControlError> {
        while let Some(order) = self.fold.orders.front() {
            let Some(answers) = self.answers(order) else {
                return Ok(());
            };
            let sum = |of: fn(&Unparking) -> u64| answers.iter().map(|(_, _, a)| of(a)).sum();
            let refused = answers.iter().filter(|(_, _, a)| !a.refused.is_empty());
            let fact = Fact::Unparked {
                order: order.number,
                released: sum(|a| a.released),
                skipped: sum(|a| a.skipped),
                keys: sum(|a| a.keys),
                failed: sum(|a| a.failed),
                refused: refused
                    .map(|(shard, stage, a)| format!("stage {stage} on shard {shard}: {}", a.refused))
                    .collect(),
            };
            let command = order.command;
            self.record(vec![News::of(command, fact)])?;
            self.publish_directive();
        }
        Ok(())
    }

    /// What each task has done about the order; `None`: not all of them are through.
    fn answers(&self, order: &Order) -> Option<Vec<(Shard, StageName, Unparking)>> {
        let reports = self.nodes.reports();
        let mut answers = Vec::new();
        for stage in &self.manifest.stages {
            if order.which.stage.as_ref().is_some_and(|only| *only != stage.name) {
                continue;
            }
            for shard in (0..self.manifest.partitions).map(Shard) {
                let said = reports.get(&shard)?.tasks.get(&stage.name)?.unparking.clone();
                if said.order == order.number && said.done {
                    answers.push((shard, stage.name.clone(), said));
                } else if said.order <= order.number {
                    return None;
                }
            }
        }
        Some(answers)
    }
}

/// Parked keys, as a drain that they keep from ending names them.
pub(super) fn blocking(views: &Views) -> Vec<String> {
    let wanted = Wanted {
        limit: NAMED + 1,
        ..Wanted::default()
    };
    let keys = match views.parked(&wanted) {
        Ok(found) => found.queues,
        Err(error) => return vec![error.to_string()],
    };
    let more = keys.len() > NAMED;
    let mut names: Vec<String> = keys
        .iter()
        .take(NAMED)
        .map(|(parked, _)| {
            let key = RecordKey(parked.key.clone());
            let failure = parked.first.failure.as_ref();
            let why = failure.map(|f| format!(" ({})", f.code)).unwrap_or_default();
            format!(
                "key {key} is parked at {} behind {}{why}, {} in all: fermata parked show {key}",
                parked.stage,
                parked.first.place(),
                parked.records
            )
        })
        .collect();
    if more {
        names.push("more keys are parked: fermata parked list".to_owned());
    }
    names
}
