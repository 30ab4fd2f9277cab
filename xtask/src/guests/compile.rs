//! From crates to core modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr, miette};

use super::list::{self, Guest, Version};
use super::toolchain::{TARGET, Toolchain};
use crate::{run, workspace};

const PROFILE: &str = "guest";

/// One for all guests, so that they share the standard library; not the host's, so that builds do not wait for
/// each other.
fn target_dir() -> PathBuf {
    workspace::target().join("guests-build")
}

/// Crates outside link the workspace's own as foreign ones: in one folder the two kinds would overwrite each other.
fn outside_dir() -> PathBuf {
    workspace::target().join("guests-outside")
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

fn build(toolchain: &Toolchain, folder: &Path, target_dir: &Path) -> Command {
    let mut cargo = toolchain.build();
    cargo.current_dir(folder).args(["--profile", PROFILE]);
    cargo.arg("--target-dir").arg(target_dir);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", without_home());
    cargo
}

/// A crate of another workspace; answers where its core module is.
pub fn outside(toolchain: &Toolchain, folder: &Path) -> Result<PathBuf> {
    let folder = folder
        .canonicalize()
        .into_diagnostic()
        .wrap_err_with(|| format!("looking for {}", folder.display()))?;
    let module = list::module(folder.clone())?;
    let mut cargo = build(toolchain, &folder, &outside_dir());
    cargo.arg("--config").arg(profiles()?);
    run::loudly(&mut cargo).wrap_err_with(|| format!("building {}", folder.display()))?;
    Ok(outside_dir().join(TARGET).join(PROFILE).join(module))
}

/// The workspace's own profiles, as a file for crates outside, which cannot inherit them. Without the exceptions for
/// foreign crates: seen from outside, the stages are foreign too, and their money must not wrap.
fn profiles() -> Result<PathBuf> {
    let path = workspace::root().join("Cargo.toml");
    let context = || format!("reading the profiles of {}", path.display());
    let text = fs::read_to_string(&path).into_diagnostic().wrap_err_with(context)?;
    let manifest: toml::Table = text.parse().into_diagnostic().wrap_err_with(context)?;
    let profiles = manifest.get("profile").and_then(toml::Value::as_table);
    let mut profiles = profiles.ok_or_else(|| miette!("{} has none", path.display()))?.clone();
    for (_, profile) in profiles.iter_mut() {
        if let Some(table) = profile.as_table_mut() {
            table.remove("package");
        }
    }
    let mut config = toml::Table::new();
    config.insert("profile".to_owned(), profiles.into());
    let file = outside_dir().join("profiles.toml");
    fs::create_dir_all(outside_dir())
        .and_then(|()| fs::write(&file, config.to_string()))
        .into_diagnostic()
        .wrap_err_with(|| format!("writing {}", file.display()))?;
    Ok(file)
}

/// One by one, and as a library for C alone: for a crate that is built as a Rust library at the same time, cargo leaves
/// link-time optimisation out, and says nothing.
pub fn compile(toolchain: &Toolchain, guests: &[&Guest], version: &Version) -> Result<()> {
    for guest in guests {
        let mut cargo = build(toolchain, &workspace::root(), &target_dir());
        cargo.args(["--package", &guest.package, "--lib", "--crate-type", "cdylib"]);
        if let Some(feature) = version.feature {
            cargo.args(["--features", feature]);
        }
        run::loudly(&mut cargo).wrap_err_with(|| format!("building {} {}", guest.package, version.number))?;
    }
    Ok(())
}
