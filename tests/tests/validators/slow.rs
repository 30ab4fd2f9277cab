//! Validators that do not end in time on one record, as on a machine that had better things to do; a replay elsewhere
//! has the time.

use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor, Failure, GeneratorInstance, PrepareError, Version};
use fermata_core::validation::{Opinion, ValidatorInstance, ValidatorVersion};
use fermata_core::{Fault, Input, VersionId};
use std::sync::Arc;

/// Value of the record.
pub const SLOW: &str = "slow";

pub struct SlowValidators<'a>(pub &'a dyn Executor);

impl Executor for SlowValidators<'_> {
    fn prepare(&self, component: &Artifact, config: &str, limits: &Limits) -> Result<Arc<dyn Version>, PrepareError> {
        self.0.prepare(component, config, limits)
    }
    fn validator(
        &self,
        component: &Artifact,
        config: &str,
        limits: &Limits,
    ) -> Result<Arc<dyn ValidatorVersion>, PrepareError> {
        Ok(Arc::new(Slow(self.0.validator(component, config, limits)?)))
    }
    fn generator(
        &self,
        component: &Artifact,
        config: &str,
        seed: u64,
    ) -> Result<Box<dyn GeneratorInstance>, PrepareError> {
        self.0.generator(component, config, seed)
    }
    fn name(&self) -> &str {
        self.0.name()
    }
}

struct Slow(Arc<dyn ValidatorVersion>);

impl ValidatorVersion for Slow {
    fn id(&self) -> VersionId {
        self.0.id()
    }
    fn instantiate(&self) -> Result<Box<dyn ValidatorInstance>, Fault> {
        Ok(Box::new(SlowInstance(self.0.instantiate()?)))
    }
}

struct SlowInstance(Box<dyn ValidatorInstance>);

impl ValidatorInstance for SlowInstance {
    fn validate(&mut self, input: &Input, memo: Option<&[u8]>) -> Result<Opinion, Failure> {
        match input.value.as_deref() == Some(SLOW.as_bytes()) {
            true => Err(Failure::Deadline),
            false => self.0.validate(input, memo),
        }
    }
    fn stretch(&mut self, factor: u32) {
        self.0.stretch(factor);
    }
}
