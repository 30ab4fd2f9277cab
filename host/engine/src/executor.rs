//! The executor: one engine for the process.

use crate::bindings::processor;
use crate::cache::Cache;
use crate::compiler::Compile;
use crate::contract::{self, StageExports};
use crate::generator::WasmGenerator;
use crate::instance::WasmInstance;
use crate::native_code::{self, OwnOutput};
use crate::sandbox::Sandbox;
use crate::validator::WasmValidator;
use crate::version::WasmVersion;
use crate::{convert, description, format, imports, settings, ticker};
use fermata_core::description::Description;
use fermata_core::limits::Limits;
use fermata_core::manifest::secrets::Filled;
use fermata_core::ports::{Artifact, Configs, Executor, GeneratorInstance, PrepareError, Version};
use fermata_core::validation::ValidatorVersion;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

#[derive(Clone, Debug)]
pub struct EngineOptions {
    pub compile: Compile,
    /// Folder for machine code, made when missing and private to this user. `None`: every prepare compiles.
    pub cache: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the WebAssembly engine cannot start on this machine: {0}")]
    Engine(String),
    #[error("the WebAssembly engine's timer thread cannot start: {0}")]
    Ticker(io::Error),
    #[error("the cache of machine code in {folder} cannot be opened: {found}")]
    Cache { folder: PathBuf, found: io::Error },
}

/// What [`WasmExecutor::inspect`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspected {
    Stage(Description),
    /// It says nothing of itself, and imports nothing.
    Validator,
}

/// The [`Executor`] of components.
pub struct WasmExecutor {
    engine: Engine,
    linker: Linker<Sandbox>,
    compile: Compile,
    cache: Option<Cache>,
    configs: Arc<dyn Configs>,
}

/// Every configuration is given to `init` as it is written.
struct AsWritten;

impl Configs for AsWritten {
    fn ready(&self, config: &str, _: Option<&str>) -> Result<Filled, PrepareError> {
        Ok(Filled::plain(config))
    }
}

impl WasmExecutor {
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let failed = |error: wasmtime::Error| EngineError::Engine(format!("{error:#}"));
        let engine = Engine::new(&settings::config()).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        imports::define(&mut linker).map_err(failed)?;
        let cache = options
            .cache
            .map(|folder| Cache::open(&folder, &engine).map_err(|found| EngineError::Cache { folder, found }))
            .transpose()?;
        // It ends by itself with the last user of the engine, which may outlive this executor.
        ticker::start(&engine).map_err(EngineError::Ticker)?;
        Ok(Self {
            engine,
            linker,
            compile: options.compile,
            cache,
            configs: Arc::new(AsWritten),
        })
    }

    /// Lets every configuration pass through `configs` before a component sees it.
    pub fn with_configs(mut self, configs: Arc<dyn Configs>) -> Self {
        self.configs = configs;
        self
    }

    /// What a component is, without starting it: no configuration is needed.
    pub fn inspect(&self, component: &Artifact, limits: &Limits) -> Result<Inspected, PrepareError> {
        let machine_code = self.machine_code(component)?;
        if contract::is_validator(&machine_code) {
            contract::validator(&contract::link_alone(&machine_code)?)?;
            return Ok(Inspected::Validator);
        }
        let pre = contract::link(&self.linker, &machine_code)?;
        let exports = StageExports::find(&pre)?;
        self.describe(&pre, &exports, limits).map(Inspected::Stage)
    }

    /// Machine code of a component, from the cache or the compiler, loaded and connected with its imports.
    fn link(&self, artifact: &Artifact) -> Result<InstancePre<Sandbox>, PrepareError> {
        contract::link(&self.linker, &self.machine_code(artifact)?)
    }

    pub(crate) fn expect_component(artifact: &Artifact) -> Result<(), PrepareError> {
        format::expect_component(&artifact.bytes).map_err(PrepareError::NotAComponent)
    }

    pub(crate) fn configs(&self) -> &dyn Configs {
        &*self.configs
    }

    pub(crate) fn linker(&self) -> &Linker<Sandbox> {
        &self.linker
    }

    pub(crate) fn machine_code(&self, artifact: &Artifact) -> Result<Component, PrepareError> {
        Self::expect_component(artifact)?;
        match self.cached(artifact) {
            Some(component) => Ok(component),
            None => self.compiled(artifact),
        }
    }

    fn cached(&self, artifact: &Artifact) -> Option<Component> {
        let code = self.cache.as_ref()?.get(&artifact.digest)?;
        native_code::load(&self.engine, &code)
            .inspect_err(|error| {
                tracing::warn!(component = %artifact.digest, "cached machine code does not load, compiling again: {error:#}");
            })
            .ok()
    }

    fn compiled(&self, artifact: &Artifact) -> Result<Component, PrepareError> {
        let code = match &self.cache {
            Some(cache) => self.compile.run(&self.engine, &artifact.bytes, cache.folder())?,
            None => self.compile.run(&self.engine, &artifact.bytes, &std::env::temp_dir())?,
        };
        self.keep(artifact, &code);
        native_code::load(&self.engine, &code)
            .map_err(|error| PrepareError::Host(format!("machine code just compiled does not load: {error:#}")))
    }

    /// Not being able to keep machine code costs time, nothing else.
    fn keep(&self, artifact: &Artifact, code: &OwnOutput) {
        if let Some(cache) = &self.cache
            && let Err(found) = cache.put(&artifact.digest, code)
        {
            tracing::warn!(component = %artifact.digest, "machine code cannot be kept: {found}");
        }
    }

    /// Asks two fresh instances, which must agree although they see another time and other random numbers.
    pub(crate) fn describe(
        &self,
        pre: &InstancePre<Sandbox>,
        exports: &StageExports,
        limits: &Limits,
    ) -> Result<Description, PrepareError> {
        let ask = |chance| -> Result<processor::Description, PrepareError> {
            WasmInstance::raw(pre, exports, limits)
                .and_then(|mut instance| instance.describe(chance))
                .map_err(|fault| PrepareError::Contract(format!("describe does not answer: {fault}")))
        };
        let first = convert::description(ask(0)?);
        let second = convert::description(ask(1)?);
        if first != second {
            return Err(PrepareError::Contract(
                "describe answers differently when asked again; it must depend on nothing".into(),
            ));
        }
        description::check(&first, exports).map_err(PrepareError::Contract)?;
        Ok(first)
    }
}

