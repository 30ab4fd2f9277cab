//! What a vanished member left open. Its transaction hides what comes behind it, journals and facts too, until the brokers
//! time it out, which takes them up to twenty seconds. So whoever gets its shards initialises its transactional ids, and
//! that ends the transaction at once.
//!
//! Who held a shard before is written beside its positions ([`super::token`]). One that is in the group is left alone:
//! it ends what it has open by itself, or commits nothing any more. One that is not, and lives all the same, is fenced,
//! and joins again.

use super::token;
use crate::ends::Asker;
use crate::health::Reporting;
use crate::lanes::Lanes;
use crate::shared::Shared;
use crate::{Place, convert, settings};
use fermata_core::Shard;
use fermata_core::names::Purpose;
use fermata_core::ports::LogError;
use rdkafka::consumer::Consumer;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Whoever appends has its record shown within a few milliseconds: what hides it for longer was left.
const LEFT: Duration = Duration::from_millis(500);

/// Nobody waits for it: a shard that is hidden is looked at again until it is not.
pub(super) fn release(shared: &Arc<Shared>, group: &str, own: &str, places: Vec<Place>) {
    let (shared, group, own) = (shared.clone(), group.to_owned(), own.to_owned());
    let work = move || {
        if let Err(error) = Release::new(&shared, &group, &own).and_then(|release| release.run(&places)) {
            tracing::debug!("what a vanished member left is left to its time-out: {error}");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("fermata-release".into()).spawn(work) {
        tracing::debug!("what a vanished member left is left to its time-out: {error}");
    }
}

struct Release<'a> {
    shared: &'a Shared,
    group: &'a str,
    own: &'a str,
    asker: Asker,
}

impl<'a> Release<'a> {
    fn new(shared: &'a Shared, group: &'a str, own: &'a str) -> Result<Self, LogError> {
        // What reads uncommitted is also told of positions on which a transaction is open.
        let mut config = settings::asker(&shared.options, false);
        config.set("group.id", group);
        let asker = config
            .create_with_context(Reporting(shared.health.clone()))
            .map_err(|e| settings::making("the client for positions", &e, &shared.health))?;
        Ok(Self {
            shared,
            group,
            own,
            asker,
        })
    }

    fn run(&self, places: &[Place]) -> Result<(), LogError> {
        let held = self.last_holders(places)?;
        let members = self.members()?;
        let alive = |name: &String| *name == self.own || members.iter().any(|id| is_of(id, name));
        let gone: BTreeSet<String> = held.into_iter().filter(|name| !alive(name)).collect();
        for name in &gone {
            // It may have come back meanwhile.
            if self.members()?.iter().any(|id| is_of(id, name)) {
                continue;
            }
            tracing::info!("{name} is in the group no more: what it left open is ended");
            drop(Lanes::open(self.shared, name, false)?);
        }
        // Those whose every worker is gone may have left something among the facts as well.
        let nodes: BTreeSet<&str> = gone.iter().filter_map(|name| Some(name.rsplit_once('.')?.0)).collect();
        let left = nodes
            .into_iter()
            .filter(|node| !members.iter().any(|id| id.starts_with(&format!("{node}."))));
        for node in left {
            if self.is_hidden(Purpose::Nodes)? || self.is_hidden(Purpose::Status)? {
                drop(Lanes::open(self.shared, &crate::appender::member(node), true)?);
            }
        }
        Ok(())
    }

    /// Who committed the positions of these.
    fn last_holders(&self, places: &[Place]) -> Result<BTreeSet<String>, LogError> {
        let list = convert::places(places.iter().map(|(topic, shard)| (topic, *shard, None)));
        let answer = self.asker.committed_offsets(list, self.shared.options.answer_within);
        let answer = answer.map_err(|e| self.shared.explain("asking who held the shards", &e))?;
        let tokens: Vec<String> = answer.elements().iter().map(|e| e.metadata().to_owned()).collect();
        Ok(tokens
            .iter()
            .filter_map(|t| token::member(t))
            .map(str::to_owned)
            .collect())
    }

    /// Identifiers of those that are in the group.
    fn members(&self) -> Result<Vec<String>, LogError> {
        let within = self.shared.options.answer_within;
        let list = self.asker.client().fetch_group_list(Some(self.group), within);
        let list = list.map_err(|e| self.shared.explain("asking who is in the group", &e))?;
        let members = list.groups().iter().flat_map(|g| g.members());
        Ok(members.map(|m| m.id().to_owned()).collect())
    }

    /// Does the same transaction hide the end of this topic for longer than an append takes?
    fn is_hidden(&self, purpose: Purpose) -> Result<bool, LogError> {
        let topic = purpose.topic(&self.shared.options.pipeline);
        let look = || self.shared.ends.bounds(&topic, Shard(0));
        let before = look()?;
        if before.end >= before.high {
            return Ok(false);
        }
        std::thread::sleep(LEFT);
        Ok(look()?.end == before.end)
    }
}

/// Brokers name a static member after its own name, and add a UUID.
fn is_of(id: &str, name: &str) -> bool {
    let rest = id.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|uuid| uuid.len() == 36)
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn a_static_member_is_known_by_its_name() {
        let uuid = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
        assert!(is_of(&format!("node-1.0-{uuid}"), "node-1.0"));
        assert!(!is_of(&format!("node-1.0-{uuid}"), "node"));
        assert!(!is_of(&format!("node-1.10-{uuid}"), "node-1.1"));
        assert!(!is_of("node-1.0", "node-1.0"));
    }
}
