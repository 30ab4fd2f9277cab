//! What can go wrong on the way; each says what was found and what to do.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{0}")]
    Toolchain(String),
    #[error("{0}")]
    Package(String),
    #[error("cannot start {program}: {found}")]
    Start { program: String, found: io::Error },
    #[error("{0}")]
    Cargo(String),
    #[error("cannot read {path}: {found}")]
    Read { path: PathBuf, found: io::Error },
    #[error("cannot write {path}: {found}")]
    Write { path: PathBuf, found: io::Error },
    #[error("{module} does not become a component: {found}")]
    Encode { module: PathBuf, found: String },
}
