//! `component`.

use super::args::ComponentVerb;
use super::client::Client;
use super::talk::{Talk, table};
use crate::executor;
use crate::failure::{Exit, Failure};
use crate::host::artifacts;
use fermata_core::description::{Description, Port};
use fermata_core::limits::Limits;
use fermata_core::ports::Artifact;
use fermata_engine::Inspected;
use serde_json::json;
use std::path::Path;

pub fn run(talk: &Talk, client: impl Fn() -> Result<Client, Failure>, verb: ComponentVerb) -> Result<Exit, Failure> {
    let component = match verb {
        ComponentVerb::Inspect { component } => component,
        ComponentVerb::Check(args) => return super::check::run(talk, &args),
    };
    if component.starts_with("sha256:") {
        let found = client()?.get(&format!("/api/v1/components/{component}"))?;
        talk.print(if talk.json() {
            found.to_string()
        } else {
            format!("{found:#}")
        });
        return Ok(Exit::Ok);
    }
    let artifact = found(&component)?;
    let description = match executor::wasm()?.inspect(&artifact, &Limits::default())? {
        Inspected::Stage(description) => description,
        Inspected::Validator => {
            validator(talk, &component, &artifact);
            return Ok(Exit::Ok);
        }
    };
    if talk.json() {
        talk.print_json(&json!({
            "schema": "fermata.component/1",
            "component": component,
            "digest": artifact.digest.full(),
            "bytes": artifact.bytes.len(),
            "world": "stage",
            "description": description,
        }));
    } else {
        print(talk, &artifact, &description);
    }
    Ok(Exit::Ok)
}

/// A validator says nothing of itself; that it fits its world is all there is to know.
fn validator(talk: &Talk, component: &str, artifact: &Artifact) {
    if talk.json() {
        return talk.print_json(&json!({
            "schema": "fermata.component/1",
            "component": component,
            "digest": artifact.digest.full(),
            "bytes": artifact.bytes.len(),
            "world": "validator",
            "imports": [],
        }));
    }
    talk.print("a validator: it stands in front of a stage (`validator = [...]` of the stage in the manifest)");
    talk.print(size(artifact));
    talk.print("imports  none");
}

fn size(artifact: &Artifact) -> String {
    let kib = artifact.bytes.len().div_ceil(1024);
    format!("sha256:{}  {kib} KiB", artifact.digest.full())
}

/// A component that needs no server: `builtin:name@version` or a file.
pub fn found(component: &str) -> Result<Artifact, Failure> {
    let bytes = match component.strip_prefix("builtin:") {
        Some(name) => artifacts::builtin(name)?,
        None => artifacts::file(Path::new(component))?,
    };
    Ok(Artifact::new(bytes))
}

fn print(talk: &Talk, artifact: &Artifact, description: &Description) {
    talk.print(format!("{} {}", description.name, description.version));
    talk.print(size(artifact));
    let ports = |ports: &[Port]| ports.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
    talk.print(format!("in   {}", ports(&description.inputs)));
    talk.print(format!("out  {}", ports(&description.outputs)));
    let mut rows = Vec::new();
    for store in &description.stores {
        rows.push(vec![
            "store".into(),
            store.name.clone(),
            format!("schema {}", store.schema),
        ]);
    }
    for view in &description.views {
        rows.push(vec!["view".into(), view.name.clone(), format!("{:?}", view.scope)]);
    }
    for metric in &description.metrics {
        rows.push(vec!["metric".into(), metric.name.clone(), metric.help.clone()]);
    }
    if !rows.is_empty() {
        talk.print(table(&["KIND", "NAME", ""], &rows));
    }
}
