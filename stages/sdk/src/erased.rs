//! Object-safe forms of stage and generator: raw types and JSON texts in, raw types out. The WebAssembly exports and
//! the native executor both drive a stage through these, so that both run the same code.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::{Context, Reader};
use crate::describe::Description;
use crate::stage::{Generator, Plan, Stage};
use crate::types::{Due, Emission, Entry, Input, Rejection, ViewError};

/// A stage of any type, after `init`.
pub trait AnyStage: Send {
    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection>;

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection>;

    /// `params` and the answer: JSON texts.
    fn query(&self, cx: &dyn Reader, view: &str, params: &str) -> Result<String, ViewError>;

    /// `params`, `partials` and the answer: JSON texts.
    fn merge(&self, view: &str, params: &str, partials: &[String]) -> Result<String, ViewError>;
}

/// A wrapper rather than an implementation for every `S`: with both traits in scope, `stage.process(..)` would not say
/// which one is meant.
struct Erased<S>(S);

impl<S: Stage> AnyStage for Erased<S> {
    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        let message = S::parse(input)?;
        Ok(emissions(self.0.process(cx, message)?))
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        Ok(emissions(self.0.fired(cx, timer)?))
    }

    fn query(&self, cx: &dyn Reader, view: &str, params: &str) -> Result<String, ViewError> {
        let params = parse_params(params)?;
        Ok(text(&self.0.query(cx, view, &params)?))
    }

    fn merge(&self, view: &str, params: &str, partials: &[String]) -> Result<String, ViewError> {
        let params = parse_params(params)?;
        let partials = partials
            .iter()
            .enumerate()
            .map(|(shard, part)| {
                serde_json::from_str(part)
                    .map_err(|error| ViewError::BadParams(format!("part {shard} of view {view} is not JSON: {error}")))
            })
            .collect::<Result<Vec<Value>, _>>()?;
        Ok(text(&self.0.merge(view, &params, partials)?))
    }
}

/// A generator of any type, after `init`.
pub trait AnyGenerator: Send {
    fn next(&self, sequence: u64, due: i64) -> Vec<Emission>;
}

impl<G: Generator> AnyGenerator for Erased<G> {
    fn next(&self, sequence: u64, due: i64) -> Vec<Emission> {
        self.0.next(sequence, due)
    }
}

/// A stage type as a value: what there is before `init`.
#[derive(Clone, Copy)]
pub struct StageType {
    pub name: &'static str,
    pub version: &'static str,
    describe: fn() -> Description,
    init: fn(&str) -> Result<Box<dyn AnyStage>, String>,
    migrate: fn(&str, u32, Entry) -> Result<Option<Entry>, String>,
    revert: fn(&str, u32, Entry) -> Result<Option<Entry>, String>,
}

impl StageType {
    pub fn of<S: Stage>() -> Self {
        Self {
            name: S::NAME,
            version: S::VERSION,
            // One home for name and version: the constants.
            describe: || Description { name: S::NAME.to_owned(), version: S::VERSION.to_owned(), ..S::describe() },
            init: |config| Ok(Box::new(Erased(S::init(parse_config(config)?)?))),
            migrate: S::migrate,
            revert: S::revert,
        }
    }

    pub fn describe(&self) -> Description {
        (self.describe)()
    }

    /// `config`: JSON text.
    pub fn init(&self, config: &str) -> Result<Box<dyn AnyStage>, String> {
        (self.init)(config)
    }

    pub fn migrate(&self, store: &str, schema: u32, entry: Entry) -> Result<Option<Entry>, String> {
        (self.migrate)(store, schema, entry)
    }

    pub fn revert(&self, store: &str, schema: u32, entry: Entry) -> Result<Option<Entry>, String> {
        (self.revert)(store, schema, entry)
    }
}

type InitGenerator = fn(&str, u64) -> Result<(Box<dyn AnyGenerator>, Plan), String>;

/// A generator type as a value: what there is before `init`.
#[derive(Clone, Copy)]
pub struct GeneratorType {
    pub name: &'static str,
    pub version: &'static str,
    init: InitGenerator,
}

impl GeneratorType {
    pub fn of<G: Generator>() -> Self {
        Self {
            name: G::NAME,
            version: G::VERSION,
            init: |config, seed| {
                let (generator, plan) = G::init(parse_config(config)?, seed)?;
                Ok((Box::new(Erased(generator)), plan))
            },
        }
    }

    /// `config`: JSON text.
    pub fn init(&self, config: &str, seed: u64) -> Result<(Box<dyn AnyGenerator>, Plan), String> {
        (self.init)(config, seed)
    }
}

fn emissions<O: Into<Emission>>(outputs: Vec<O>) -> Vec<Emission> {
    outputs.into_iter().map(Into::into).collect()
}

fn parse_config<C: DeserializeOwned>(config: &str) -> Result<C, String> {
    serde_json::from_str(config).map_err(|error| format!("config: {error}"))
}

fn parse_params(params: &str) -> Result<Value, ViewError> {
    serde_json::from_str(params).map_err(|error| ViewError::BadParams(format!("not JSON: {error}")))
}

fn text<T: Serialize>(answer: &T) -> String {
    serde_json::to_string(answer).expect("a JSON value can be written")
}
