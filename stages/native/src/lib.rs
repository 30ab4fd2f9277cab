//! Stages as plain Rust behind the port `Executor`: the same stage code that ships as a component, without WebAssembly.
//!
//! Benchmarks measure the cost of the sandbox against it, the simulator runs thousands of seeds on it, and tests bring
//! their own stages as closures. A native "component" is the text `native:<name>@<version>`, so that digests,
//! artefacts, deployments and journals work as they do with real ones.
//!
//! What is different: no fuel, no memory limit, no deadline; and a stage that overflows its stack takes the process
//! with it. What is the same: a panic or a refused host call is a fault of that call alone, and the instance is dead.
#![forbid(unsafe_code)]

mod artifacts;
mod bridge;
mod builtin;
mod component;
mod convert;
mod executor;
mod generator;
mod instance;
mod memory;
mod registry;
#[cfg(test)]
mod tests;
mod unwind;
mod validator;

pub use artifacts::NativeArtifacts;
pub use builtin::registry;
pub use component::{NativeGenerator, NativeStage};
pub use executor::NativeExecutor;
pub use memory::Memory;
pub use registry::{Registry, component_bytes};
pub use validator::NativeValidator;
