//! Views: named read-only queries, answered from committed state by the live version of the stage that declares them.
//!
//! An answer belongs to one snapshot and is given only when that snapshot would survive a power cut. Views run on
//! their own instances: a slow or broken one costs no record anything.
//!
//! Where several instances share a pipeline, each shard is asked where it is held ([`Peers`]), so that any of them
//! gives the same answer.

mod failure;
mod gather;
mod host;
mod parked;
mod peers;
mod pool;
#[cfg(test)]
mod tests;

pub use failure::ViewFailure;
pub use parked::ParkedAnswer;
pub use peers::{NoPeers, Part, PeerError, Peers, Question, Reply, Said};

use crate::board::{Board, StageDirective};
use crate::nodes::{NodeSpec, Nodes};
use crate::worker::context::{Stores, random_for};
use fermata_core::description::{ViewDecl, ViewScope};
use fermata_core::journal::JournalRecord;
use fermata_core::manifest::Manifest;
use fermata_core::manifest::problem::nearest;
use fermata_core::names::Purpose;
use fermata_core::partition::shard_of;
use fermata_core::ports::{HostCalls, Log, StateRead, StateStore, SystemClock};
use fermata_core::{CommitId, Identity, Sequence, Shard, StageName, Timestamp};
use gather::Asked;
use host::{Source, ViewHost};
use pool::Pool;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// An answer waits at most this long for its snapshot to be on disk.
const DURABLE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    pub data: Value,
    /// Journal sequence of each shard that was asked, as of the snapshot.
    pub positions: BTreeMap<Shard, Sequence>,
    /// A shard that was asked has no owner at present: its part is behind, or missing.
    pub partial: bool,
    /// Shards without a part in it.
    #[serde(skip)]
    pub missing: Vec<Shard>,
    /// The instance that answered for each shard.
    #[serde(skip)]
    pub owners: BTreeMap<Shard, String>,
}

pub struct Views {
    manifest: Arc<Manifest>,
    log: Arc<dyn Log>,
    store: Arc<dyn StateStore>,
    board: Arc<Board>,
    nodes: Arc<Nodes>,
    peers: Arc<dyn Peers>,
    pool: Pool,
}

impl Views {
    /// Of the only instance of a log.
    pub fn new(manifest: Arc<Manifest>, log: Arc<dyn Log>, store: Arc<dyn StateStore>, board: Arc<Board>) -> Self {
        let clock = Arc::new(SystemClock::default());
        let nodes = Arc::new(Nodes::new(NodeSpec::alone(), board.clone(), clock));
        Self::among(manifest, log, store, board, nodes, Arc::new(NoPeers))
    }

    /// Of one of several instances.
    pub fn among(
        manifest: Arc<Manifest>,
        log: Arc<dyn Log>,
        store: Arc<dyn StateStore>,
        board: Arc<Board>,
        nodes: Arc<Nodes>,
        peers: Arc<dyn Peers>,
    ) -> Self {
        Self {
            manifest,
            log,
            store,
            board,
            nodes,
            peers,
            pool: Pool::default(),
        }
    }

    /// May shards be held elsewhere?
    pub(crate) fn among_others(&self) -> bool {
        self.nodes.shared()
    }

    /// Every view of the live versions, in the manifest's order of stages.
    pub fn list(&self) -> Vec<(StageName, ViewDecl)> {
        let directive = self.board.directive();
        let stages = self
            .manifest
            .stages
            .iter()
            .filter_map(|s| directive.stages.get_key_value(&s.name));
        stages
            .flat_map(|(name, stage)| {
                stage
                    .version
                    .description()
                    .views
                    .iter()
                    .map(|v| (name.clone(), v.clone()))
            })
            .collect()
    }

    /// `key`: for a view of one shard, the key whose shard is asked; the component finds it in the parameters as
    /// `key`. `params`: a JSON object; null is an empty one.
    pub fn query(&self, view: &str, key: Option<&str>, params: Value) -> Result<Answer, ViewFailure> {
        let (answer, commit) = self.answer(view, key, &params)?;
        self.wait(commit)?;
        Ok(answer)
    }

