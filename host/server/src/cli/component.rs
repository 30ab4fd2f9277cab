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
    let description = executor::wasm()?.inspect(&artifact, &Limits::default())?;
    if talk.json() {
        talk.print_json(&json!({
            "schema": "fermata.component/1",
            "component": component,
            "digest": artifact.digest.full(),
            "bytes": artifact.bytes.len(),
            "description": description,
        }));
    } else {
        print(talk, &artifact, &description);
    }
    Ok(Exit::Ok)
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
    talk.print(format!(
        "sha256:{}  {} KiB",
        artifact.digest.full(),
        artifact.bytes.len().div_ceil(1024)
    ));
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
