//! Ends a stage's call from inside a host call, and turns a stage's panic into a fault.
//!
//! A WebAssembly guest that is refused by its host traps; nothing of it runs further. Natively that is an unwind with
//! a payload of our own (`resume_unwind` does not call the panic hook), caught where the call began.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;

use fermata_core::ports::{Failure, Refused};
use fermata_core::{Fault, FaultCode};

/// Payload of the unwind that a refused host call begins.
struct Refusal(Refused);

/// Ends the call that is running in [`guarded`] on this thread.
pub fn abort_call(refused: Refused) -> ! {
    resume_unwind(Box::new(Refusal(refused)))
}

/// Runs code of a stage. A panic is a trap with its message; a refusal is what the host said.
pub fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Failure> {
    keep_hook_quiet();
    GUARDED.replace(Some(None));
    // The stage is dropped unused after a failure, so nobody sees what the unwind left half done.
    let result = catch_unwind(AssertUnwindSafe(call));
    let place = GUARDED.replace(None).flatten();
    result.map_err(|payload| failure(payload, place))
}

fn failure(payload: Box<dyn Any + Send>, place: Option<String>) -> Failure {
    let payload = match payload.downcast::<Refusal>() {
        Ok(refusal) => {
            return match refusal.0 {
                Refused::Fault(fault) => Failure::Fault(fault),
                Refused::Host(why) => Failure::Host(why),
            };
        }
        Err(payload) => payload,
    };
    let said = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
    Failure::Fault(Fault::new(FaultCode::Trap, format!("panicked{place}: {said}")))
}

thread_local! {
    /// `Some` while a stage runs on this thread; within, the place of its panic.
    static GUARDED: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

/// A stage's panic is an outcome, not news for the terminal: it is noted and not printed. All others are.
fn keep_hook_quiet() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            let noted = GUARDED.with_borrow_mut(|guarded| {
                guarded
                    .as_mut()
                    .map(|place| *place = info.location().map(ToString::to_string))
                    .is_some()
            });
            if !noted {
                previous(info);
            }
        }));
    });
}
