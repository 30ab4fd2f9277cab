//! From core module to component, as `fermata build` does it.

use std::path::Path;

pub use fermata_build::Component;
use miette::{IntoDiagnostic, Result};

pub fn component(module: &Path) -> Result<Component> {
    fermata_build::component(module).into_diagnostic()
}

/// A component that is one already.
pub fn known(bytes: Vec<u8>) -> Result<Component> {
    fermata_build::known(bytes).map_err(|found| miette::miette!("{found}"))
}
