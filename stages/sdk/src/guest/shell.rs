//! The exports of a component, for any stage and any generator.

use std::cell::OnceCell;
use std::marker::PhantomData;

use super::generator::exports::fermata::stage::generation;
use super::host::Host;
use super::panics;
use super::stage::exports::fermata::stage::{migration, processor, timers, views};
use crate::Description;
use crate::erased::{AnyGenerator, AnyStage, GeneratorType, StageType};
use crate::stage::{Generator, Plan, Stage};
use crate::types::{Due, Emission, Entry, Input, Rejection, ViewError};

/// Puts a [`Stage`] behind the exports of world `stage-full`.
pub struct StageGuest<S>(PhantomData<S>);

/// Puts a [`Generator`] behind the exports of world `generator`.
pub struct GeneratorGuest<G>(PhantomData<G>);

// One instance of a component holds one stage or one generator, and has one thread.
thread_local! {
    static STAGE: OnceCell<Box<dyn AnyStage>> = const { OnceCell::new() };
    static GENERATOR: OnceCell<Box<dyn AnyGenerator>> = const { OnceCell::new() };
}

const TWICE: &str = "init was called twice on one instance";

fn with_stage<R>(export: &str, call: impl FnOnce(&dyn AnyStage) -> R) -> R {
    panics::report();
    STAGE.with(|cell| match cell.get() {
        Some(stage) => call(stage.as_ref()),
        None => panic!("{export} was called before init"),
    })
}

impl<S: Stage> processor::Guest for StageGuest<S> {
    fn describe() -> Description {
        panics::report();
        StageType::of::<S>().describe()
    }

    fn init(config: String) -> Result<(), String> {
        panics::report();
        let stage = StageType::of::<S>().init(&config)?;
        STAGE.with(|cell| cell.set(stage)).map_err(|_| TWICE.to_owned())
    }

    fn process(input: Input) -> Result<Vec<Emission>, Rejection> {
        with_stage("process", |stage| stage.process(&mut Host::default(), input))
    }
}

impl<S: Stage> timers::Guest for StageGuest<S> {
    fn fired(timer: Due) -> Result<Vec<Emission>, Rejection> {
        with_stage("fired", |stage| stage.fired(&mut Host::default(), timer))
    }
}

impl<S: Stage> views::Guest for StageGuest<S> {
    fn query(view: String, params: String) -> Result<String, ViewError> {
        with_stage("query", |stage| stage.query(&Host::default(), &view, &params))
    }

    fn merge(view: String, params: String, partials: Vec<String>) -> Result<String, ViewError> {
        with_stage("merge", |stage| stage.merge(&view, &params, &partials))
    }
}

// Pure functions of the type: they need no `init`, and no import is allowed, so the panic hook stays away too.
impl<S: Stage> migration::Guest for StageGuest<S> {
    fn migrate(store: String, schema: u32, entry: Entry) -> Result<Option<Entry>, String> {
        S::migrate(&store, schema, entry)
    }

    fn revert(store: String, schema: u32, entry: Entry) -> Result<Option<Entry>, String> {
        S::revert(&store, schema, entry)
    }
}

// World `generator` has no import, and so no log for a panic's message.
impl<G: Generator> generation::Guest for GeneratorGuest<G> {
    fn init(config: String, seed: u64) -> Result<Plan, String> {
        let (generator, plan) = GeneratorType::of::<G>().init(&config, seed)?;
        GENERATOR
            .with(|cell| cell.set(generator))
            .map_err(|_| TWICE.to_owned())?;
        Ok(plan)
    }

    fn next(sequence: u64, due: i64) -> Vec<Emission> {
        GENERATOR.with(|cell| match cell.get() {
            Some(generator) => generator.next(sequence, due),
            None => panic!("next was called before init"),
        })
    }
}
