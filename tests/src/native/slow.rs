//! Stages whose timers do not end in time, for as long as a test wants.

use fermata_core::description::Description;
use fermata_core::limits::Limits;
use fermata_core::ports::{
    Artifact, Called, Executor, Failure, GeneratorInstance, HostCalls, Instance, PrepareError, Version, ViewError,
};
use fermata_core::{Due, Fault, Input, Outcome, VersionId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// While it is set, timers with this id meet their deadline, however long it is.
pub const SLOW_TIMER: &str = "slow";

#[derive(Clone)]
pub struct SlowTimers {
    pub executor: Arc<dyn Executor>,
    pub slow: Arc<AtomicBool>,
}

impl Executor for SlowTimers {
    fn prepare(&self, component: &Artifact, config: &str, limits: &Limits) -> Result<Arc<dyn Version>, PrepareError> {
        let version = self.executor.prepare(component, config, limits)?;
        let slow = self.slow.clone();
        Ok(Arc::new(SlowVersion { version, slow }))
    }
    fn generator(
        &self,
        component: &Artifact,
        config: &str,
        seed: u64,
    ) -> Result<Box<dyn GeneratorInstance>, PrepareError> {
        self.executor.generator(component, config, seed)
    }
    fn name(&self) -> &str {
        self.executor.name()
    }
}

struct SlowVersion {
    version: Arc<dyn Version>,
    slow: Arc<AtomicBool>,
}

impl Version for SlowVersion {
    fn id(&self) -> VersionId {
        self.version.id()
    }
    fn description(&self) -> &Description {
        self.version.description()
    }
    fn instantiate(&self) -> Result<Box<dyn Instance>, Fault> {
        let instance = self.version.instantiate()?;
        let slow = self.slow.clone();
        Ok(Box::new(SlowInstance { instance, slow }))
    }
}

struct SlowInstance {
    instance: Box<dyn Instance>,
    slow: Arc<AtomicBool>,
}

impl Instance for SlowInstance {
    fn process(&mut self, input: Input, host: Box<dyn HostCalls>) -> Called<Outcome> {
        self.instance.process(input, host)
    }
    fn fired(&mut self, due: Due, host: Box<dyn HostCalls>) -> Called<Outcome> {
        if due.id == SLOW_TIMER && self.slow.load(Ordering::SeqCst) {
            let result = Err(Failure::Deadline);
            return Called { result, host, fuel: 0 };
        }
        self.instance.fired(due, host)
    }
    fn query(&mut self, view: &str, params: &str, host: Box<dyn HostCalls>) -> Called<Result<String, ViewError>> {
        self.instance.query(view, params, host)
    }
    fn merge(
        &mut self,
        view: &str,
        params: &str,
        partials: Vec<String>,
        host: Box<dyn HostCalls>,
    ) -> Called<Result<String, ViewError>> {
        self.instance.merge(view, params, partials, host)
    }
    fn stretch(&mut self, factor: u32) {
        self.instance.stretch(factor);
    }
}
