//! A toolchain that can build for `wasm32-unknown-unknown`, brought in when the machine has none.

use fermata_build::{Kind, installed};
pub use fermata_build::{TARGET, Toolchain};
use miette::{IntoDiagnostic, Result};

use super::{debian, rustup};

/// What is there, before what must be fetched.
pub fn find() -> Result<Toolchain> {
    let kinds = Kind::allowed().into_diagnostic()?;
    let there = kinds.iter().find_map(|kind| installed(*kind));
    let found = there.or_else(|| kinds.iter().find_map(|kind| added(*kind)));
    match found {
        Some(toolchain) => Ok(toolchain),
        // It says what is missing.
        None => fermata_build::find().into_diagnostic(),
    }
}

fn added(kind: Kind) -> Option<Toolchain> {
    match kind {
        Kind::Rustup => rustup::added(),
        Kind::Debian => debian::added(),
    }
}