    /// The parts of a view of all shards, before they are merged, with the journal sequence of each.
    pub fn shard_answers(&self, view: &str, params: Value) -> Result<Vec<(Shard, Sequence, Value)>, ViewFailure> {
        let (commit, ask) = self.ask(view, None, &params)?;
        let gathered = self.gather(
            &ask.of_shards(None, &params, &|shard| ask.whole_part(shard)),
            self.shards().collect(),
        )?;
        if let Some(missing) = gathered.missing.first() {
            return Err(ViewFailure::NoOwner {
                view: view.to_owned(),
                shard: *missing,
                found: "no instance that answers holds it".to_owned(),
            });
        }
        let parts = gathered.parts.into_iter();
        let parts = parts.map(|(shard, part)| Ok((shard, part.sequence, ask.parsed(&part.text)?)));
        let parts = parts.collect::<Result<_, ViewFailure>>()?;
        self.wait(commit)?;
        Ok(parts)
    }

    /// The answer, and the commit that must be durable before anybody outside may see it.
    pub(crate) fn answer(
        &self,
        view: &str,
        key: Option<&str>,
        params: &Value,
    ) -> Result<(Answer, CommitId), ViewFailure> {
        let (commit, ask) = self.ask(view, key, params)?;
        let shards: Vec<Shard> = match key {
            Some(key) => vec![shard_of(key.as_bytes(), self.manifest.partitions)],
            None => self.shards().collect(),
        };
        let gathered = self.gather(&ask.of_shards(key, params, &|shard| ask.whole_part(shard)), shards)?;
        let positions = gathered.parts.iter().map(|(shard, part)| (*shard, part.sequence));
        let positions = positions.collect();
        let shards: Vec<Shard> = gathered.parts.keys().copied().collect();
        let mut texts = gathered.parts.into_values().map(|part| part.text);
        let text = match key {
            Some(_) => texts.next().unwrap_or_default(),
            None => ask.merge(texts.collect(), &shards)?,
        };
        let answer = Answer {
            data: ask.parsed(&text)?,
            positions,
            partial: gathered.behind || !gathered.missing.is_empty(),
            missing: gathered.missing,
            owners: gathered.owners,
        };
        Ok((answer, commit))
    }

    fn ask<'a>(&'a self, view: &'a str, key: Option<&str>, params: &Value) -> Result<(CommitId, Ask<'a>), ViewFailure> {
        let directive = self.board.directive();
        self.pool
            .keep_only(|(stage, version)| directive.stages.get(stage).is_some_and(|s| s.version.id() == *version));
        let stages = self
            .manifest
            .stages
            .iter()
            .filter_map(|s| directive.stages.get_key_value(&s.name));
        let declared = stages
            .clone()
            .find_map(|(name, s)| Some((name, s, s.version.description().view(view)?)));
        let Some((name, stage, declaration)) = declared else {
            let names = stages.flat_map(|(_, s)| s.version.description().views.iter().map(|v| v.name.as_str()));
            let hint = nearest(view, names)
                .map(|n| format!(" (did you mean {n:?}?)"))
                .unwrap_or_default();
            return Err(ViewFailure::NoSuchView {
                view: view.into(),
                hint,
            });
        };
        let params = parameters(view, declaration.scope, key, params)?;
        let (commit, state) = self.store.snapshot()?;
        let stores = Arc::new(Stores::new(name, stage.version.description()));
        Ok((
            commit,
            Ask {
                views: self,
                view,
                stage: name.clone(),
                running: stage.clone(),
                params,
                state,
                stores,
            },
        ))
    }

    fn wait(&self, commit: CommitId) -> Result<(), ViewFailure> {
        if self.log.wait_durable(commit, DURABLE_WITHIN)? {
            return Ok(());
        }
        let waited_ms = u64::try_from(DURABLE_WITHIN.as_millis()).unwrap_or(u64::MAX);
        Err(ViewFailure::NotDurable { waited_ms })
    }

    fn shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.manifest.partitions).map(Shard)
    }
}

/// One question to one version over one snapshot.
struct Ask<'a> {
    views: &'a Views,
    view: &'a str,
    stage: StageName,
    running: StageDirective,
    params: String,
    state: Arc<dyn StateRead>,
    stores: Arc<Stores>,
}

