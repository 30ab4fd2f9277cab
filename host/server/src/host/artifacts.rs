//! Components as files `<data-dir>/components/<sha256>.wasm`: kept as long as the log that names them.

use super::bundles;
use bytes::Bytes;
use fermata_core::ports::{Artifact, ArtifactError, Artifacts};
use fermata_core::{Digest, codes};
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub const FOLDER: &str = "components";

pub struct Files {
    folder: PathBuf,
    /// Relative paths begin here: the folder of the manifest.
    base: PathBuf,
}

impl Files {
    pub fn open(data_dir: &Path, base: impl Into<PathBuf>) -> Result<Self, ArtifactError> {
        let folder = data_dir.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|e| unreadable(&folder.display().to_string(), &e))?;
        Ok(Self {
            folder,
            base: base.into(),
        })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.wasm", digest.full()))
    }

    /// In place at once or not at all, and on disk before a command may name it.
    fn keep(&self, artifact: &Artifact) -> std::io::Result<()> {
        let path = self.path(&artifact.digest);
        if path.exists() {
            return Ok(());
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&artifact.bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        std::fs::File::open(&self.folder)?.sync_all()
    }

    fn kept(&self, bytes: Bytes, reference: &str) -> Result<Artifact, ArtifactError> {
        let artifact = Artifact::new(bytes);
        self.keep(&artifact).map_err(|e| unreadable(reference, &e))?;
        Ok(artifact)
    }
}

fn unreadable(reference: &str, error: &std::io::Error) -> ArtifactError {
    ArtifactError::Unreadable {
        reference: reference.to_owned(),
        found: error.to_string(),
    }
}

fn not_found(reference: &str, found: impl Into<String>) -> ArtifactError {
    ArtifactError::NotFound {
        reference: reference.to_owned(),
        found: found.into(),
    }
}

impl Artifacts for Files {
    fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError> {
        if let Some(hex) = reference.strip_prefix("sha256:") {
            let digest = Digest::try_from(hex.to_owned()).map_err(|e| not_found(reference, e.to_string()))?;
            return self.get(&digest);
        }
        let bytes = match reference.strip_prefix("builtin:") {
            Some(name) => builtin(name)?,
            None => file(&self.base.join(reference))?,
        };
        self.kept(bytes, reference)
    }

    fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
        let reference = format!("sha256:{}", digest.full());
        let bytes = match std::fs::read(self.path(digest)) {
            Ok(bytes) => Bytes::from(bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(not_found(&reference, format!("not kept in {}", self.folder.display())));
            }
            Err(e) => return Err(unreadable(&reference, &e)),
        };
        let artifact = Artifact::new(bytes);
        if artifact.digest == *digest {
            return Ok(artifact);
        }
        Err(ArtifactError::Unreadable {
            found: format!(
                "{} has other bytes: sha256:{}",
                self.path(digest).display(),
                artifact.digest.full()
            ),
            reference,
        })
    }

    fn put(&self, bytes: Bytes) -> Result<Artifact, ArtifactError> {
        self.kept(bytes, "uploaded")
    }
}

/// The bytes of a file.
pub fn file(path: &Path) -> Result<Bytes, ArtifactError> {
    let reference = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes.into()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(not_found(&reference, "no such file")),
        Err(e) => Err(unreadable(&reference, &e)),
    }
}

/// The bytes of `name@version`, as this binary carries them.
pub fn builtin(name: &str) -> Result<Bytes, ArtifactError> {
    let reference = format!("builtin:{name}");
    if bundles::ALL.is_empty() {
        let found = format!(
            "{}: this binary was built without components; `cargo xtask build` makes one that has them",
            codes::COMPONENT_NO_BUNDLES
        );
        return Err(not_found(&reference, found));
    }
    match bundles::ALL
        .iter()
        .find(|b| name.split_once('@') == Some((b.name, b.version)))
    {
        Some(bundle) => Ok(Bytes::from_static(bundle.bytes)),
        None => {
            let all: Vec<String> = bundles::ALL
                .iter()
                .map(|b| format!("{}@{}", b.name, b.version))
                .collect();
            Err(not_found(&reference, format!("this binary carries {}", all.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_by_digest_and_changed_bytes_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path(), dir.path()).unwrap();
        let put = files.put(Bytes::from_static(b"component")).unwrap();
        let reference = format!("sha256:{}", put.digest.full());
        assert_eq!(files.resolve(&reference).unwrap().bytes, put.bytes);
        std::fs::write(files.path(&put.digest), b"other").unwrap();
        assert!(matches!(files.get(&put.digest), Err(ArtifactError::Unreadable { .. })));
    }

    #[test]
    fn a_path_is_relative_to_the_manifest_and_survives_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("a.wasm"), b"a").unwrap();
        let files = Files::open(dir.path(), base.path()).unwrap();
        let found = files.resolve("a.wasm").unwrap();
        std::fs::remove_file(base.path().join("a.wasm")).unwrap();
        assert_eq!(files.get(&found.digest).unwrap().bytes, found.bytes);
        assert!(matches!(files.resolve("a.wasm"), Err(ArtifactError::NotFound { .. })));
    }
}
