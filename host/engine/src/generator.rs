//! A running generator.

use crate::bindings::generation;
use crate::call::Guest;
use crate::convert;
use crate::quiet::Quiet;
use crate::sandbox::Sandbox;
use fermata_core::limits::Limits;
use fermata_core::ports::{GeneratorInstance, Plan, PrepareError};
use fermata_core::{Emission, Fault, Timestamp};
use wasmtime::component::InstancePre;

pub struct WasmGenerator {
    guest: Guest,
    generation: generation::Guest,
    plan: Plan,
}

impl WasmGenerator {
    /// Instantiates and runs `init`.
    pub fn start(
        pre: &InstancePre<Sandbox>,
        exports: &generation::GuestIndices,
        config: &str,
        seed: u64,
    ) -> Result<Self, PrepareError> {
        let fault = |fault: Fault| PrepareError::Init(format!("it ended with {fault}"));
        let (mut guest, generation) =
            Guest::instantiate(pre, &Limits::default(), |store, instance| exports.load(store, instance))
                .map_err(fault)?;
        let plan = guest
            .call_quietly(Quiet::boxed("init", 0), |store| {
                generation.call_init(store, config, seed)
            })
            .map_err(fault)?
            .map_err(PrepareError::Init)?;
        Ok(Self {
            guest,
            generation,
            plan: Plan {
                outputs: plan.outputs,
                setup: plan.setup,
            },
        })
    }
}

impl GeneratorInstance for WasmGenerator {
    fn plan(&self) -> &Plan {
        &self.plan
    }
    fn next(&mut self, sequence: u64, due: Timestamp) -> Result<Vec<Emission>, Fault> {
        let generation = &self.generation;
        let emissions = self.guest.call_quietly(Quiet::boxed("next", 0), |store| {
            generation.call_next(store, sequence, due.0)
        })?;
        Ok(convert::emissions(emissions))
    }
}
