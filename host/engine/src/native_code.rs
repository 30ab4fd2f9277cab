//! The one place that turns bytes into running machine code.
#![allow(unsafe_code)]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code that this installation's compiler wrote, as it lies in memory: what was checked is what is loaded.
pub struct OwnOutput(Vec<u8>);

impl OwnOutput {
    /// For the compiler (which has just written them) and the cache (which has checked their mark), no one else.
    pub fn vouched_for(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Loads a component. wasmtime itself refuses code that was made by another version or with other settings.
pub fn load(engine: &Engine, code: &OwnOutput) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` runs whatever machine code it is given, so the bytes must come from wasmtime's compiler
    // unchanged. An `OwnOutput` is made in two places: by `compiler`, of what `precompile_component` has just
    // written; and by `cache`, of bytes whose HMAC, under a key that only this installation can read, shows that
    // they are what `compiler` wrote. The bytes are in memory, so nothing can change them after that check.
    unsafe { Component::deserialize(engine, &code.0) }
}
