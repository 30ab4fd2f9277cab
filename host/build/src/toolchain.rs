//! A toolchain that can build for `wasm32-unknown-unknown`.

use crate::error::BuildError;
use crate::{debian, run, rustup};
use std::path::PathBuf;
use std::process::Command;

pub const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `rustup` or `debian`, it allows that kind alone.
pub const CHOICE: &str = "FERMATA_GUEST_TOOLCHAIN";

/// Where a toolchain comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Rustup,
    Debian,
}

impl Kind {
    /// Those that the environment allows, the preferred one first.
    pub fn allowed() -> Result<Vec<Self>, BuildError> {
        match std::env::var(CHOICE).ok().as_deref() {
            None => Ok(vec![Self::Rustup, Self::Debian]),
            Some("rustup") => Ok(vec![Self::Rustup]),
            Some("debian") => Ok(vec![Self::Debian]),
            Some(other) => Err(BuildError::Toolchain(format!(
                "{CHOICE} is {other:?}: it must be rustup or debian"
            ))),
        }
    }
}

/// A cargo and what it must be told.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// For people.
    pub name: String,
    pub cargo: PathBuf,
    pub arguments: Vec<&'static str>,
    pub environment: Vec<(&'static str, String)>,
    /// Compiler and version: another compiler makes other components.
    pub version: String,
}

impl Toolchain {
    /// `cargo rustc` for the target, told nothing of a cargo that may have started this process.
    pub fn build(&self) -> Command {
        let mut cargo = Command::new(&self.cargo);
        cargo.arg("rustc").args(["--target", TARGET]).args(&self.arguments);
        for foreign in [
            "LD_LIBRARY_PATH",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
        ] {
            cargo.env_remove(foreign);
        }
        cargo.envs(self.environment.iter().map(|(name, value)| (name, value)));
        cargo
    }
}

/// What a compiler says of itself (first line: name and version), and its sysroot.
pub fn about(rustc: &str) -> Option<(String, PathBuf)> {
    let version = run::output(Command::new(rustc).arg("-vV"))?;
    let sysroot = run::output(Command::new(rustc).args(["--print", "sysroot"]))?;
    Some((version, PathBuf::from(sysroot)))
}

/// What is on this machine of one kind; nothing is fetched.
pub fn installed(kind: Kind) -> Option<Toolchain> {
    match kind {
        Kind::Rustup => rustup::installed(),
        Kind::Debian => debian::installed(),
    }
}

/// The first that is on this machine; nothing is fetched.
pub fn find() -> Result<Toolchain, BuildError> {
    let found = Kind::allowed()?.into_iter().find_map(installed);
    found.ok_or_else(missing)
}

fn missing() -> BuildError {
    let packages = debian::PACKAGES.join(" ");
    BuildError::Toolchain(format!(
        "no Rust toolchain for {TARGET}: run `rustup target add {TARGET}`, or as root `apt-get install {packages}`"
    ))
}