impl Executor for WasmExecutor {
    fn prepare(&self, component: &Artifact, config: &str, limits: &Limits) -> Result<Arc<dyn Version>, PrepareError> {
        expect_json(config)?;
        let pre = self.link(component)?;
        let exports = StageExports::find(&pre)?;
        let description = self.describe(&pre, &exports, limits)?;
        let filled = self.configs.ready(config, Some(&description.config_schema))?;
        let version = WasmVersion::new(component.digest, pre, exports, description, config, filled, limits);
        version.start().map_err(|end| PrepareError::Init(end.to_string()))?;
        Ok(Arc::new(version))
    }

    fn validator(
        &self,
        component: &Artifact,
        config: &str,
        limits: &Limits,
    ) -> Result<Arc<dyn ValidatorVersion>, PrepareError> {
        expect_json(config)?;
        let pre = contract::link_alone(&self.machine_code(component)?)?;
        let exports = contract::validator(&pre)?;
        let filled = self.configs.ready(config, None)?;
        let version = WasmValidator::new(component.digest, pre, exports, config, filled, limits);
        version.start().map_err(|end| PrepareError::Init(end.to_string()))?;
        Ok(Arc::new(version))
    }

    fn generator(
        &self,
        component: &Artifact,
        config: &str,
        seed: u64,
    ) -> Result<Box<dyn GeneratorInstance>, PrepareError> {
        expect_json(config)?;
        let pre = self.link(component)?;
        let exports = contract::generator(&pre)?;
        let filled = self.configs.ready(config, None)?;
        let started = WasmGenerator::start(&pre, &exports, &filled.text, seed);
        let started = started.map_err(|error| match error {
            PrepareError::Init(said) => PrepareError::Init(filled.mask(said)),
            other => other,
        });
        Ok(Box::new(started?))
    }

    fn name(&self) -> &str {
        settings::NAME
    }
}

pub(crate) fn expect_json(config: &str) -> Result<(), PrepareError> {
    serde_json::from_str::<serde::de::IgnoredAny>(config)
        .map(|_| ())
        .map_err(|e| PrepareError::Init(format!("its configuration is not JSON: {e}")))
}
