//! A native stage or generator as a value: what there is before `init`.

use std::sync::Arc;

use fermata_core::description::Description;
use fermata_core::ports;
use fermata_stage::{
    AnyGenerator, AnyStage, Context, Due, Emission, Generator, GeneratorType, Input, Reader, Rejection, Stage,
    StageType, ViewError,
};

use crate::convert;

type Init = dyn Fn(&str) -> Result<Box<dyn AnyStage>, String> + Send + Sync;

/// How to describe and initialise one version of a stage.
#[derive(Clone)]
pub struct NativeStage {
    pub(crate) description: Description,
    init: Arc<Init>,
}

impl NativeStage {
    pub fn of<S: Stage>() -> Self {
        let stage = StageType::of::<S>();
        Self::new(stage.describe(), move |config| stage.init(config))
    }

    /// A stage whose instances `init` makes from the JSON text of the configuration.
    pub fn new(
        description: fermata_stage::Description,
        init: impl Fn(&str) -> Result<Box<dyn AnyStage>, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            description: convert::description(description),
            init: Arc::new(init),
        }
    }

    /// A stage that is one closure: any configuration, no timers, no views.
    pub fn closure(
        description: fermata_stage::Description,
        process: impl Fn(&mut dyn Context, Input) -> Result<Vec<Emission>, Rejection> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::new(description, move |_config| Ok(Box::new(Closure(process.clone()))))
    }

    /// `name@version`.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.description.name, self.description.version)
    }

    pub(crate) fn init(&self, config: &str) -> Result<Box<dyn AnyStage>, String> {
        (self.init)(config)
    }
}

struct Closure<F>(F);

impl<F> AnyStage for Closure<F>
where
    F: Fn(&mut dyn Context, Input) -> Result<Vec<Emission>, Rejection> + Send,
{
    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        (self.0)(cx, input)
    }
    fn fired(&self, _cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        Err(Rejection::new(
            "no-timers",
            format!("a closure has no timers, yet {} fired", timer.id),
        ))
    }
    fn query(&self, _cx: &dyn Reader, _view: &str, _params: &str) -> Result<String, ViewError> {
        Err(ViewError::NotFound)
    }
    fn merge(&self, _view: &str, _params: &str, _partials: &[String]) -> Result<String, ViewError> {
        Err(ViewError::NotFound)
    }
}

/// How to initialise one version of a generator.
#[derive(Clone, Copy)]
pub struct NativeGenerator(GeneratorType);

impl NativeGenerator {
    pub fn of<G: Generator>() -> Self {
        Self(GeneratorType::of::<G>())
    }

    /// `name@version`.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.0.name, self.0.version)
    }

    pub(crate) fn init(&self, config: &str, seed: u64) -> Result<(Box<dyn AnyGenerator>, ports::Plan), String> {
        let (generator, plan) = self.0.init(config, seed)?;
        Ok((
            generator,
            ports::Plan {
                outputs: plan.outputs,
                setup: plan.setup,
            },
        ))
    }
}
