//! One running native generator.

use fermata_core::ports::{GeneratorInstance, Plan};
use fermata_core::{Emission, Fault, Timestamp};
use fermata_stage::AnyGenerator;

use crate::convert;
use crate::executor::fault_of;
use crate::unwind::guarded;

pub struct RunningGenerator {
    generator: Box<dyn AnyGenerator>,
    plan: Plan,
}

impl RunningGenerator {
    pub fn new(generator: Box<dyn AnyGenerator>, plan: Plan) -> Self {
        Self { generator, plan }
    }
}

impl GeneratorInstance for RunningGenerator {
    fn plan(&self) -> &Plan {
        &self.plan
    }
    fn next(&mut self, sequence: u64, due: Timestamp) -> Result<Vec<Emission>, Fault> {
        guarded(|| self.generator.next(sequence, due.0))
            .map(|emissions| emissions.into_iter().map(convert::emission).collect())
            .map_err(fault_of)
    }
}
