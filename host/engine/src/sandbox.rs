//! What is in a wasmtime store: one guest with its limits and, during a call, the host context.

use crate::memory::MemoryLimiter;
use fermata_core::limits::{Limits, MAX_VALUE};
use fermata_core::ports::HostCalls;
use wasmtime::{Engine, Store};

/// Bytes that a guest may hand to the host at once beside its outputs: a value and a scan's worth of room, so that
/// an argument slightly over its limit is answered by a fault that names the limit.
const LIFT_ROOM: usize = 4 * MAX_VALUE;
/// Bytes of bookkeeping in the host for one emission: its own size and that of some headers.
const EMISSION_ROOM: usize = 1 << 10;

pub struct Sandbox {
    /// There while a call runs.
    pub host: Option<Box<dyn HostCalls>>,
    pub memory: MemoryLimiter,
    /// The last line that the guest logged as an error in this call: an SDK logs a panic before it traps.
    pub last_words: Option<String>,
}

/// A store whose guest can use no more than `limits`.
pub fn store(engine: &Engine, limits: &Limits) -> Store<Sandbox> {
    let sandbox = Sandbox {
        host: None,
        memory: MemoryLimiter::new(limits.memory),
        last_words: None,
    };
    let mut store = Store::new(engine, sandbox);
    store.limiter(|sandbox| &mut sandbox.memory);
    store.epoch_deadline_trap();
    store.set_hostcall_fuel(liftable(limits));
    store
}

/// Bytes that the host allocates at most for one answer or one argument list of a guest.
fn liftable(limits: &Limits) -> usize {
    let outputs = usize::try_from(limits.outputs).unwrap_or(usize::MAX);
    let bytes = usize::try_from(limits.output_bytes).unwrap_or(usize::MAX);
    bytes
        .saturating_mul(2)
        .saturating_add(outputs.saturating_mul(EMISSION_ROOM))
        .saturating_add(LIFT_ROOM)
}
