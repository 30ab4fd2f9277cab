//! A validator with its configuration, and running.

use crate::bindings::validation::{self, Header, Subject};
use crate::budget::Budget;
use crate::call::Guest;
use crate::quiet::Quiet;
use crate::sandbox::Sandbox;
use crate::version::StartError;
use fermata_core::limits::Limits;
use fermata_core::manifest::secrets::Filled;
use fermata_core::ports::Failure;
use fermata_core::validation::{Opinion, ValidatorInstance, ValidatorVersion};
use fermata_core::{Digest, Fault, FaultCode, Input, Rejection, VersionId};
use wasmtime::component::InstancePre;

pub struct WasmValidator {
    id: VersionId,
    pre: InstancePre<Sandbox>,
    exports: validation::GuestIndices,
    config: Filled,
    limits: Limits,
}

impl WasmValidator {
    pub fn new(
        component: Digest,
        pre: InstancePre<Sandbox>,
        exports: validation::GuestIndices,
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
            config,
            limits: limits.clone(),
        }
    }

    /// A fresh instance after `init`.
    pub fn start(&self) -> Result<RunningValidator, StartError> {
        let (mut guest, validation) = Guest::instantiate(&self.pre, &self.limits, |store, instance| {
            self.exports.load(store, instance)
        })
        .map_err(StartError::Fault)?;
        guest
            .call_quietly(Quiet::boxed("init", 0), |store| {
                validation.call_init(store, &self.config.text)
            })
            .map_err(|fault| StartError::Fault(Fault::new(fault.code, self.config.mask(fault.message))))?
            .map_err(|reason| StartError::Refused(self.config.mask(reason)))?;
        Ok(RunningValidator {
            guest,
            validation,
            limits: self.limits.clone(),
            stretch: 1,
        })
    }
}

impl ValidatorVersion for WasmValidator {
    fn id(&self) -> VersionId {
        self.id
    }
    fn instantiate(&self) -> Result<Box<dyn ValidatorInstance>, Fault> {
        match self.start() {
            Ok(running) => Ok(Box::new(running)),
            Err(StartError::Fault(fault)) => Err(fault),
            Err(StartError::Refused(reason)) => Err(Fault::new(
                FaultCode::Contract,
                format!("init accepted this configuration before and refuses it now: {reason}"),
            )),
        }
    }
}

pub struct RunningValidator {
    guest: Guest,
    validation: validation::Guest,
    limits: Limits,
    stretch: u32,
}

impl ValidatorInstance for RunningValidator {
    fn validate(&mut self, input: &Input, memo: Option<&[u8]>) -> Result<Opinion, Failure> {
        let headers: Vec<Header<'_>> = input
            .headers
            .iter()
            .map(|header| Header {
                key: &header.key,
                value: header.value.as_deref(),
            })
            .collect();
        let subject = Subject {
            key: input.key.as_deref(),
            value: input.value.as_deref(),
            headers: &headers,
            timestamp: input.timestamp.0,
        };
        let validation = &self.validation;
        let budget = Budget::record(&self.limits, self.stretch);
        // Nothing can be asked of it: a validator has no imports.
        let called = self.guest.call(Quiet::boxed("validate", 0), budget, |store| {
            validation.call_validate(store, subject, memo)
        });
        let (refusal, memo) = called.result?;
        Ok(Opinion {
            refusal: refusal.map(|r| Rejection {
                code: r.code,
                reason: r.reason,
            }),
            memo: memo.map(Into::into),
        })
    }

    fn stretch(&mut self, factor: u32) {
        self.stretch = factor.max(1);
    }
}
