//! The toolchain in use, with the target's standard library that rustup installs.

use crate::toolchain::{self, TARGET, Toolchain};
use std::path::PathBuf;

/// The toolchain in use, if it has the target.
pub fn installed() -> Option<Toolchain> {
    let (version, sysroot) = toolchain::about("rustc")?;
    if !sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return None;
    }
    let name = version.lines().next()?.to_owned();
    Some(Toolchain {
        name,
        cargo: std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from),
        arguments: Vec::new(),
        environment: Vec::new(),
        version,
    })
}
