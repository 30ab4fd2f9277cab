//! The port `Artifacts` over a registry: bytes in memory, by digest.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fermata_core::Digest;
use fermata_core::ports::{Artifact, ArtifactError, Artifacts};

use crate::registry::{Registry, component_bytes};

/// Knows `builtin:<name>@<version>` for everything in a registry, and what was put.
pub struct NativeArtifacts {
    /// By `name@version`.
    builtin: BTreeMap<String, Digest>,
    kept: Mutex<BTreeMap<Digest, Bytes>>,
}

impl NativeArtifacts {
    pub fn new(registry: &Registry) -> Self {
        let mut builtin = BTreeMap::new();
        let mut kept = BTreeMap::new();
        for reference in registry.references() {
            let (name, version) = reference.split_once('@').unwrap_or((reference, ""));
            let artifact = Artifact::new(component_bytes(name, version));
            builtin.insert(reference.to_owned(), artifact.digest);
            kept.insert(artifact.digest, artifact.bytes);
        }
        Self {
            builtin,
            kept: Mutex::new(kept),
        }
    }

    fn find(&self, digest: Digest, reference: &str) -> Result<Artifact, ArtifactError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&digest)
            .map(|bytes| Artifact {
                digest,
                bytes: bytes.clone(),
            })
            .ok_or_else(|| ArtifactError::NotFound {
                reference: reference.to_owned(),
                found: format!("{} kept components", kept.len()),
            })
    }
}

impl Default for NativeArtifacts {
    /// The stages of this workspace.
    fn default() -> Self {
        Self::new(&crate::builtin::registry())
    }
}

impl Artifacts for NativeArtifacts {
    fn resolve(&self, reference: &str) -> Result<Artifact, ArtifactError> {
        let not_found = |found: String| ArtifactError::NotFound {
            reference: reference.to_owned(),
            found,
        };
        if let Some(name) = reference.strip_prefix("builtin:") {
            let digest = self.builtin.get(name).ok_or_else(|| {
                let known: Vec<&str> = self.builtin.keys().map(String::as_str).collect();
                not_found(format!("native components {}", known.join(", ")))
            })?;
            return self.find(*digest, reference);
        }
        if let Some(digits) = reference.strip_prefix("sha256:") {
            let digest = Digest::try_from(digits.to_owned()).map_err(|bad| not_found(bad.to_string()))?;
            return self.find(digest, reference);
        }
        Err(not_found(
            "neither `builtin:` nor `sha256:`; native components have no files".into(),
        ))
    }

    fn get(&self, digest: &Digest) -> Result<Artifact, ArtifactError> {
        self.find(*digest, &format!("sha256:{}", digest.full()))
    }

    fn put(&self, bytes: Bytes) -> Result<Artifact, ArtifactError> {
        let artifact = Artifact::new(bytes);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(artifact.digest, artifact.bytes.clone());
        Ok(artifact)
    }
}
