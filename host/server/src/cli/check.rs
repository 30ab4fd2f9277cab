//! `component check`: what a server does before it runs a component, done here, check by check.

use super::component;
use super::talk::{Talk, table};
use crate::executor;
use crate::failure::{Exit, Failure, prepare_code};
use clap::Args;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, PrepareError};
use fermata_engine::Checkup;
use serde_json::{Value, json};

#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// A file or builtin:name@version
    pub component: String,
    /// Configuration for `init` (JSON object)
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub config: String,
    /// Memory that its instances may use, in MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub memory: Option<u64>,
}

pub fn run(talk: &Talk, args: &CheckArgs) -> Result<Exit, Failure> {
    let artifact = component::found(&args.component)?;
    let mut limits = Limits::default();
    if let Some(mib) = args.memory {
        limits.memory = mib << 20;
    }
    let checkup = executor::wasm()?.checkup(&artifact, Some(&args.config), &limits);
    if talk.json() {
        talk.print_json(&shape(&args.component, &artifact, &checkup));
    } else {
        talk.print(lines(&checkup));
        talk.print(match checkup.refusal() {
            None => format!("sha256:{} may run", artifact.digest.full()),
            Some(why) => format!("sha256:{} may not run: {}", artifact.digest.full(), prepare_code(why)),
        });
    }
    Ok(if checkup.ok() { Exit::Ok } else { Exit::Refused })
}

fn lines(checkup: &Checkup) -> String {
    let rows = checkup.findings.iter().map(|finding| {
        let (mark, found) = match &finding.result {
            Ok(found) => ("ok", found.clone()),
            Err(error) => ("no", format!("{} {error}{}", prepare_code(error), hint(error))),
        };
        vec![finding.check.to_owned(), mark.to_owned(), found]
    });
    table(&["CHECK", "", "FOUND"], &rows.collect::<Vec<_>>())
}

fn hint(error: &PrepareError) -> &'static str {
    match error {
        PrepareError::Init(_) => " (--config gives another configuration)",
        _ => "",
    }
}

fn shape(component: &str, artifact: &Artifact, checkup: &Checkup) -> Value {
    let checks = checkup.findings.iter().map(|finding| match &finding.result {
        Ok(found) => json!({ "check": finding.check, "ok": true, "found": found }),
        Err(error) => json!({
            "check": finding.check, "ok": false, "found": error.to_string(), "code": prepare_code(error),
        }),
    });
    json!({
        "schema": "fermata.check/1",
        "component": component,
        "digest": artifact.digest.full(),
        "bytes": artifact.bytes.len(),
        "world": checkup.world.map(fermata_engine::World::name),
        "imports": checkup.imports,
        "checks": checks.collect::<Value>(),
        "ok": checkup.ok(),
    })
}
