//! Does a component fit? Its imports and exports, by name and type.

use crate::bindings::{generation, processor, timers, validation, views};
use crate::sandbox::Sandbox;
use fermata_core::ports::PrepareError;
use wasmtime::component::{Component, InstancePre, Linker};

/// What a component may import.
const IMPORTS: [&str; 6] = [
    "fermata:stage/types@0.1.0",
    "fermata:stage/context@0.1.0",
    "fermata:stage/store@0.1.0",
    "fermata:stage/timer@0.1.0",
    "fermata:stage/metrics@0.1.0",
    "fermata:stage/log@0.1.0",
];
pub const PROCESSOR: &str = "fermata:stage/processor@0.1.0";
const TIMERS: &str = "fermata:stage/timers@0.1.0";
const VIEWS: &str = "fermata:stage/views@0.1.0";
const MIGRATION: &str = "fermata:stage/migration@0.1.0";
pub const GENERATION: &str = "fermata:stage/generation@0.1.0";
pub const VALIDATION: &str = "fermata:stage/validation@0.1.0";

/// Where a stage's functions are, found once for all its instances.
#[derive(Clone)]
pub struct StageExports {
    pub processor: processor::GuestIndices,
    pub timers: Option<timers::GuestIndices>,
    pub views: Option<views::GuestIndices>,
    pub migration: bool,
}

impl StageExports {
    /// The interfaces that are there, for people.
    pub fn list(&self) -> String {
        let optional = [
            ("timers", self.timers.is_some()),
            ("views", self.views.is_some()),
            ("migration", self.migration),
        ];
        let there = optional.iter().filter(|(_, there)| *there).map(|(name, _)| *name);
        std::iter::once("processor").chain(there).collect::<Vec<_>>().join(", ")
    }

    pub fn find(pre: &InstancePre<Sandbox>) -> Result<Self, PrepareError> {
        let component = pre.component();
        require(component, PROCESSOR)?;
        Ok(Self {
            processor: processor::GuestIndices::new(pre).map_err(misfit)?,
            timers: exports(component, TIMERS)
                .then(|| timers::GuestIndices::new(pre).map_err(misfit))
                .transpose()?,
            views: exports(component, VIEWS)
                .then(|| views::GuestIndices::new(pre).map_err(misfit))
                .transpose()?,
            migration: exports(component, MIGRATION),
        })
    }
}

/// Where a generator's functions are.
pub fn generator(pre: &InstancePre<Sandbox>) -> Result<generation::GuestIndices, PrepareError> {
    require(pre.component(), GENERATION)?;
    generation::GuestIndices::new(pre).map_err(misfit)
}

/// Where a validator's functions are.
pub fn validator(pre: &InstancePre<Sandbox>) -> Result<validation::GuestIndices, PrepareError> {
    require(pre.component(), VALIDATION)?;
    validation::GuestIndices::new(pre).map_err(misfit)
}

/// Is it made for the world `validator`, whether or not it fits?
pub fn is_validator(component: &Component) -> bool {
    exports(component, VALIDATION)
}

/// A validator may import nothing, not even what a stage may.
pub fn link_alone(component: &Component) -> Result<InstancePre<Sandbox>, PrepareError> {
    let imports = imports(component);
    if imports.is_empty() {
        return Linker::new(component.engine())
            .instantiate_pre(component)
            .map_err(misfit);
    }
    let then = if of_wasi(&imports) {
        "a validator gets nothing of WASI: build it without, or with WASI stubbed (`--stub-wasi` of componentize-qjs \
         and componentize-py)"
    } else {
        "a validator imports nothing at all: it gets the record and its memo, and answers"
    };
    Err(PrepareError::Contract(format!("it imports {}; {then}", list(&imports))))
}

fn of_wasi(names: &[String]) -> bool {
    names.iter().any(|name| name.starts_with("wasi:"))
}

/// Connects a component with its imports, so that instantiating it is no more than making its memory.
pub fn link(linker: &Linker<Sandbox>, component: &Component) -> Result<InstancePre<Sandbox>, PrepareError> {
    let mut unknown = imports(component);
    unknown.retain(|name| !IMPORTS.contains(&name.as_str()));
    if !unknown.is_empty() {
        let then = if of_wasi(&unknown) {
            "a component gets nothing of WASI: build it for wasm32-unknown-unknown with the SDK `fermata-stage`"
        } else {
            "a component may import context, store, timer, metrics and log of fermata:stage@0.1.0 alone"
        };
        return Err(PrepareError::Contract(format!("it imports {}; {then}", list(&unknown))));
    }
    linker.instantiate_pre(component).map_err(misfit)
}

pub fn misfit(error: wasmtime::Error) -> PrepareError {
    PrepareError::Contract(format!("{error:#}"))
}

pub fn exports(component: &Component, name: &str) -> bool {
    component.get_export_index(None, name).is_some()
}

/// Names of what a component imports.
pub fn imports(component: &Component) -> Vec<String> {
    let kind = component.component_type();
    kind.imports(component.engine())
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Of a component that exports none of the interfaces that make a world.
pub fn no_world(component: &Component) -> PrepareError {
    PrepareError::Contract(format!(
        "it is neither a stage nor a validator nor a generator; it exports {}",
        exported(component)
    ))
}

fn exported(component: &Component) -> String {
    let kind = component.component_type();
    let found: Vec<String> = kind
        .exports(component.engine())
        .map(|(name, _)| name.to_owned())
        .collect();
    if found.is_empty() {
        "nothing".into()
    } else {
        list(&found)
    }
}

fn require(component: &Component, name: &str) -> Result<(), PrepareError> {
    if exports(component, name) {
        return Ok(());
    }
    Err(PrepareError::Contract(format!(
        "it does not export {name}; it exports {}",
        exported(component)
    )))
}

/// The first names of a list; a long list is told by its length.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
