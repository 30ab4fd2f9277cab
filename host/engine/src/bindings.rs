//! Rust types of the contract, generated from `wit/`. Parameters are borrowed, so that a record is not copied on its
//! way into a guest; results are owned.

#[allow(
    dead_code,
    reason = "generated for the whole world, of which the host calls the exports"
)]
pub mod stage {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "stage-full",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

#[allow(
    dead_code,
    reason = "generated for the whole world, of which the host calls the exports"
)]
pub mod generator {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "generator",
        with: { "fermata:stage/types": crate::bindings::stage::fermata::stage::types },
    });
}

pub use generator::exports::fermata::stage::generation;
pub use stage::exports::fermata::stage::{processor, timers, views};
pub use stage::fermata::stage::{log, types};
