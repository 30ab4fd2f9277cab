//! Native validators: before `init`, ready, and running.

use std::sync::Arc;

use fermata_core::ports::Failure;
use fermata_core::validation::{Opinion, ValidatorInstance, ValidatorVersion};
use fermata_core::{Digest, Fault, FaultCode, Input, Rejection, VersionId};
use fermata_validator::{Header, Record, Validator, Verdict};

use crate::executor::fault_of;
use crate::unwind::guarded;

type Judge = dyn Fn(&Input, Option<&[u8]>) -> Opinion + Send;
type Init = dyn Fn(&str) -> Result<Box<Judge>, String> + Send + Sync;

/// How to initialise one version of a validator.
#[derive(Clone)]
pub struct NativeValidator {
    reference: String,
    init: Arc<Init>,
}

impl NativeValidator {
    /// A validator type of the SDK. Its component has no name of its own, so it gets one here.
    pub fn of<V: Validator>(name: &str, version: &str) -> Self {
        Self::new(name, version, |config| {
            let validator: V = fermata_validator::init(config)?;
            Ok(Box::new(move |input, memo| {
                opinion(validator.validate(&record(input), memo.map(<[u8]>::to_vec)))
            }))
        })
    }

    /// A validator whose instances `init` makes from the JSON text of the configuration.
    pub fn new(
        name: &str,
        version: &str,
        init: impl Fn(&str) -> Result<Box<Judge>, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            reference: format!("{name}@{version}"),
            init: Arc::new(init),
        }
    }

    /// `name@version`.
    pub fn reference(&self) -> &str {
        &self.reference
    }
}

fn record(input: &Input) -> Record {
    let header = |header: &fermata_core::Header| Header {
        key: header.key.to_string(),
        value: header.value.as_ref().map(|value| value.to_vec()),
    };
    Record {
        key: input.key.as_ref().map(|key| key.to_vec()),
        value: input.value.as_ref().map(|value| value.to_vec()),
        headers: input.headers.iter().map(header).collect(),
        timestamp: input.timestamp.0,
    }
}

fn opinion((verdict, memo): (Verdict, Option<Vec<u8>>)) -> Opinion {
    let refusal = match verdict {
        Verdict::Accept => None,
        Verdict::Reject { code, reason } => Some(Rejection {
            code: code.to_owned(),
            reason,
        }),
    };
    Opinion {
        refusal,
        memo: memo.map(Into::into),
    }
}

pub struct NativeValidatorVersion {
    id: VersionId,
    validator: NativeValidator,
    config: String,
}

impl NativeValidatorVersion {
    pub fn new(component: Digest, validator: NativeValidator, config: &str) -> Self {
        Self {
            id: VersionId {
                component,
                config: Digest::of(config.as_bytes()),
            },
            validator,
            config: config.to_owned(),
        }
    }
}

impl ValidatorVersion for NativeValidatorVersion {
    fn id(&self) -> VersionId {
        self.id
    }
    fn instantiate(&self) -> Result<Box<dyn ValidatorInstance>, Fault> {
        let judge = guarded(|| (self.validator.init)(&self.config))
            .map_err(fault_of)?
            .map_err(|refused| Fault::new(FaultCode::Contract, refused))?;
        Ok(Box::new(Running(Some(judge))))
    }
}

/// `None` after a failure: dead.
struct Running(Option<Box<Judge>>);

impl ValidatorInstance for Running {
    fn validate(&mut self, input: &Input, memo: Option<&[u8]>) -> Result<Opinion, Failure> {
        let Some(judge) = self.0.take() else {
            return Err(Failure::Host(
                "the validator failed in an earlier call; make another".into(),
            ));
        };
        let result = guarded(|| judge(input, memo));
        if result.is_ok() {
            self.0 = Some(judge);
        }
        result
    }

    fn stretch(&mut self, _factor: u32) {
        // Native code has no deadline.
    }
}
