//! A stage's component with the validators in front of it: prepared as one, known as one version, recorded as one.
//!
//! A version is known by the digests of its component and of its *setup*: the text that the journal keeps and replays
//! prepare from. Without validators the setup is the configuration, a JSON object. With validators it is a list of
//! that object and of the validators, each with its digest, configuration and policy: whatever of them changes is
//! another version, with a cutover and a receipt of its own.

use crate::control::Refusal;
use fermata_core::description::Description;
use fermata_core::limits::Limits;
use fermata_core::manifest::Stage;
use fermata_core::ports::{Artifact, Artifacts, Executor, Instance, Version};
use fermata_core::validation::{Attached, Policy};
use fermata_core::{Digest, Fault, VersionId, codes};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// One validator, as a setup has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Guard {
    #[serde(flatten)]
    policy: Policy,
    component: Digest,
    config: serde_json::Value,
}

/// The setup that the manifest asks for. Finds, and so keeps, the bytes of each validator.
pub fn setup(stage: &Stage, artifacts: &dyn Artifacts) -> Result<String, Refusal> {
    if stage.validators.is_empty() {
        return Ok(stage.config.to_string());
    }
    let guards = stage.validators.iter().map(|validator| {
        let artifact = artifacts.resolve(&validator.component);
        let artifact = artifact.map_err(|error| of(&validator.policy, error.into()))?;
        Ok(Guard {
            policy: validator.policy.clone(),
            component: artifact.digest,
            config: validator.config.clone(),
        })
    });
    let guards = guards.collect::<Result<Vec<_>, Refusal>>()?;
    Ok(serde_json::to_string(&(&stage.config, guards)).expect("JSON, texts and numbers"))
}

/// Compiles, describes and initialises the component and every validator of `setup`. Limits of validators are in the
/// setup; `limits` are the stage's.
pub fn prepare(
    executor: &dyn Executor,
    artifacts: &dyn Artifacts,
    component: &Artifact,
    setup: &str,
    limits: &Limits,
) -> Result<Arc<dyn Version>, Refusal> {
    if !setup.starts_with('[') {
        return Ok(executor.prepare(component, setup, limits)?);
    }
    let (config, guards): (&RawValue, Vec<Guard>) = serde_json::from_str(setup).map_err(|error| {
        let because = format!("the setup of {} cannot be read: {error}", component.digest);
        Refusal::new(codes::CONTROL_REFUSED, because)
    })?;
    let stage = executor.prepare(component, config.get(), limits)?;
    let validators = guards
        .into_iter()
        .map(|guard| attach(executor, artifacts, &guard).map_err(|refusal| of(&guard.policy, refusal)));
    Ok(Arc::new(Guarded {
        id: VersionId {
            component: stage.id().component,
            config: Digest::of(setup.as_bytes()),
        },
        setup: setup.to_owned(),
        validators: validators.collect::<Result<_, _>>()?,
        stage,
    }))
}

fn attach(executor: &dyn Executor, artifacts: &dyn Artifacts, guard: &Guard) -> Result<Attached, Refusal> {
    let artifact = artifacts.get(&guard.component)?;
    let version = executor.validator(&artifact, &guard.config.to_string(), &guard.policy.limits.into())?;
    Ok(Attached {
        policy: guard.policy.clone(),
        version,
    })
}

fn of(policy: &Policy, refusal: Refusal) -> Refusal {
    Refusal::new(refusal.code, format!("validator {}: {}", policy.name, refusal.because))
}

struct Guarded {
    id: VersionId,
    setup: String,
    stage: Arc<dyn Version>,
    validators: Vec<Attached>,
}

impl Version for Guarded {
    fn id(&self) -> VersionId {
        self.id
    }
    fn description(&self) -> &Description {
        self.stage.description()
    }
    fn instantiate(&self) -> Result<Box<dyn Instance>, Fault> {
        self.stage.instantiate()
    }
    fn setup(&self) -> Option<&str> {
        Some(&self.setup)
    }
    fn validators(&self) -> &[Attached] {
        &self.validators
    }
}
