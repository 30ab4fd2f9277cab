//! The `fermata` binary with the built guests inside.

use std::path::PathBuf;
use std::process::Command;

use miette::Result;

use crate::{run, workspace};

/// The folder whose bundles the server embeds.
const BUNDLES: &str = "FERMATA_BUNDLES";

/// Builds the server; answers where it is.
pub fn build() -> Result<PathBuf> {
    let mut cargo = run::cargo();
    // The whole workspace is resolved, as `cargo test --workspace` does: other features would build wasmtime twice.
    cargo.args(["build", "--release", "--workspace", "--bin", "fermata"]);
    run::loudly(with_bundles(&mut cargo))?;
    Ok(workspace::target().join("release").join("fermata"))
}

/// Every build that touches the server names the same bundles: another environment would build it anew.
pub fn with_bundles(command: &mut Command) -> &mut Command {
    command.env(BUNDLES, workspace::guests())
}
