//! The WebAssembly side: bindings of `wit/`, and the wrappers that put a typed stage behind them.
//! Public for the `export!` macros alone.

// The canonical ABI of the generated bindings is made of raw pointers.
#![allow(unsafe_code)]

mod host;
mod panics;
mod shell;

pub use shell::{GeneratorGuest, StageGuest};

/// The standard library's allocator spends more on one allocation than a stage on one field. Guests have one thread.
#[cfg(feature = "allocator")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// Bindings of world `stage-full`. The records are the SDK's own types, so that nothing is copied on the way.
#[allow(clippy::all)]
pub mod stage {
    wit_bindgen::generate!({
        world: "stage-full",
        path: "../../wit",
        // Arguments are lent to the host as they are: no label of a metric is copied.
        ownership: Borrowing { duplicate_if_necessary: false },
        pub_export_macro: true,
        export_macro_name: "export_stage",
        default_bindings_module: "fermata_stage::guest::stage",
        with: {
            "fermata:stage/types@0.1.0/header": crate::Header,
            "fermata:stage/types@0.1.0/verdict": crate::Verdict,
            "fermata:stage/types@0.1.0/input": crate::Input,
            "fermata:stage/types@0.1.0/emission": crate::Emission,
            "fermata:stage/types@0.1.0/rejection": crate::Rejection,
            "fermata:stage/types@0.1.0/due": crate::Due,
            "fermata:stage/types@0.1.0/entry": crate::Entry,
            "fermata:stage/processor@0.1.0/port": crate::Port,
            "fermata:stage/processor@0.1.0/store-decl": crate::StoreDecl,
            "fermata:stage/processor@0.1.0/view-scope": crate::ViewScope,
            "fermata:stage/processor@0.1.0/view-decl": crate::ViewDecl,
            "fermata:stage/processor@0.1.0/metric-kind": crate::MetricKind,
            "fermata:stage/processor@0.1.0/metric-decl": crate::MetricDecl,
            "fermata:stage/processor@0.1.0/description": crate::Description,
            "fermata:stage/views@0.1.0/view-error": crate::ViewError,
            "fermata:stage/log@0.1.0/level": crate::Level,
        },
    });
}

/// Bindings of world `generator`.
#[allow(clippy::all)]
pub mod generator {
    wit_bindgen::generate!({
        world: "generator",
        path: "../../wit",
        pub_export_macro: true,
        export_macro_name: "export_generator_world",
        default_bindings_module: "fermata_stage::guest::generator",
        type_section_suffix: "generator",
        with: {
            "fermata:stage/types@0.1.0/header": crate::Header,
            "fermata:stage/types@0.1.0/emission": crate::Emission,
            "fermata:stage/generation@0.1.0/plan": crate::Plan,
        },
    });
}
