//! From a stage's crate to a component: a toolchain for WebAssembly, `cargo build`, and the encoding.
//!
//! Needs nothing but cargo and the target `wasm32-unknown-unknown`. Shared by `fermata build` and the chores of the
//! workspace, so that authors and the tree build alike.
#![forbid(unsafe_code)]

mod debian;
mod encode;
mod error;
mod package;
mod run;
mod rustup;
mod toolchain;

pub use debian::PACKAGES as DEBIAN_PACKAGES;
pub use encode::{Component, component, encode, known};
pub use error::BuildError;
pub use package::{Built, Package};
pub use toolchain::{CHOICE, Kind, TARGET, Toolchain, about, find, installed};
