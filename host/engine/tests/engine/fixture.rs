//! The engine as the tests use it.

use crate::guest::Stage;
use crate::host::Host;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor, Failure, Instance, PrepareError, Version};
use fermata_core::{Fault, FaultCode, Input, Outcome, Timestamp};
use fermata_engine::{Compile, EngineOptions, WasmExecutor};
use std::sync::{Arc, LazyLock};

/// One engine for all tests that need nothing special of it.
pub static ENGINE: LazyLock<WasmExecutor> = LazyLock::new(|| {
    WasmExecutor::new(EngineOptions {
        compile: Compile::InProcess,
        cache: None,
    })
    .expect("an engine")
});

pub fn prepare(artifact: &Artifact) -> Result<Arc<dyn Version>, PrepareError> {
    ENGINE.prepare(artifact, "{}", &Limits::default())
}

pub fn refused(artifact: &Artifact) -> PrepareError {
    match prepare(artifact) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error,
    }
}

pub fn running(stage: &Stage) -> Box<dyn Instance> {
    running_within(stage, &Limits::default())
}

pub fn running_within(stage: &Stage, limits: &Limits) -> Box<dyn Instance> {
    let version = ENGINE
        .prepare(&stage.build(), "{}", limits)
        .unwrap_or_else(|e| panic!("{e}"));
    version.instantiate().expect("an instance")
}

pub fn input(value: &[u8]) -> Input {
    Input {
        port: "in".into(),
        key: Some("k".into()),
        value: Some(value.to_vec().into()),
        headers: vec![],
        timestamp: Timestamp(7),
        verdicts: vec![],
    }
}

/// What came of one call.
pub struct Ended {
    pub result: Result<Outcome, Failure>,
    pub host: Host,
    pub fuel: u64,
}

impl Ended {
    pub fn fault(&self) -> &Fault {
        match &self.result {
            Err(Failure::Fault(fault)) => fault,
            other => panic!("no fault but {other:?}"),
        }
    }
    pub fn code(&self) -> FaultCode {
        self.fault().code
    }
    /// The value of the one emission.
    pub fn value(&self) -> Vec<u8> {
        match &self.result {
            Ok(Ok(emissions)) if emissions.len() == 1 => emissions[0].value.as_ref().expect("a value").to_vec(),
            other => panic!("not one emission but {other:?}"),
        }
    }
    /// The number that `$emit_number` emitted.
    pub fn number(&self) -> u64 {
        u64::from_le_bytes(self.value().try_into().expect("eight bytes"))
    }
}

pub fn call(instance: &mut Box<dyn Instance>, value: &[u8], host: Host) -> Ended {
    let called = instance.process(input(value), Box::new(host));
    Ended {
        result: called.result,
        host: Host::back(called.host),
        fuel: called.fuel,
    }
}

/// One record through a fresh instance.
pub fn once(stage: &Stage) -> Ended {
    once_within(stage, &Limits::default())
}

pub fn once_within(stage: &Stage, limits: &Limits) -> Ended {
    call(&mut running_within(stage, limits), b"value", Host::new())
}
