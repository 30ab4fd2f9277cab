//! The port `Executor` over native stages.

use std::sync::Arc;

use fermata_core::description::Description;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor, Failure, GeneratorInstance, Instance, PrepareError, Version};
use fermata_core::validation::ValidatorVersion;
use fermata_core::{Digest, Fault, FaultCode, VersionId};
use fermata_stage::AnyStage;

use crate::component::NativeStage;
use crate::generator::RunningGenerator;
use crate::instance::NativeInstance;
use crate::registry::Registry;
use crate::unwind::guarded;
use crate::validator::NativeValidatorVersion;

/// Runs the stages of a [`Registry`]. Limits on fuel, memory and wall time do not bind native code.
#[derive(Clone)]
pub struct NativeExecutor {
    registry: Arc<Registry>,
}

impl NativeExecutor {
    pub fn new(registry: Registry) -> Self {
        Self {
            registry: Arc::new(registry),
        }
    }
}

impl Default for NativeExecutor {
    /// The stages of this workspace.
    fn default() -> Self {
        Self::new(crate::builtin::registry())
    }
}

impl Executor for NativeExecutor {
    fn prepare(&self, component: &Artifact, config: &str, _limits: &Limits) -> Result<Arc<dyn Version>, PrepareError> {
        let stage = self.registry.find_stage(component)?.clone();
        init(&stage, config).map_err(|refused| PrepareError::Init(refused.message))?;
        Ok(Arc::new(NativeVersion {
            id: VersionId {
                component: component.digest,
                config: Digest::of(config.as_bytes()),
            },
            stage,
            config: config.to_owned(),
        }))
    }

    fn validator(
        &self,
        component: &Artifact,
        config: &str,
        _limits: &Limits,
    ) -> Result<Arc<dyn ValidatorVersion>, PrepareError> {
        let validator = self.registry.find_validator(component)?.clone();
        let version = NativeValidatorVersion::new(component.digest, validator, config);
        version
            .instantiate()
            .map_err(|refused| PrepareError::Init(refused.message))?;
        Ok(Arc::new(version))
    }

    fn generator(
        &self,
        component: &Artifact,
        config: &str,
        seed: u64,
    ) -> Result<Box<dyn GeneratorInstance>, PrepareError> {
        let generator = self.registry.find_generator(component)?;
        let (running, plan) = guarded(|| generator.init(config, seed))
            .map_err(|failure| PrepareError::Init(fault_of(failure).message))?
            .map_err(PrepareError::Init)?;
        Ok(Box::new(RunningGenerator::new(running, plan)))
    }

    fn name(&self) -> &str {
        concat!("native ", env!("CARGO_PKG_VERSION"))
    }
}

struct NativeVersion {
    id: VersionId,
    stage: NativeStage,
    config: String,
}

impl Version for NativeVersion {
    fn id(&self) -> VersionId {
        self.id
    }
    fn description(&self) -> &Description {
        &self.stage.description
    }
    fn setup(&self) -> Option<&str> {
        Some(&self.config)
    }
    fn instantiate(&self) -> Result<Box<dyn Instance>, Fault> {
        Ok(Box::new(NativeInstance::new(init(&self.stage, &self.config)?)))
    }
}

fn init(stage: &NativeStage, config: &str) -> Result<Box<dyn AnyStage>, Fault> {
    guarded(|| stage.init(config))
        .map_err(fault_of)?
        .map_err(|refused| Fault::new(FaultCode::Contract, refused))
}

/// `init` has no host to be refused by, so its failures are faults of its own.
pub(crate) fn fault_of(failure: Failure) -> Fault {
    match failure {
        Failure::Fault(fault) => fault,
        Failure::Deadline => Fault::new(FaultCode::Trap, "ran out of wall time"),
        Failure::Host(why) => Fault::new(FaultCode::Trap, why),
    }
}
