//! Parked records of all shards: each is asked for where it is held, as the parts of a view are.

use super::failure::ViewFailure;
use super::gather::Asked;
use super::peers::{Part, Question};
use super::{Views, sequence};
use crate::parked::{ParkedKey, Wanted, queues};
use crate::worker::quarantine::Parked;
use fermata_core::control::RecordKey;
use fermata_core::ports::StateRead;
use fermata_core::{Shard, StageName};
use prost::Message;
use serde::{Deserialize, Serialize};

/// How instances ask each other for it, in the place of a view's name.
pub(super) const NAME: &str = "fermata:parked";

/// What was found, by stage, shard and key.
#[derive(Clone, Debug)]
pub struct ParkedAnswer {
    /// Each queue with its first records.
    pub queues: Vec<(ParkedKey, Vec<Parked>)>,
    /// A shard's part is behind or missing.
    pub partial: bool,
    /// Shards without a part in it.
    pub missing: Vec<Shard>,
}

/// A queue on its way from another instance.
#[derive(Serialize, Deserialize)]
struct Queue {
    stage: StageName,
    key: RecordKey,
    records: u64,
    /// Its first records, as they are kept.
    first: Vec<RecordKey>,
}

impl Views {
    /// What is parked, on all shards; what is shown is durable.
    pub fn parked(&self, wanted: &Wanted) -> Result<ParkedAnswer, ViewFailure> {
        let (commit, state) = self.store.snapshot()?;
        let gathered = self.gather(
            &Asked {
                view: NAME,
                key: None,
                params: &serde_json::to_value(wanted).expect("texts and a number"),
                own: &|shard| self.parked_on(shard, wanted, &*state),
            },
            self.shards().collect(),
        )?;
        let mut found = Vec::new();
        for (shard, part) in &gathered.parts {
            found.extend(read(*shard, &part.text)?);
        }
        let order = |stage: &StageName| self.manifest.stages.iter().position(|s| s.name == *stage);
        found.sort_by(|(a, _), (b, _)| (order(&a.stage), a.shard, &a.key).cmp(&(order(&b.stage), b.shard, &b.key)));
        if wanted.key.is_none() {
            found.truncate(wanted.limit);
        }
        self.wait(commit)?;
        Ok(ParkedAnswer {
            queues: found,
            partial: gathered.behind || !gathered.missing.is_empty(),
            missing: gathered.missing,
        })
    }

    /// Another instance asks.
    pub(super) fn parked_parts(&self, question: &Question) -> Result<Vec<(Shard, Part)>, ViewFailure> {
        let wanted: Wanted = serde_json::from_value(question.params.clone()).map_err(|e| unreadable(&e))?;
        let (commit, state) = self.store.snapshot()?;
        let held = self.board.reports();
        let asked = question.shards.iter().filter(|shard| held.contains_key(shard));
        let parts = asked.map(|shard| Ok((*shard, self.parked_on(*shard, &wanted, &*state)?)));
        let parts = parts.collect::<Result<_, ViewFailure>>()?;
        self.wait(commit)?;
        Ok(parts)
    }

    fn parked_on(&self, shard: Shard, wanted: &Wanted, state: &dyn StateRead) -> Result<Part, ViewFailure> {
        let found = queues(state, &self.manifest, shard, wanted)?.into_iter();
        let found: Vec<Queue> = found
            .map(|(queue, records)| Queue {
                stage: queue.stage,
                key: RecordKey(queue.key),
                records: queue.records,
                first: records.iter().map(|r| RecordKey(r.encode_to_vec().into())).collect(),
            })
            .collect();
        Ok(Part {
            sequence: sequence(state, shard)?,
            text: serde_json::to_string(&found).expect("texts and numbers"),
        })
    }
}

fn read(shard: Shard, text: &str) -> Result<Vec<(ParkedKey, Vec<Parked>)>, ViewFailure> {
    let queues: Vec<Queue> = serde_json::from_str(text).map_err(|e| unreadable(&e))?;
    let mut all = Vec::with_capacity(queues.len());
    for queue in queues {
        let records = queue.first.iter().map(|record| Parked::decode(&*record.0));
        let records = records.collect::<Result<Vec<_>, _>>().map_err(|e| unreadable(&e))?;
        let Some(first) = records.first().cloned() else {
            continue;
        };
        let summary = ParkedKey {
            stage: queue.stage,
            shard,
            key: queue.key.0,
            records: queue.records,
            first,
        };
        all.push((summary, records));
    }
    Ok(all)
}

fn unreadable(error: &dyn std::fmt::Display) -> ViewFailure {
    ViewFailure::BadParams {
        view: NAME.to_owned(),
        found: format!("another instance is of another version: {error}"),
    }
}
