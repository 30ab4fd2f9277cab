//! How components are compiled and run. Whoever changes this changes what a digest computes or costs: raise
//! the revision in [`NAME`].

use wasmtime::{Config, OptLevel, RegallocAlgorithm, Strategy, WasmBacktraceDetails};

/// Name and version of the engine, and the revision of these settings, as written into journals.
pub const NAME: &str = "wasmtime-48.0.8/1";

/// Bytes of a guest's call stack; fixed, so that the depth at which a recursion ends is the same everywhere.
const STACK: usize = 512 << 10;

/// The same digest over the same journal gives the same bytes on any machine: floating point without payload bits
/// of the hardware, no relaxed SIMD, no threads, and fuel as the measure of work.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        // A backtrace shows what the component itself carries, never what lies beside it on this machine.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_name_carries_the_version_of_wasmtime_that_is_linked() {
        let lock = include_str!("../../../Cargo.lock");
        let after = lock
            .split("name = \"wasmtime\"\nversion = \"")
            .nth(1)
            .expect("wasmtime is in the lock file");
        let linked = after.split('"').next().expect("a version");
        assert!(
            super::NAME.starts_with(&format!("wasmtime-{linked}/")),
            "{} but {linked} is linked",
            super::NAME
        );
    }

    #[test]
    fn wasmtime_accepts_the_settings() {
        wasmtime::Engine::new(&super::config()).expect("valid settings");
    }
}
