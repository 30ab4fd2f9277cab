//! The views that a manifest asks for by name: some stage must answer each.

use super::error::Refusal;
use fermata_core::codes;
use fermata_core::description::Description;
use fermata_core::manifest::problem::nearest;
use fermata_core::manifest::{CountSource, InvariantRule, Manifest};

/// A view that the manifest asks for and no stage answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Where the manifest asks for it, key by key.
    pub path: Vec<String>,
    pub view: String,
    /// What may have been meant.
    pub help: String,
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, view) = (self.path.join("."), &self.view);
        write!(
            f,
            "{path} asks for view {view:?}, which no stage answers ({})",
            self.help
        )
    }
}

/// Every view that none of the stages answers, by what their components say of themselves.
pub fn unanswered<'a>(manifest: &Manifest, stages: impl IntoIterator<Item = &'a Description>) -> Vec<Unanswered> {
    let views = stages.into_iter().flat_map(|description| &description.views);
    let known: Vec<&str> = views.map(|view| view.name.as_str()).collect();
    let missing = views_of(manifest).into_iter().filter(|(_, view)| !known.contains(view));
    missing
        .map(|(path, view)| Unanswered {
            path,
            view: view.to_owned(),
            help: match (nearest(view, known.iter().copied()), known.is_empty()) {
                (Some(name), _) => format!("did you mean {name:?}?"),
                (None, true) => "the stages answer none at all".to_owned(),
                (None, false) => format!("the stages answer: {}", known.join(", ")),
            },
        })
        .collect()
}

/// Refuses a candidate with which a view would go that the manifest asks for. `others`: the other stages, as they run;
/// `live`: what the stage says of itself now.
pub(super) fn keeps<'a>(
    manifest: &Manifest,
    live: Option<&Description>,
    candidate: &'a Description,
    others: impl Iterator<Item = &'a Description>,
) -> Result<(), Refusal> {
    let missing = unanswered(manifest, others.chain([candidate]));
    let goes = |missing: &&Unanswered| live.is_some_and(|live| live.view(&missing.view).is_some());
    match missing.iter().find(goes) {
        None => Ok(()),
        Some(missing) => {
            let because = format!("with {} {}, {missing}", candidate.name, candidate.version);
            Err(Refusal::new(codes::MANIFEST_REFERENCE, because))
        }
    }
}

fn views_of(manifest: &Manifest) -> Vec<(Vec<String>, &str)> {
    let path = |steps: &[&str]| steps.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let mut all = Vec::new();
    if let Some(condition) = &manifest.drain.complete_when {
        all.push((path(&["drain", "complete-when", "view"]), condition.at.view.as_str()));
    }
    if let Some(field) = &manifest.drain.blocking {
        all.push((path(&["drain", "blocking", "view"]), field.view.as_str()));
    }
    if let Some(view) = &manifest.search {
        all.push((path(&["search", "view"]), view));
    }
    for (i, invariant) in manifest.invariants.iter().enumerate() {
        if let InvariantRule::Each { at, .. } = &invariant.rule {
            all.push((path(&["invariant", &i.to_string(), "view"]), at.view.as_str()));
        }
    }
    for (i, count) in manifest.summary.iter().enumerate() {
        if let CountSource::View(field) = &count.source {
            all.push((path(&["summary", &i.to_string(), "count"]), field.view.as_str()));
        }
    }
    all
}
