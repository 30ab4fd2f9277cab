//! Which native components there are, by name and version.

use std::collections::BTreeMap;

use fermata_core::ports::{Artifact, PrepareError};
use fermata_stage::{Generator, Stage};

use crate::component::{NativeGenerator, NativeStage};
use crate::validator::NativeValidator;

/// First bytes of every native "component".
const PREFIX: &str = "native:";

/// The bytes that stand for a component: `native:<name>@<version>`.
pub fn component_bytes(name: &str, version: &str) -> Vec<u8> {
    format!("{PREFIX}{name}@{version}").into_bytes()
}

/// Native stages, generators and validators, by `name@version`.
#[derive(Clone, Default)]
pub struct Registry {
    stages: BTreeMap<String, NativeStage>,
    generators: BTreeMap<String, NativeGenerator>,
    validators: BTreeMap<String, NativeValidator>,
}

impl Registry {
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a stage type.
    pub fn stage<S: Stage>(self) -> Self {
        self.with(NativeStage::of::<S>())
    }

    /// Adds a stage made by hand; one of the same name and version is replaced.
    pub fn with(mut self, stage: NativeStage) -> Self {
        self.stages.insert(stage.reference(), stage);
        self
    }

    /// Adds a generator type.
    pub fn generator<G: Generator>(mut self) -> Self {
        let generator = NativeGenerator::of::<G>();
        self.generators.insert(generator.reference(), generator);
        self
    }

    /// Adds a validator; one of the same name and version is replaced.
    pub fn validator(mut self, validator: NativeValidator) -> Self {
        self.validators.insert(validator.reference().to_owned(), validator);
        self
    }

    /// `name@version` of everything registered, stages first.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let others = self.generators.keys().chain(self.validators.keys());
        self.stages.keys().chain(others).map(String::as_str)
    }

    pub(crate) fn find_stage(&self, component: &Artifact) -> Result<&NativeStage, PrepareError> {
        let reference = reference(component)?;
        self.stages
            .get(reference)
            .ok_or_else(|| self.unknown(reference, "stage"))
    }

    pub(crate) fn find_generator(&self, component: &Artifact) -> Result<&NativeGenerator, PrepareError> {
        let reference = reference(component)?;
        self.generators
            .get(reference)
            .ok_or_else(|| self.unknown(reference, "generator"))
    }

    pub(crate) fn find_validator(&self, component: &Artifact) -> Result<&NativeValidator, PrepareError> {
        let reference = reference(component)?;
        self.validators
            .get(reference)
            .ok_or_else(|| self.unknown(reference, "validator"))
    }

    fn unknown(&self, reference: &str, kind: &str) -> PrepareError {
        let known: Vec<&str> = self.references().collect();
        PrepareError::NotAComponent(format!(
            "no native {kind} {reference}; registered: {}",
            known.join(", ")
        ))
    }
}

/// `name@version` from a native component's bytes.
fn reference(component: &Artifact) -> Result<&str, PrepareError> {
    std::str::from_utf8(&component.bytes)
        .ok()
        .and_then(|text| text.strip_prefix(PREFIX))
        .ok_or_else(|| {
            PrepareError::NotAComponent(format!(
                "{} bytes with digest {} do not begin with `{PREFIX}`: the native executor runs no WebAssembly",
                component.bytes.len(),
                component.digest
            ))
        })
}
