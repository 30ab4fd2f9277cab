//! Does a component fit its place: the ports that the manifest wires, the stores that are there already?

use super::error::Refusal;
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
