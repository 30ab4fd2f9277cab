//! The parts of a view from where their shards are held.

use super::failure::ViewFailure;
use super::peers::{Part, PeerError, Question, Reply};
use super::{Ask, Views, parked, sequence};
use crate::nodes::Owner;
use fermata_core::Shard;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Another instance gets so long.
const WITHIN: Duration = Duration::from_secs(2);

/// What each shard is asked for.
pub(super) struct Asked<'a> {
    /// How other instances know it.
    pub view: &'a str,
    /// Whose shard's part alone will do: without it there is no answer.
    pub key: Option<&'a str>,
    pub params: &'a Value,
    /// The part of a shard whose state is here.
    pub own: &'a dyn Fn(Shard) -> Result<Part, ViewFailure>,
}

#[derive(Default)]
pub(super) struct Gathered {
    pub parts: BTreeMap<Shard, Part>,
    /// Shards whose part nobody gave.
    pub missing: Vec<Shard>,
    /// The part of a shard may be behind: nobody holds it at present.
    pub behind: bool,
    /// By whom.
    pub owners: BTreeMap<Shard, String>,
}

impl Views {
    /// What another instance asked for. Of shards that are not held here it gets nothing.
    pub fn parts(&self, question: &Question) -> Reply {
        match self.own_parts(question) {
            Ok(parts) => Reply::Parts(parts),
            Err(failure) => Reply::Refused((&failure).into()),
        }
    }

    fn own_parts(&self, question: &Question) -> Result<Vec<(Shard, Part)>, ViewFailure> {
        if question.view == parked::NAME {
            return self.parked_parts(question);
        }
        let (commit, ask) = self.ask(&question.view, question.key.as_deref(), &question.params)?;
        let held = self.board.reports();
        let asked = question.shards.iter().filter(|shard| held.contains_key(shard));
        let parts = asked.map(|shard| Ok((*shard, ask.whole_part(*shard)?)));
        let parts = parts.collect::<Result<_, ViewFailure>>()?;
        self.wait(commit)?;
        Ok(parts)
    }

    pub(super) fn gather(&self, asked: &Asked<'_>, shards: Vec<Shard>) -> Result<Gathered, ViewFailure> {
        let mut gathered = Gathered::default();
        let owners = self.nodes.owners();
        let mut there: BTreeMap<(String, String), Vec<Shard>> = BTreeMap::new();
        for shard in shards {
            match owners.get(&shard) {
                Some(Owner::Here) => self.own(asked, shard, &mut gathered)?,
                None if !self.among_others() => {
                    // All state is here, but nobody brings it up to date.
                    gathered.behind = true;
                    self.own(asked, shard, &mut gathered)?;
                }
                Some(Owner::There {
                    node,
                    address: Some(address),
                }) => there.entry((node.clone(), address.clone())).or_default().push(shard),
                Some(Owner::There { address: None, .. }) | None => gathered.missing.push(shard),
            }
        }
        let why = self.ask_others(asked, there, &mut gathered)?;
        gathered.missing.sort();
        match (asked.key, gathered.missing.first()) {
            (Some(_), Some(shard)) => Err(ViewFailure::NoOwner {
                view: asked.view.to_owned(),
                shard: *shard,
                found: why.unwrap_or_else(|| "no instance holds it at present".to_owned()),
            }),
            _ => Ok(gathered),
        }
    }

    fn own(&self, asked: &Asked<'_>, shard: Shard, gathered: &mut Gathered) -> Result<(), ViewFailure> {
        gathered.parts.insert(shard, (asked.own)(shard)?);
        gathered.owners.insert(shard, self.nodes.own.name.clone());
        Ok(())
    }

    /// All at once. Returns why one of them gave nothing, if one did.
    fn ask_others(
        &self,
        asked: &Asked<'_>,
        there: BTreeMap<(String, String), Vec<Shard>>,
        gathered: &mut Gathered,
    ) -> Result<Option<String>, ViewFailure> {
        let view = asked.view;
        let question = |shards: &[Shard]| Question {
            view: view.to_owned(),
            key: asked.key.map(str::to_owned),
            params: asked.params.clone(),
            shards: shards.to_vec(),
        };
        let answers: Vec<(String, Vec<Shard>, Result<Reply, PeerError>)> = std::thread::scope(|scope| {
            let asked: Vec<_> = there
                .into_iter()
                .map(|((node, address), shards)| {
                    let (peers, question) = (&self.peers, question(&shards));
                    let answer = scope.spawn(move || peers.ask(&address, &question, WITHIN));
                    (node, shards, answer)
                })
                .collect();
            let fetched = asked.into_iter().map(|(node, shards, answer)| {
                let panicked = |_| Err(PeerError("the question ended in a panic of the host".to_owned()));
                (node, shards, answer.join().unwrap_or_else(panicked))
            });
            fetched.collect()
        });
        let mut why = None;
        for (node, shards, answer) in answers {
            let parts = match answer {
                Ok(Reply::Parts(parts)) => parts,
                Ok(Reply::Refused(said)) => return Err(said.failure(view, &node)),
                Err(error) => {
                    tracing::debug!("view {view}: node {node}: {error}");
                    why = Some(format!("node {node}: {error}"));
                    Vec::new()
                }
            };
            for (shard, part) in parts.into_iter().filter(|(shard, _)| shards.contains(shard)) {
                gathered.parts.insert(shard, part);
                gathered.owners.insert(shard, node.clone());
            }
            let missing = shards.iter().filter(|shard| !gathered.parts.contains_key(shard));
            let missing: Vec<Shard> = missing.copied().collect();
            gathered.missing.extend(missing);
        }
        Ok(why)
    }
}

impl Ask<'_> {
    pub(super) fn whole_part(&self, shard: Shard) -> Result<Part, ViewFailure> {
        Ok(Part {
            sequence: sequence(&*self.state, shard)?,
            text: self.part(shard)?,
        })
    }
}
