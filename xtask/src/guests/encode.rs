//! From core module to component, as `fermata build` does it.

use std::path::Path;

pub use fermata_build::Component;
use miette::{IntoDiagnostic, Result};

pub fn component(module: &Path) -> Result<Component> {
    fermata_build::component(module).into_diagnostic()
}
