//! Pipelines inside this binary, put there by the build script: every manifest `examples/<name>/pipeline.toml`.

use crate::failure::Failure;
use crate::host::bundles;
use fermata_core::manifest::{Manifest, parse};

pub struct Example {
    /// The folder's.
    pub name: &'static str,
    pub manifest: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/examples.rs"));

impl Example {
    pub fn named(name: &str) -> Result<&'static Self, Failure> {
        let found = ALL.iter().find(|example| example.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|example| example.name).collect();
            Failure::usage(format!(
                "there is no example {name:?}; this binary carries {}",
                names.join(", ")
            ))
        })
    }

    /// Where the manifest lies in the tree.
    pub fn file(&self) -> String {
        format!("examples/{}/pipeline.toml", self.name)
    }

    pub fn parse(&self) -> Result<Manifest, Failure> {
        Ok(parse::parse(&self.file(), self.manifest)?)
    }
}

/// A stage in the middle of the pipeline and another version of it, to try a swap with.
pub fn swap(manifest: &Manifest) -> Option<(&str, String)> {
    let (before, from_middle) = manifest.stages.split_at(manifest.stages.len() / 2);
    from_middle.iter().chain(before).find_map(|stage| {
        let (name, version) = stage.component.strip_prefix("builtin:")?.split_once('@')?;
        let other = bundles::ALL
            .iter()
            .find(|bundle| bundle.name == name && bundle.version != version)?;
        Some((stage.name.as_str(), format!("builtin:{name}@{}", other.version)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_manifest() {
        assert!(!ALL.is_empty());
        for example in ALL {
            example.parse().unwrap_or_else(|f| panic!("{}: {f}", example.file()));
        }
    }

    #[test]
    fn an_unknown_example_is_refused_with_those_there_are() {
        let failure = Example::named("nothing").err().expect("refused").to_string();
        assert!(failure.contains("payments") && failure.contains("nothing"), "{failure}");
    }
}
