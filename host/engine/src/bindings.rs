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

#[allow(
    dead_code,
    reason = "generated for the whole world, of which the host calls the exports"
)]
pub mod validator {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "validator",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub use generator::exports::fermata::stage::generation;
pub use stage::exports::fermata::stage::{processor, timers, views};
pub use stage::fermata::stage::{log, types};
pub use validator::exports::fermata::stage::validation;
