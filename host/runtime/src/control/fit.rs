//! Does a component fit its place: the ports that the manifest wires, the stores that are there already?

use super::error::Refusal;
use fermata_core::StageName;
use fermata_core::codes;
use fermata_core::description::{Description, Port};
use fermata_core::manifest::Stage;
use fermata_core::manifest::problem::nearest;

/// A port of a stage, wired or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Input(String),
    Output(String),
}

/// A port that the manifest and the component do not agree about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    pub place: Place,
    pub because: String,
}

/// Every wired port exists, and every output leads somewhere.
pub fn ports(stage: &Stage, description: &Description) -> Result<(), Refusal> {
    match misfits(stage, description).into_iter().next() {
        None => Ok(()),
        Some(misfit) => Err(Refusal::new(codes::MANIFEST_PORT, misfit.because)),
    }
}

/// Every port for which [`ports`] refuses a component.
pub fn misfits(stage: &Stage, description: &Description) -> Vec<Misfit> {
    let mut all = Vec::new();
    for (input, topic) in &stage.inputs {
        if !has(&description.inputs, input) {
            all.push(Misfit {
                place: Place::Input(input.clone()),
                because: lacks(stage, description, "input", input, topic.as_str(), &description.inputs),
            });
        }
    }
    for (output, topic) in &stage.outputs {
        if !has(&description.outputs, output) {
            all.push(Misfit {
                place: Place::Output(output.clone()),
                because: lacks(
                    stage,
                    description,
                    "output",
                    output,
                    topic.as_str(),
                    &description.outputs,
                ),
            });
        }
    }
    for output in &description.outputs {
        if !stage.outputs.contains_key(&output.name) {
            let because = format!(
                "port {:?} of {} {} is not wired in stage {}: give it a topic{}",
                output.name,
                description.name,
                description.version,
                stage.name,
                hint(&output.name, stage.outputs.keys().map(String::as_str))
            );
            let place = Place::Output(output.name.clone());
            all.push(Misfit { place, because });
        }
    }
    all
}

/// The candidate reads what the live version has written: same stores, same schemas.
pub fn stores(live: &Description, candidate: &Description) -> Result<(), Refusal> {
    for store in &candidate.stores {
        let Some(there) = live.store(&store.name).filter(|s| s.schema != store.schema) else {
            continue;
        };
        let because = format!(
            "store {:?} is kept in schema {}, {} {} wants schema {}: entries are not migrated, deploy a version with \
             schema {}",
            store.name, there.schema, candidate.name, candidate.version, store.schema, there.schema
        );
        return Err(Refusal::new(codes::COMPONENT_CONTRACT, because));
    }
    Ok(())
}

/// A view is asked for by its name alone: a stage that takes up the name of another's would answer for it.
pub fn views<'a>(
    live: Option<&Description>,
    candidate: &Description,
    others: impl Iterator<Item = (&'a StageName, &'a Description)>,
) -> Result<(), Refusal> {
    let new = |name: &str| live.is_none_or(|live| live.view(name).is_none());
    for (stage, description) in others {
        let taken = candidate.views.iter().filter(|v| new(&v.name));
        if let Some(view) = taken.into_iter().find(|v| description.view(&v.name).is_some()) {
            let because = format!(
                "view {:?} of {} {} is what stage {stage} answers already: give it another name",
                view.name, candidate.name, candidate.version
            );
            return Err(Refusal::new(codes::COMPONENT_CONTRACT, because));
        }
    }
    Ok(())
}

fn has(ports: &[Port], name: &str) -> bool {
    ports.iter().any(|p| p.name == name)
}

fn lacks(stage: &Stage, found: &Description, kind: &str, port: &str, topic: &str, declared: &[Port]) -> String {
    format!(
        "stage {} wires {kind} {port:?} to {topic}, but {} {} has no such {kind}{}",
        stage.name,
        found.name,
        found.version,
        hint(port, declared.iter().map(|p| p.name.as_str()))
    )
}

fn hint<'a>(found: &str, valid: impl Iterator<Item = &'a str>) -> String {
    nearest(found, valid)
        .map(|name| format!(" (did you mean {name:?}?)"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::description::{ViewDecl, ViewScope};

    fn with_views(names: &[&str]) -> Description {
        let view = |name: &&str| ViewDecl {
            name: (*name).into(),
            scope: ViewScope::AllShards,
            params: "{}".into(),
            answer: "{}".into(),
        };
        Description {
            views: names.iter().map(view).collect(),
            ..Description::default()
        }
    }

    #[test]
    fn the_name_of_anothers_view_is_not_taken_up() {
        let ledger = (StageName::new("account").unwrap(), with_views(&["ledger", "account"]));
        let others = || std::iter::once((&ledger.0, &ledger.1));
        let live = with_views(&["confirmed"]);
        assert_eq!(
            views(Some(&live), &with_views(&["confirmed", "more"]), others()),
            Ok(())
        );
        let refusal = views(Some(&live), &with_views(&["confirmed", "ledger"]), others()).unwrap_err();
        assert!(
            refusal.because.contains("stage account answers already"),
            "{}",
            refusal.because
        );
        // Who had it before keeps it: two stages may run one component.
        assert_eq!(
            views(Some(&with_views(&["ledger"])), &with_views(&["ledger"]), others()),
            Ok(())
        );
    }
}
