//! The invariant `ends-once`: what begins ends at most once, and exactly once when all is drained.

use std::collections::{BTreeMap, HashMap};

use fermata_core::manifest::{InvariantRule, Manifest};
use fermata_core::{Digest, Offset, Record, Shard, TopicName};

use super::report::{Check, Findings};

/// A place in the topics of the rule: cheaper than coordinates as text, of which there are millions.
#[derive(Clone, Copy)]
struct Place {
    /// Index in `ends_in`; of a beginning: unused.
    topic: u16,
    shard: Shard,
    offset: Offset,
}

#[derive(Clone, Copy, Default)]
struct Key {
    begun: Option<Place>,
    ended: Option<Place>,
    again: Option<Place>,
}

/// The keys of one rule, by the first half of their SHA-256.
pub struct Ends {
    of: TopicName,
    ends_in: Vec<TopicName>,
    keys: HashMap<[u8; 16], Key>,
    /// Records of `of` without a key: nothing can be said of them.
    keyless: u64,
}

impl Ends {
    /// One for each rule of the manifest, by the invariant's name.
    pub fn all(manifest: &Manifest) -> BTreeMap<String, Self> {
        manifest
            .invariants
            .iter()
            .filter_map(|invariant| match &invariant.rule {
                InvariantRule::EndsOnce { of, ends_in } => Some((
                    invariant.name.clone(),
                    Self {
                        of: of.clone(),
                        ends_in: ends_in.clone(),
                        keys: HashMap::new(),
                        keyless: 0,
                    },
                )),
                InvariantRule::Each { .. } => None,
            })
            .collect()
    }

    pub fn record(&mut self, record: &Record) {
        let ends_in = self.ends_in.iter().position(|topic| *topic == record.topic);
        if ends_in.is_none() && record.topic != self.of {
            return;
        }
        let Some(key) = &record.key else {
            self.keyless += 1;
            return;
        };
        let mut short = [0; 16];
        short.copy_from_slice(&Digest::of(key).0[..16]);
        let entry = self.keys.entry(short).or_default();
        let place = |topic: usize| {
            Some(Place {
                topic: topic as u16,
                shard: record.shard,
                offset: record.offset,
            })
        };
        if record.topic == self.of {
            entry.begun = entry.begun.or(place(0));
        }
        if let Some(topic) = ends_in {
            let slot = if entry.ended.is_none() {
                &mut entry.ended
            } else {
                &mut entry.again
            };
            *slot = place(topic);
        }
    }

    /// `all`: everything begun must have ended.
    pub fn check(&self, name: &str, all: bool, findings: &mut Findings) {
        if self.keyless > 0 {
            findings.limited(format!(
                "invariant {name}: {} records without a key are not followed",
                self.keyless
            ));
        }
        let mut wrong: Vec<(Shard, Offset, String)> = Vec::new();
        for key in self.keys.values() {
            let Some(begun) = key.begun else { continue };
            let what = match (key.ended, key.again) {
                (Some(first), Some(again)) => {
                    format!("ended twice, at {} and {}", self.end(first), self.end(again))
                }
                (None, _) if all => "never ended, though the pipeline is drained".into(),
                _ => continue,
            };
            let key = format!("the key of {}/{}/{} {what}", self.of, begun.shard, begun.offset);
            wrong.push((begun.shard, begun.offset, key));
        }
        wrong.sort();
        for (_, _, what) in wrong {
            findings.problem(Check::Invariants, format!("{name}: {what}"));
        }
    }

    fn end(&self, place: Place) -> String {
        format!(
            "{}/{}/{}",
            self.ends_in[usize::from(place.topic)],
            place.shard,
            place.offset
        )
    }
}
