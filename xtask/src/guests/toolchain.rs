//! A toolchain that can build for `wasm32-unknown-unknown`, brought in when the machine has none.

use std::path::PathBuf;
use std::process::Command;

use miette::{Result, bail, miette};

use super::{debian, rustup};
use crate::run;

pub const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `rustup` or `debian`, it allows that kind alone.
const CHOICE: &str = "FERMATA_GUEST_TOOLCHAIN";

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
    /// `cargo rustc` for the target, told nothing of the cargo that runs this chore.
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

type Way = fn() -> Option<Toolchain>;

/// What is there, before what must be fetched.
const RUSTUP: [Way; 2] = [rustup::installed, rustup::added];
const DEBIAN: [Way; 2] = [debian::installed, debian::added];

pub fn find() -> Result<Toolchain> {
    let ways: Vec<Way> = match std::env::var(CHOICE).ok().as_deref() {
        None => vec![RUSTUP[0], DEBIAN[0], RUSTUP[1], DEBIAN[1]],
        Some("rustup") => RUSTUP.to_vec(),
        Some("debian") => DEBIAN.to_vec(),
        Some(other) => bail!("{CHOICE} is {other:?}: it must be rustup or debian"),
    };
    ways.iter().find_map(|way| way()).ok_or_else(|| {
        miette!(
            "no Rust toolchain for {TARGET}: run `rustup target add {TARGET}`, or as root `apt-get install {}`",
            debian::PACKAGES.join(" ")
        )
    })
}
