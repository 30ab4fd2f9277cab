//! Whether anything changed that a guest is made of.

use std::fs;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, Result, WrapErr};
use sha2::{Digest, Sha256};

use super::javascript::Tools;
use super::list::Guest;
use super::toolchain::Toolchain;
use crate::workspace;

const FILE: &str = "fingerprint";

/// Folders and files of the workspace that guests are made of, the encoder among them.
const SOURCES: [&str; 15] = [
    "stages",
    "examples/orders/messages",
    "examples/orders/reserve",
    "examples/orders/ship",
    "examples/orders/generator",
    "examples/validators/rust",
    "examples/validators/javascript/validator.js",
    "examples/validators/javascript/package.json",
    "examples/validators/javascript/package-lock.json",
    "tests/guests",
    "wit",
    "xtask/src/guests",
    "host/build",
    "Cargo.toml",
    "Cargo.lock",
];

/// A hash of all that guests are made of.
pub fn of(guests: &[Guest], toolchain: &Toolchain, javascript: Option<&Tools>) -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&workspace::root().join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(format!("{guests:?}\n{}\n{javascript:?}\n", toolchain.version));
    for file in files {
        let bytes = fs::read(&file)
            .into_diagnostic()
            .wrap_err_with(|| format!("reading {}", file.display()))?;
        hash.update(format!("{} {}\n", file.display(), bytes.len()));
        hash.update(&bytes);
    }
    Ok(hex::encode(hash.finalize()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        let entries = fs::read_dir(path)
            .into_diagnostic()
            .wrap_err_with(|| format!("listing {}", path.display()))?;
        for entry in entries {
            collect(
                &entry
                    .into_diagnostic()
                    .wrap_err_with(|| format!("listing {}", path.display()))?
                    .path(),
                files,
            )?;
        }
    } else if path.is_file() {
        files.push(path.to_path_buf());
    }
    Ok(())
}

/// Whether the folder was made from the same.
pub fn matches(dir: &Path, fingerprint: &str) -> bool {
    fs::read_to_string(dir.join(FILE)).is_ok_and(|known| known == fingerprint)
}

pub fn remember(dir: &Path, fingerprint: &str) -> Result<()> {
    fs::write(dir.join(FILE), fingerprint)
        .into_diagnostic()
        .wrap_err("remembering what the guests were made from")
}

pub fn forget(dir: &Path) -> Result<()> {
    match fs::remove_file(dir.join(FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)
            .into_diagnostic()
            .wrap_err("forgetting what the guests were made from"),
        _ => Ok(()),
    }
}
