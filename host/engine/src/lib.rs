//! Runs components: the [`Executor`](fermata_core::ports::Executor) port on wasmtime.
//!
//! - [`WasmExecutor`] prepares a component: `compiler` and `cache` turn its bytes into machine code, `contract`
//!   looks at what it imports and exports, `description` checks what it says of itself.
//! - Compiling happens in a child with limits of its own (`confine`).
//! - A `version` makes instances; an `instance` is called once per record and kept until it faults.
//! - What a guest may use is bounded in three places: `budget` (fuel, wall time), `memory` (linear memory and
//!   tables) and `sandbox` (bytes lifted out of the guest). How a call failed is told apart in `verdict`.
//! - `imports` is all that a guest can reach: each import is one method of
//!   [`HostCalls`](fermata_core::ports::HostCalls), whose owner travels into the sandbox and back with each call.
//!
//! A `validator` is a guest like a stage, but for its imports: it has none.
//!
//! The one `unsafe` of the host is in `native_code`: loading machine code that this installation compiled.

mod bindings;
mod budget;
mod cache;
mod call;
mod checkup;
mod compiler;
mod confine;
mod contract;
mod convert;
mod description;
mod executor;
mod format;
mod generator;
mod imports;
mod instance;
mod mac;
mod memory;
mod native_code;
mod quiet;
mod sandbox;
mod settings;
mod ticker;
mod validator;
mod verdict;
mod version;

pub use checkup::{Checkup, Finding, World};
pub use compiler::{Compile, CompileCommand, CompileError, compile_file};
pub use executor::{EngineError, EngineOptions, Inspected, WasmExecutor};
