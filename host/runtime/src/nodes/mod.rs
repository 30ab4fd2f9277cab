//! The instances that share a pipeline, as each tells of itself: what all workers together do, and who holds what.

pub mod report;
#[cfg(test)]
mod tests;

use crate::board::{Board, ShardReport};
use fermata_core::names::Purpose;
use fermata_core::ports::{Clock, TopicSpec};
use fermata_core::{Offset, PipelineName, Record, Shard};
use parking_lot::Mutex;
use report::NodeReport;
pub use report::NodeState;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// An instance tells of itself at least so often, also when nothing happens.
pub const EVERY: Duration = Duration::from_secs(1);
/// And at most so often.
pub const AT_MOST: Duration = Duration::from_millis(50);
/// Not heard of for so long, an instance is silent: nothing is promoted without its word.
pub const SILENT: Duration = Duration::from_secs(3);
/// The workers of an instance that could not tell of itself for so long stand still...
pub const LEASE: Duration = Duration::from_secs(6);
/// ... and when it was not heard of for so long, it is gone for the others: they decide without it. The difference
/// is room for clocks that go apart, and for a commit that was under way.
pub const GONE: Duration = Duration::from_secs(12);

/// Topics that exist only where several instances share the log.
pub fn topics(pipeline: &PipelineName) -> Vec<TopicSpec> {
    let one = |purpose: Purpose| TopicSpec {
        name: purpose.topic(pipeline),
        partitions: 1,
    };
    Purpose::SHARED.into_iter().map(one).collect()
}

/// One instance, as its configuration names it.
#[derive(Clone)]
pub struct NodeSpec {
    /// Stable across restarts: names of members in the group, and transactional ids, come from it.
    pub name: String,
    /// URL under which other instances reach its API.
    pub address: Option<String>,
    /// Of Fermata.
    pub version: String,
    /// Other instances may run on the same log.
    pub shared: bool,
    /// Shards whose state it follows without holding them, and how many changes of each it has still to read.
    pub standby: Arc<dyn Fn() -> BTreeMap<Shard, u64> + Send + Sync>,
}

impl NodeSpec {
    /// The only instance of its log.
    pub fn alone() -> Self {
        Self {
            name: "local".to_owned(),
            address: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            shared: false,
            standby: Arc::new(BTreeMap::new),
        }
    }
    /// One of several.
    pub fn named(name: impl Into<String>, address: Option<String>) -> Self {
        Self {
            name: name.into(),
            address,
            shared: true,
            ..Self::alone()
        }
    }
}

/// The last word of another instance.
#[derive(Clone, Debug)]
pub struct Heard {
    pub report: Arc<NodeReport>,
    /// When it was read here (monotonic).
    pub at: Duration,
    pub offset: Offset,
}

/// Who holds a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    Here,
    There { node: String, address: Option<String> },
}

/// What is known of all instances; shared by the controller, the views and the API of one of them.
pub struct Nodes {
    pub own: NodeSpec,
    pub incarnation: Uuid,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    others: Mutex<BTreeMap<String, Heard>>,
    /// The last word of this one.
    said: Mutex<Option<Arc<NodeReport>>>,
}

impl Nodes {
    pub fn new(own: NodeSpec, board: Arc<Board>, clock: Arc<dyn Clock>) -> Self {
        Self {
            own,
            incarnation: Uuid::now_v7(),
            board,
            clock,
            others: Mutex::default(),
            said: Mutex::default(),
        }
    }

    pub fn shared(&self) -> bool {
        self.own.shared
    }

    /// A record of the nodes topic was read.
    pub fn hear(&self, record: &Record) {
        let name = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
        if record.value.is_none() {
            self.others.lock().remove(&name);
            return;
        }
        let Some(report) = NodeReport::read(record) else {
            return;
        };
        if report.incarnation == self.incarnation {
            // What was said under this name before is of a process that has ended.
            self.others.lock().remove(&name);
            return;
        }
        let heard = Heard {
            report: Arc::new(report),
            at: self.clock.elapsed(),
            offset: record.offset,
        };
        self.others.lock().insert(name, heard);
    }

    /// This instance has told of itself.
    pub fn say(&self, report: Arc<NodeReport>) {
        *self.said.lock() = Some(report);
    }

    /// The last word of this one, if it ever told.
    pub fn said(&self) -> Option<Arc<NodeReport>> {
        self.said.lock().clone()
    }

    /// All other instances whose last word is still known, by name, and for how long each has said nothing.
    pub fn known(&self) -> Vec<(Heard, Duration)> {
        let now = self.clock.elapsed();
        let others = self.others.lock();
        let age = |heard: &Heard| now.saturating_sub(heard.at);
        others.values().map(|heard| (heard.clone(), age(heard))).collect()
    }

    /// Those that are not gone.
    pub fn live(&self) -> Vec<Heard> {
        let known = self.known().into_iter().filter(|(_, age)| *age < GONE);
        known.map(|(heard, _)| heard).collect()
    }

    /// Those that are not gone and have said nothing for too long to promote anything without them.
    pub fn silent(&self) -> Vec<String> {
        let silent = |age: &Duration| (SILENT..GONE).contains(age);
        let known = self.known().into_iter().filter(|(_, age)| silent(age));
        known.map(|(heard, _)| heard.report.node.clone()).collect()
    }

    /// What is said of each shard: where two tell of one, the one that has seen more of its journal, and of equals the
    /// one that knows fewer facts.
    pub fn reports(&self) -> BTreeMap<Shard, ShardReport> {
        let mut all = self.board.reports();
        if !self.shared() {
            return all;
        }
        for heard in self.live() {
            for (shard, theirs) in &heard.report.shards {
                let known = all.get(shard);
                if known.is_none_or(|known| rank(theirs) > rank(known)) {
                    all.insert(*shard, theirs.clone());
                }
            }
        }
        all
    }

    /// Who processes each shard, as far as it is known.
    pub fn owners(&self) -> BTreeMap<Shard, Owner> {
        let own = self.board.reports();
        let mut ranks: BTreeMap<Shard, Rank> = own.iter().map(|(shard, report)| (*shard, rank(report))).collect();
        let mut owners: BTreeMap<Shard, Owner> = own.into_keys().map(|shard| (shard, Owner::Here)).collect();
        if !self.shared() {
            return owners;
        }
        for heard in self.live() {
            for (shard, theirs) in &heard.report.shards {
                let theirs = rank(theirs);
                if ranks.get(shard).is_none_or(|known| theirs > *known) {
                    ranks.insert(*shard, theirs);
                    let (node, address) = (heard.report.node.clone(), heard.report.address.clone());
                    owners.insert(*shard, Owner::There { node, address });
                }
            }
        }
        owners
    }

    /// Does an instance that is not gone say that it leads with this term?
    pub fn someone_leads(&self, term: u64) -> bool {
        let mut live = self.live().into_iter();
        live.any(|heard| heard.report.leads.as_ref().is_some_and(|leads| leads.term == term))
    }
}

type Rank = (u64, std::cmp::Reverse<u64>, std::cmp::Reverse<bool>);

fn rank(report: &ShardReport) -> Rank {
    use std::cmp::Reverse;
    (report.sequence.0, Reverse(report.epoch), Reverse(report.idle))
}
