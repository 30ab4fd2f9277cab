//! `build`: the crate in this folder becomes a component, and is looked at in the sandbox at once.

use super::talk::Talk;
use crate::executor;
use crate::failure::{Exit, Failure};
use clap::Args;
use fermata_build::Package;
use fermata_core::limits::Limits;
use fermata_core::ports::Artifact;
use fermata_engine::{Checkup, World};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Args)]
pub struct BuildArgs {
    /// Folder of the crate
    #[arg(default_value = ".", value_name = "DIR")]
    pub folder: PathBuf,
}

pub fn run(talk: &Talk, args: &BuildArgs) -> Result<Exit, Failure> {
    let toolchain = fermata_build::find()?;
    let package = Package::read(&toolchain, &args.folder)?;
    let built = package.build(&toolchain, talk.quiet())?;
    let artifact = Artifact::new(built.component.bytes);
    let checkup = executor::wasm()?.checkup(&artifact, None, &Limits::default());
    if let Some(why) = checkup.refusal() {
        let failure = Failure::from(why.clone());
        return Err(failure.help(format!(
            "{} was written, but no server would run it",
            shown(&built.path)
        )));
    }
    if talk.json() {
        talk.print_json(&shape(&built.path, &artifact, &checkup));
    } else {
        talk.print(line(&built.path, &artifact, &checkup));
    }
    Ok(Exit::Ok)
}

/// Relative to where the person stands, if it lies there.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    relative.unwrap_or(path).display().to_string()
}

fn stores(checkup: &Checkup) -> Vec<(String, u32)> {
    let described = checkup.description.iter().flat_map(|told| &told.stores);
    described.map(|store| (store.name.clone(), store.schema)).collect()
}

/// What it could reach beyond the contract. The contract's own imports give nothing of the machine.
fn capabilities(checkup: &Checkup) -> Vec<&str> {
    let imports = checkup.imports.iter().map(String::as_str);
    imports.filter(|name| !name.starts_with("fermata:stage/")).collect()
}

fn or_none(list: &[String]) -> String {
    if list.is_empty() {
        "none".into()
    } else {
        list.join(", ")
    }
}

fn line(path: &Path, artifact: &Artifact, checkup: &Checkup) -> String {
    let digest = artifact.digest.full();
    let mut parts = vec![
        format!("✓ {}", shown(path)),
        format!("{} KiB", artifact.bytes.len().div_ceil(1 << 10)),
        format!("sha256:{}", &digest[..12]),
        format!("world {}", checkup.world.map_or("none", World::name)),
    ];
    if checkup.description.is_some() {
        let stores: Vec<String> = stores(checkup)
            .iter()
            .map(|(name, schema)| format!("{name}(v{schema})"))
            .collect();
        parts.push(format!("stores {}", or_none(&stores)));
    }
    let capabilities: Vec<String> = capabilities(checkup).into_iter().map(str::to_owned).collect();
    parts.push(format!("capabilities {}", or_none(&capabilities)));
    parts.join("  ")
}

fn shape(path: &Path, artifact: &Artifact, checkup: &Checkup) -> Value {
    let stores = stores(checkup);
    let stores = stores
        .iter()
        .map(|(name, schema)| json!({ "name": name, "schema": schema }));
    json!({
        "schema": "fermata.build/1",
        "path": path.display().to_string(),
        "bytes": artifact.bytes.len(),
        "digest": artifact.digest.full(),
        "world": checkup.world.map(World::name),
        "stores": stores.collect::<Value>(),
        "imports": checkup.imports,
        "capabilities": capabilities(checkup),
        "description": checkup.description,
    })
}
