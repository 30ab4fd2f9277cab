//! The engine of this process: components are compiled in a child of it, once for each user of the machine.

use crate::configs::{Checked, Machine};
use crate::failure::Failure;
use fermata_core::codes;
use fermata_engine::{Compile, CompileCommand, EngineOptions, WasmExecutor};
use std::path::PathBuf;
use std::sync::Arc;

/// Names another folder for machine code than the user's cache.
pub const CACHE_VARIABLE: &str = "FERMATA_CACHE";

pub fn wasm() -> Result<WasmExecutor, Failure> {
    let failed = |found: String| Failure::failed(codes::COMPONENT_COMPILE, found);
    let program = std::env::current_exe().map_err(|e| {
        failed(format!(
            "this program's own file is not known, so that it cannot compile: {e}"
        ))
    })?;
    let compile = Compile::Child(CompileCommand {
        program,
        args: vec!["__compile".into()],
    });
    WasmExecutor::new(EngineOptions {
        compile,
        cache: cache(),
    })
    .map(|executor| executor.with_configs(Arc::new(Checked(Machine))))
    .map_err(|e| failed(e.to_string()))
}

/// `None` where a process has no home: every start compiles then.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set(CACHE_VARIABLE)
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("fermata")))
        .or_else(|| Some(set("HOME")?.join(".cache/fermata")))
}
