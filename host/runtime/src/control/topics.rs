//! Topics that were deleted and made anew under their names. Positions and state belong to the old ones, and going on in
//! the new ones would pass over records without a word: so the leader records what the log calls each topic, and every
//! instance holds that against what it finds, before its workers restore anything and again and again.

use super::controller::{Controller, Role};
use super::error::ControlError;
use super::wire::News;
use fermata_core::TopicName;
use fermata_core::control::Fact;
use fermata_core::manifest::Manifest;
use fermata_core::names::{self, Purpose};
use std::collections::BTreeSet;
use std::time::Duration;

/// Between two looks, each of which is a request.
const EVERY: Duration = Duration::from_secs(2);

impl Controller {
    pub(super) fn look_at_topics(&mut self) -> Result<(), ControlError> {
        let now = self.clock.elapsed();
        let fresh = |(at, term): (Duration, u64)| now.saturating_sub(at) < EVERY && term == self.term;
        if self.company.looked_at_topics.is_some_and(fresh) {
            return Ok(());
        }
        let mut found = self.log.identities(&kept(&self.manifest))?;
        let anew = found.iter().find_map(|(topic, found)| {
            let known = self.fold.topics.get(topic).filter(|known| *known != found)?;
            Some((topic.clone(), known.clone(), found.clone()))
        });
        if let Some((topic, known, found)) = anew {
            return Err(ControlError::Anew { topic, known, found });
        }
        self.company.looked_at_topics = Some((now, self.term));
        if self.role == Role::Follows {
            return Ok(());
        }
        // One that is missing at this moment is not forgotten.
        for topic in kept(&self.manifest) {
            if let Some(known) = self.fold.topics.get(&topic) {
                found.entry(topic).or_insert_with(|| known.clone());
            }
        }
        if found == self.fold.topics {
            return Ok(());
        }
        self.record(vec![News::of(None, Fact::Topics { identities: found })])
    }
}

/// Topics of which a position, or what was made of their records, outlives the process.
fn kept(manifest: &Manifest) -> Vec<TopicName> {
    let inputs = manifest.stages.iter().flat_map(|stage| &stage.inputs);
    let read = inputs.map(|(_, topic)| topic.clone());
    let changed = [names::changelog(&manifest.name)];
    let own = [Purpose::Control, Purpose::Status, Purpose::Journal, Purpose::Ticks];
    let own = own.into_iter().map(|purpose| purpose.topic(&manifest.name));
    let all: BTreeSet<TopicName> = read.chain(changed).chain(own).collect();
    all.into_iter().collect()
}
