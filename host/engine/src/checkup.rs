//! All that is looked at before a component may run, one check at a time, so that its author sees how far it came.

use crate::contract::{self, StageExports};
use crate::executor::{WasmExecutor, expect_json};
use crate::generator::WasmGenerator;
use crate::version::WasmVersion;
use fermata_core::description::Description;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor, GeneratorInstance, Plan, PrepareError};

/// Seed of a generator that is only tried.
const SEED: u64 = 1;

/// What a component is made for: a world of `fermata:stage@0.1.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    Stage,
    Validator,
    Generator,
}

impl World {
    pub const ALL: [Self; 3] = [Self::Stage, Self::Validator, Self::Generator];

    pub fn name(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Validator => "validator",
            Self::Generator => "generator",
        }
    }

    /// The interface whose export tells this world from the others.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Stage => contract::PROCESSOR,
            Self::Validator => contract::VALIDATION,
            Self::Generator => contract::GENERATION,
        }
    }
}

/// One check: what was found good, or why the component is refused.
#[derive(Clone, Debug)]
pub struct Finding {
    pub check: &'static str,
    pub result: Result<String, PrepareError>,
}

/// Everything that was found. After the first check that fails there are no more.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    pub findings: Vec<Finding>,
    pub world: Option<World>,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Of a stage.
    pub description: Option<Description>,
    /// Of a generator.
    pub plan: Option<Plan>,
}

impl Checkup {
    pub fn ok(&self) -> bool {
        self.refusal().is_none()
    }

    /// Why the component is refused.
    pub fn refusal(&self) -> Option<&PrepareError> {
        self.findings.last().and_then(|last| last.result.as_ref().err())
    }

    fn note<T>(
        &mut self,
        check: &'static str,
        result: Result<T, PrepareError>,
        good: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let (found, value) = match result {
            Ok(value) => (Ok(good(&value)), Some(value)),
            Err(error) => (Err(error), None),
        };
        self.findings.push(Finding { check, result: found });
        value
    }
}

impl WasmExecutor {
    /// Does what preparing a component does. `config`: JSON text for `init`; `None`: it is not called.
    pub fn checkup(&self, artifact: &Artifact, config: Option<&str>, limits: &Limits) -> Checkup {
        let mut checkup = Checkup::default();
        // What was found stays in `checkup`; the answer only ends the sequence at the first failure.
        let _ = self.look(&mut checkup, artifact, config, limits);
        checkup
    }

    fn look(&self, checkup: &mut Checkup, artifact: &Artifact, config: Option<&str>, limits: &Limits) -> Option<()> {
        let kib = artifact.bytes.len().div_ceil(1 << 10);
        checkup.note("format", Self::expect_component(artifact), |()| {
            format!("a component of {kib} KiB")
        })?;
        let component = checkup.note("compile", self.machine_code(artifact), |_| {
            format!("compiles for {}", std::env::consts::ARCH)
        })?;
        checkup.imports = contract::imports(&component);
        let world = World::ALL
            .into_iter()
            .find(|world| contract::exports(&component, world.interface()));
        checkup.world = world;
        let world = checkup.note("world", world.ok_or_else(|| contract::no_world(&component)), |world| {
            world.name().to_owned()
        })?;
        let pre = match world {
            World::Validator => contract::link_alone(&component),
            World::Stage | World::Generator => contract::link(self.linker(), &component),
        };
        let imports = match checkup.imports.len() {
            0 => "none".to_owned(),
            _ => checkup.imports.join(", "),
        };
        let pre = checkup.note("imports", pre, |_| imports)?;
        match world {
            World::Stage => {
                let exports = checkup.note("exports", StageExports::find(&pre), |exports| exports.list())?;
                let description = checkup.note("describe", self.describe(&pre, &exports, limits), |told| {
                    format!("{} {}, twice the same", told.name, told.version)
                })?;
                checkup.description = Some(description.clone());
                let Some(config) = config else { return Some(()) };
                let filled =
                    expect_json(config).and_then(|()| self.configs().ready(config, Some(&description.config_schema)));
                let started = filled.and_then(|filled| {
                    let version = WasmVersion::new(artifact.digest, pre, exports, description, config, filled, limits);
                    version
                        .start()
                        .map(drop)
                        .map_err(|end| PrepareError::Init(end.to_string()))
                });
                checkup.note("init", started, |()| "accepts the configuration".to_owned())
            }
            World::Generator => {
                let exports = checkup.note("exports", contract::generator(&pre), |_| "generation".to_owned())?;
                let Some(config) = config else { return Some(()) };
                let plan = expect_json(config).and_then(|()| {
                    let generator = WasmGenerator::start(&pre, &exports, config, SEED)?;
                    Ok(generator.plan().clone())
                });
                let plan = checkup.note("init", plan, |plan| {
                    format!("{} set-up records, writes to {}", plan.setup, plan.outputs.join(", "))
                })?;
                checkup.plan = Some(plan);
                Some(())
            }
            World::Validator => {
                let Some(config) = config else { return Some(()) };
                let started = self.validator(artifact, config, limits).map(drop);
                checkup.note("init", started, |()| "accepts the configuration".to_owned())
            }
        }
    }
}
