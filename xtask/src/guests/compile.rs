//! From crates to core modules.

use std::path::PathBuf;

use miette::{Result, WrapErr};

use super::list::{Guest, Version};
use super::toolchain::{TARGET, Toolchain};
use crate::{run, workspace};

const PROFILE: &str = "guest";

/// One for all guests, so that they share the standard library; not the host's, so that builds do not wait for
/// each other.
fn target_dir() -> PathBuf {
    workspace::target().join("guests-build")
}

/// Where cargo leaves a guest's core module; the next version overwrites it.
pub fn artefact(guest: &Guest) -> PathBuf {
    target_dir().join(TARGET).join(PROFILE).join(guest.artefact())
}

/// Panic messages name source files: the same sources must give the same bytes, wherever cargo keeps its crates.
fn without_home() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    home.map(|home| format!("--remap-path-prefix={}=cargo", home.display()))
        .unwrap_or_default()
}

/// All guests of one version in one build.
pub fn compile(toolchain: &Toolchain, guests: &[&Guest], version: &Version) -> Result<()> {
    if guests.is_empty() {
        return Ok(());
    }
    let mut cargo = toolchain.build();
    cargo.current_dir(workspace::root()).args(["--profile", PROFILE]);
    cargo.arg("--target-dir").arg(target_dir());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", without_home());
    for guest in guests {
        cargo.args(["--package", &guest.package]);
        if let Some(feature) = version.feature {
            cargo.args(["--features", &format!("{}/{feature}", guest.package)]);
        }
    }
    run::loudly(&mut cargo).wrap_err_with(|| format!("building the guests of version {}", version.number))
}
