//! Fuel and wall time of one call, and what host calls cost.

use crate::sandbox::Sandbox;
use crate::ticker;
use fermata_core::limits::{INIT_FUEL, Limits, VIEW_FUEL};
use std::time::Duration;
use wasmtime::{Store, StoreContextMut, Trap};

/// Fuel of a host call beside its bytes. One unit is about one instruction of the guest.
const PER_CALL: u64 = 200;
/// Fuel of each entry of a scan beside its bytes.
const PER_ENTRY: u64 = 100;
/// `init` and `describe` happen once: their fuel ends them, this only ends what fuel does not see.
const INIT_WALL: Duration = Duration::from_secs(30);

/// What one call may use.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub fuel: u64,
    pub wall: Duration,
    /// Multiplies `wall`.
    pub stretch: u32,
}

impl Budget {
    pub fn record(limits: &Limits, stretch: u32) -> Self {
        Self {
            fuel: limits.fuel,
            wall: limits.wall,
            stretch,
        }
    }
    pub fn view(limits: &Limits, stretch: u32) -> Self {
        Self {
            fuel: VIEW_FUEL,
            wall: limits.wall,
            stretch,
        }
    }
    pub fn init() -> Self {
        Self {
            fuel: INIT_FUEL,
            wall: INIT_WALL,
            stretch: 1,
        }
    }

    /// Fills the store up for one call.
    pub fn grant(self, store: &mut Store<Sandbox>) {
        store.set_fuel(self.fuel).expect("fuel is switched on");
        store.set_epoch_deadline(ticker::epochs(self.wall, self.stretch));
        let sandbox = store.data_mut();
        sandbox.memory.begin();
        sandbox.last_words = None;
    }
    /// Fuel used since [`Budget::grant`].
    pub fn used(self, store: &Store<Sandbox>) -> u64 {
        let left = store.get_fuel().expect("fuel is switched on");
        self.fuel.saturating_sub(left)
    }
}

/// Charges a host call that carries `bytes` bytes of arguments. Short: the guest traps as out of fuel.
pub fn charge(cx: &mut StoreContextMut<'_, Sandbox>, bytes: usize) -> wasmtime::Result<()> {
    take(cx, PER_CALL.saturating_add(bytes as u64))
}

/// Charges what a host call answers.
pub fn charge_answer(cx: &mut StoreContextMut<'_, Sandbox>, bytes: usize, entries: usize) -> wasmtime::Result<()> {
    take(
        cx,
        (entries as u64).saturating_mul(PER_ENTRY).saturating_add(bytes as u64),
    )
}

fn take(cx: &mut StoreContextMut<'_, Sandbox>, cost: u64) -> wasmtime::Result<()> {
    let left = cx.get_fuel()?;
    match left.checked_sub(cost) {
        Some(left) => cx.set_fuel(left),
        None => {
            cx.set_fuel(0)?;
            Err(Trap::OutOfFuel.into())
        }
    }
}
