//! The crate in a folder, and what cargo makes of it.

use crate::encode::{self, Component};
use crate::error::BuildError;
use crate::toolchain::Toolchain;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a component is shipped as, whatever the crate's own profiles say: small, fast, and money does not wrap.
const PROFILE: &str = "guest";
const PROFILE_SETTINGS: [&str; 8] = [
    "inherits='release'",
    "opt-level=3",
    "lto=true",
    "codegen-units=1",
    "incremental=false",
    "panic='abort'",
    "strip=true",
    "overflow-checks=true",
];

/// A crate that can become a component.
#[derive(Debug)]
pub struct Package {
    pub name: String,
    pub folder: PathBuf,
    id: String,
    /// Cargo's target directory.
    target: PathBuf,
}

/// A component in its file.
pub struct Built {
    pub path: PathBuf,
    pub component: Component,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Described {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

/// A line of `cargo rustc --message-format=json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

impl Package {
    /// The crate whose `Cargo.toml` lies in this folder.
    pub fn read(toolchain: &Toolchain, folder: &Path) -> Result<Self, BuildError> {
        let manifest = folder.join("Cargo.toml");
        let manifest = fs::canonicalize(&manifest).map_err(|_| {
            BuildError::Package(format!(
                "there is no Cargo.toml in {}: run this in the folder of a stage's crate",
                folder.display()
            ))
        })?;
        let metadata = metadata(toolchain, &manifest)?;
        let mut packages = metadata.packages.into_iter();
        // Cargo does not resolve symbolic links of the path that it is given.
        let own = packages.find(|package| fs::canonicalize(&package.manifest_path).is_ok_and(|path| path == manifest));
        let own = own.ok_or_else(|| {
            BuildError::Package(format!(
                "{} is a workspace, not a crate: run this in the folder of the stage's crate",
                manifest.display()
            ))
        })?;
        let dynamic = |target: &Target| target.crate_types.iter().any(|kind| kind == "cdylib");
        if !own.targets.iter().any(dynamic) {
            return Err(BuildError::Package(format!(
                "crate {} is no dynamic library: add to its Cargo.toml\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]",
                own.name
            )));
        }
        Ok(Self {
            name: own.name,
            folder: folder.to_path_buf(),
            id: own.id,
            target: metadata.target_directory,
        })
    }

    /// Builds and writes `<name>.wasm` into cargo's target directory. What cargo says goes to stderr.
    pub fn build(&self, toolchain: &Toolchain, quiet: bool) -> Result<Built, BuildError> {
        let component = encode::component(&self.module(toolchain, quiet)?)?;
        let path = self.target.join(format!("{}.wasm", self.name));
        replace(&path, &component.bytes)?;
        Ok(Built { path, component })
    }

    /// The core module that cargo makes of the crate.
    fn module(&self, toolchain: &Toolchain, quiet: bool) -> Result<PathBuf, BuildError> {
        let mut cargo = toolchain.build();
        cargo.current_dir(&self.folder).args([
            "--lib",
            // As a library for C alone: for a crate that is built as a Rust library at the same time, cargo leaves
            // link-time optimisation out, and says nothing.
            "--crate-type",
            "cdylib",
            "--profile",
            PROFILE,
            "--message-format",
            "json-render-diagnostics",
        ]);
        for setting in PROFILE_SETTINGS {
            cargo.arg("--config").arg(format!("profile.{PROFILE}.{setting}"));
        }
        if quiet {
            cargo.arg("--quiet");
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", without_home());
        let run = cargo
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|found| start(toolchain, found))?;
        if !run.status.success() {
            return Err(BuildError::Cargo(format!(
                "crate {} does not build for WebAssembly; cargo said why above ({})",
                self.name, run.status
            )));
        }
        let lines = run.stdout.split(|byte| *byte == b'\n');
        let artifacts = lines
            .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
            .filter(|message| message.reason == "compiler-artifact" && message.package_id == self.id);
        let mut modules = artifacts
            .flat_map(|message| message.filenames)
            .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"));
        modules.next().ok_or_else(|| {
            BuildError::Cargo(format!(
                "cargo built crate {}, but names no WebAssembly module of it",
                self.name
            ))
        })
    }
}

fn start(toolchain: &Toolchain, found: std::io::Error) -> BuildError {
    BuildError::Start {
        program: toolchain.cargo.display().to_string(),
        found,
    }
}

fn metadata(toolchain: &Toolchain, manifest: &Path) -> Result<Metadata, BuildError> {
    let mut cargo = Command::new(&toolchain.cargo);
    cargo
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .stdin(Stdio::null());
    let run = cargo.output().map_err(|found| start(toolchain, found))?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr);
        return Err(BuildError::Package(format!(
            "{} cannot be used: {}",
            manifest.display(),
            said.trim()
        )));
    }
    serde_json::from_slice(&run.stdout).map_err(|error| {
        BuildError::Package(format!(
            "what cargo says of {} cannot be read: {error}",
            manifest.display()
        ))
    })
}

/// Panic messages name source files: the same sources must give the same bytes, wherever cargo keeps its crates.
fn without_home() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    home.map(|home| format!("--remap-path-prefix={}=cargo", home.display()))
        .unwrap_or_default()
}

/// A reader sees the old file or the new one, never half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let fresh = path.with_extension("wasm.new");
    fs::write(&fresh, bytes)
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|found| BuildError::Write {
            path: path.into(),
            found,
        })
}
