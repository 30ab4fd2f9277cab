//! A component with its configuration: makes instances that have passed `init`.

use crate::contract::StageExports;
use crate::instance::WasmInstance;
use crate::sandbox::Sandbox;
use fermata_core::description::Description;
use fermata_core::limits::Limits;
use fermata_core::manifest::secrets::Filled;
use fermata_core::ports::{Instance, Version};
use fermata_core::{Digest, Fault, FaultCode, VersionId};
use std::fmt;
use wasmtime::component::InstancePre;

pub struct WasmVersion {
    id: VersionId,
    pre: InstancePre<Sandbox>,
    exports: StageExports,
    description: Description,
    /// The configuration with its references: what journals carry.
    written: String,
    config: Filled,
    limits: Limits,
}

/// Why an instance did not come up.
pub enum StartError {
    /// `init` said no.
    Refused(String),
    Fault(Fault),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => f.write_str(reason),
            Self::Fault(fault) => write!(f, "it ended with {fault}"),
        }
    }
}

impl WasmVersion {
    pub fn new(
        component: Digest,
        pre: InstancePre<Sandbox>,
        exports: StageExports,
        description: Description,
        written: &str,
        config: Filled,
        limits: &Limits,
    ) -> Self {
        Self {
            id: VersionId {
                component,
                // Of the text with its references: a secret leaves no trace, and may change.
                config: Digest::of(written.as_bytes()),
            },
            pre,
            exports,
            description,
            written: written.to_owned(),
            config,
            limits: limits.clone(),
        }
    }

    /// A fresh instance after `init`.
    pub fn start(&self) -> Result<WasmInstance, StartError> {
        let mut instance = WasmInstance::raw(&self.pre, &self.exports, &self.limits).map_err(StartError::Fault)?;
        instance
            .init(&self.config.text)
            .map_err(|fault| StartError::Fault(Fault::new(fault.code, self.config.mask(fault.message))))?
            .map_err(|reason| StartError::Refused(self.config.mask(reason)))?;
        Ok(instance)
    }
}

impl Version for WasmVersion {
    fn id(&self) -> VersionId {
        self.id
    }
    fn description(&self) -> &Description {
        &self.description
    }
    fn setup(&self) -> Option<&str> {
        Some(&self.written)
    }
    fn instantiate(&self) -> Result<Box<dyn Instance>, Fault> {
        match self.start() {
            Ok(instance) => Ok(Box::new(instance)),
            Err(StartError::Fault(fault)) => Err(fault),
            Err(StartError::Refused(reason)) => Err(Fault::new(
                FaultCode::Contract,
                format!("init accepted this configuration before and refuses it now: {reason}"),
            )),
        }
    }
}
