//! Manifests from outside: what `validate`, `config`, `explain` and `completion` tell a person, and what a running
//! pipeline makes of environments and secrets.

mod edits;
mod pages;
mod schema;
mod secrets;
mod verbs;

use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PAYMENTS: &str = include_str!("../../examples/payments/pipeline.toml");

/// The payment pipeline with some places changed, as a file of its own.
fn edited(edits: &[(&str, &str)]) -> (TempDir, String) {
    let mut text = PAYMENTS.to_owned();
    for (find, replace) in edits {
        assert!(text.contains(find), "the example has no {find:?} any more");
        text = text.replacen(find, replace, 1);
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("pipeline.toml");
    std::fs::write(&path, text).expect("the folder is writable");
    let path = path.to_str().expect("a path of text").to_owned();
    (dir, path)
}

/// Line of the example on which `words` stand first.
fn line(words: &str) -> u64 {
    let at = PAYMENTS.lines().position(|line| line.contains(words));
    at.unwrap_or_else(|| panic!("the example has no {words:?} any more")) as u64 + 1
}

/// Every pipeline that ships as an example.
fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let all = std::fs::read_dir(folder).expect("examples ship");
    let files = all.filter_map(|entry| Some(entry.ok()?.path().join("pipeline.toml")));
    let found: Vec<PathBuf> = files.filter(|file| file.is_file()).collect();
    assert!(!found.is_empty());
    found
}