impl Ask<'_> {
    fn of_shards<'a>(
        &'a self,
        key: Option<&'a str>,
        params: &'a Value,
        own: &'a dyn Fn(Shard) -> Result<Part, ViewFailure>,
    ) -> Asked<'a> {
        let view = self.view;
        Asked { view, key, params, own }
    }

    fn part(&self, shard: Shard) -> Result<String, ViewFailure> {
        let now = self.now(shard)?;
        let source = || Source {
            state: self.state.clone(),
            stores: self.stores.clone(),
            shard,
        };
        self.call(
            now,
            || Some(source()),
            |instance, host| instance.query(self.view, &self.params, host),
        )
    }

    fn merge(&self, parts: Vec<String>, shards: &[Shard]) -> Result<String, ViewFailure> {
        let mut now = Timestamp(0);
        for shard in shards {
            now = now.max(self.now(*shard)?);
        }
        self.call(
            now,
            || None,
            |instance, host| instance.merge(self.view, &self.params, parts.clone(), host),
        )
    }

    fn call(
        &self,
        now: Timestamp,
        source: impl Fn() -> Option<Source>,
        call: impl Fn(
            &mut dyn fermata_core::ports::Instance,
            Box<dyn HostCalls>,
        ) -> fermata_core::ports::Called<Result<String, fermata_core::ports::ViewError>>,
    ) -> Result<String, ViewFailure> {
        let asked = pool::Asked {
            stage: &self.stage,
            version: &self.running.version,
            view: self.view,
        };
        let id = format!("view:{}", self.view);
        let random = random_for(&self.views.manifest.name, &self.stage, &Identity::from_header(&id));
        let host = || -> Box<dyn HostCalls> {
            Box::new(ViewHost {
                id: id.clone(),
                now,
                random: random.clone(),
                lines: 0,
                source: source(),
            })
        };
        self.views.pool.call(&asked, host, call)
    }

    /// The last tick that the task has processed.
    fn now(&self, shard: Shard) -> Result<Timestamp, ViewFailure> {
        let journal = Purpose::Journal.topic(&self.views.manifest.name);
        let last = self.views.log.last(&journal, shard)?;
        let record = last.and_then(|r| JournalRecord::decode_bytes(r.value.as_deref().unwrap_or_default()).ok());
        Ok(Timestamp(
            record.and_then(|r| Some(r.task(&self.stage)?.now)).unwrap_or_default(),
        ))
    }

    fn parsed(&self, text: &str) -> Result<Value, ViewFailure> {
        serde_json::from_str(text).map_err(|error| {
            let found = format!("an answer that is not JSON: {error}");
            let fault = fermata_core::Fault::new(fermata_core::FaultCode::Contract, found);
            ViewFailure::Fault {
                view: self.view.into(),
                stage: self.stage.clone(),
                fault,
            }
        })
    }
}

/// JSON text of the parameters, with the key where the view takes one.
fn parameters(view: &str, scope: ViewScope, key: Option<&str>, params: &Value) -> Result<String, ViewFailure> {
    let bad = |found: String| {
        Err(ViewFailure::BadParams {
            view: view.into(),
            found,
        })
    };
    let mut object = match params {
        Value::Null => serde_json::Map::new(),
        Value::Object(object) => object.clone(),
        other => return bad(format!("parameters are a JSON object, found {other}")),
    };
    match (scope, key) {
        (ViewScope::OneShard, None) => return bad("it answers for one key: ask for view/KEY".into()),
        (ViewScope::AllShards, Some(key)) => return bad(format!("it answers for all keys, not for {key:?}")),
        (ViewScope::OneShard, Some(key)) => {
            object.insert("key".into(), key.into());
        }
        (ViewScope::AllShards, None) => {}
    }
    Ok(Value::Object(object).to_string())
}

/// The shard's journal sequence as of the snapshot.
fn sequence(state: &dyn StateRead, shard: Shard) -> Result<Sequence, ViewFailure> {
    let noted = state.get(&crate::worker::shard_namespace(), shard, crate::worker::SEQUENCE_KEY)?;
    let bytes = noted.and_then(|n| <[u8; 8]>::try_from(n.as_ref()).ok());
    Ok(Sequence(bytes.map(u64::from_be_bytes).unwrap_or_default()))
}
