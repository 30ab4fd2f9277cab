//! `index.json`: what the folder of the guests holds.

use std::fs;
use std::path::Path;

use miette::{IntoDiagnostic, Result, WrapErr};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::encode::Component;
use super::list::{self, Guest};

const FILE: &str = "index.json";

/// One component. `file`: relative to the index. `sha256`: hex. `world`: stage, generator or validator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub version: String,
    pub file: String,
    pub sha256: String,
    pub world: String,
}

impl Entry {
    /// Writes a component into its place; answers how the index names it.
    pub fn write(dir: &Path, guest: &Guest, version: &str, component: &Component) -> Result<Self> {
        let file = format!("{}-{version}.wasm", guest.name);
        let dir = if guest.fixture {
            dir.join(list::FIXTURES)
        } else {
            dir.to_path_buf()
        };
        replace(&dir.join(&file), &component.bytes)?;
        eprintln!("guests: {file}, {} KiB", component.bytes.len().div_ceil(1024));
        Ok(Self {
            name: guest.name.clone(),
            version: version.to_owned(),
            file,
            sha256: sha256(&component.bytes),
            world: component.world.to_owned(),
        })
    }
}

/// Entries by name and version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Index(Vec<Entry>);

impl Index {
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        Self(entries)
    }

    pub fn write(&self, dir: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)
            .into_diagnostic()
            .wrap_err("writing the index of the guests")?;
        text.push(b'\n');
        replace(&dir.join(FILE), &text)
    }

    /// These entries in the place of older ones of the same names.
    pub fn with(mut self, entries: Vec<Entry>) -> Self {
        self.0.retain(|old| entries.iter().all(|new| new.name != old.name));
        self.0.extend(entries);
        Self::new(self.0)
    }

    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join(FILE)).ok()?).ok()
    }

    /// Whether each file is there, with the bytes that the index tells of.
    fn holds(&self, dir: &Path) -> bool {
        self.0
            .iter()
            .all(|entry| fs::read(dir.join(&entry.file)).is_ok_and(|bytes| sha256(&bytes) == entry.sha256))
    }
}

/// Whether both indexes and all that they name are in place.
pub fn complete(dir: &Path) -> bool {
    let whole = |dir: &Path| Index::read(dir).is_some_and(|index| index.holds(dir));
    whole(dir) && whole(&dir.join(list::FIXTURES))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A reader sees the old file or the new one, never half of it. An equal file keeps its time, so that what embeds
/// it is not built anew.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let fresh = path.with_extension("new");
    fs::write(&fresh, bytes)
        .and_then(|()| fs::rename(&fresh, path))
        .into_diagnostic()
        .wrap_err_with(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, version: &str, file: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            version: version.to_owned(),
            file: file.to_owned(),
            sha256: sha256(file.as_bytes()),
            world: "stage".to_owned(),
        }
    }

    fn scratch(test: &str) -> std::path::PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-{test}-{}", std::process::id()));
        fs::create_dir_all(dir.join(list::FIXTURES)).expect("a scratch folder");
        dir
    }

    #[test]
    fn new_entries_replace_those_of_their_name() {
        let old = Index::new(vec![
            entry("b", "1.0.0", "old"),
            entry("b", "1.1.0", "old"),
            entry("a", "1.0.0", "a"),
        ]);
        let expected = Index::new(vec![entry("a", "1.0.0", "a"), entry("b", "1.0.0", "new")]);
        assert_eq!(old.with(vec![entry("b", "1.0.0", "new")]), expected);
    }

    #[test]
    fn complete_is_every_file_with_its_bytes() {
        let dir = scratch("index");
        assert!(!complete(&dir), "no index");
        Index::new(vec![entry("a", "1.0.0", "a.wasm")])
            .write(&dir)
            .expect("written");
        Index::default().write(&dir.join(list::FIXTURES)).expect("written");
        assert!(!complete(&dir), "no file");
        fs::write(dir.join("a.wasm"), "a.wasm").expect("written");
        assert!(complete(&dir));
        fs::write(dir.join("a.wasm"), "other").expect("written");
        assert!(!complete(&dir), "other bytes");
        fs::remove_dir_all(&dir).expect("removed");
    }
}
