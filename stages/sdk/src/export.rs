//! The one line that makes a crate a component.

/// Exports a [`Stage`](crate::Stage) as a component of world `stage-full`. Natively it expands to nothing.
#[macro_export]
macro_rules! export {
    ($stage:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::guest::StageGuest<$stage>;
    $crate::guest::stage::export_stage!(Exported with_types_in $crate::guest::stage);
        };
    };
}

/// Exports a [`Generator`](crate::Generator) as a component of world `generator`. Natively it expands to nothing.
#[macro_export]
macro_rules! export_generator {
    ($generator:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::guest::GeneratorGuest<$generator>;
    $crate::guest::generator::export_generator_world!(Exported with_types_in $crate::guest::generator);
        };
    };
}
