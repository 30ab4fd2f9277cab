//! How a call ended: whose doing it was, under which code, in words.

use crate::sandbox::Sandbox;
use fermata_core::limits::MAX_REASON;
use fermata_core::ports::{Failure, Refused};
use fermata_core::printable::printable;
use fermata_core::{Fault, FaultCode};
use wasmtime::{Error, Trap, WasmBacktrace};

/// Bytes of a guest's last words in a fault's text: the rest is for the backtrace.
const MAX_LAST_WORDS: usize = MAX_REASON / 2;
/// What wasmtime says when an answer or argument is larger than `set_hostcall_fuel` allows; its type is private.
const LIFT_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Tells apart why a call into `sandbox` ended with `error`.
pub fn failure(error: &Error, sandbox: &Sandbox) -> Failure {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return match refused {
            Refused::Fault(fault) => Failure::Fault(fault.clone()),
            Refused::Host(found) => Failure::Host(found.clone()),
        };
    }
    let trap = error.downcast_ref::<Trap>();
    let code = match trap {
        Some(Trap::Interrupt) => return Failure::Deadline,
        Some(Trap::OutOfFuel) => FaultCode::Fuel,
        // A guest that is refused memory gives up by a trap of its own.
        _ if sandbox.memory.refused() => FaultCode::Memory,
        Some(_) => FaultCode::Trap,
        None if error.root_cause().to_string().contains(LIFT_EXHAUSTED) => FaultCode::Size,
        // Nothing trapped: the host could not read what the guest answered.
        None => FaultCode::Contract,
    };
    Failure::Fault(Fault::new(code, message(code, error, sandbox)))
}

fn message(code: FaultCode, error: &Error, sandbox: &Sandbox) -> String {
    let mut text = match code {
        FaultCode::Memory => format!(
            "the instance wanted more than its {} bytes of memory ({})",
            sandbox.memory.limit(),
            error.root_cause()
        ),
        FaultCode::Size => "the guest handed over more data at once than its limits allow".into(),
        FaultCode::Contract => format!("the guest's answer cannot be read: {}", error.root_cause()),
        _ => error.root_cause().to_string(),
    };
    if let Some(words) = &sandbox.last_words {
        text.push_str("; the guest said: ");
        text.push_str(&printable(words, MAX_LAST_WORDS));
    }
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        text.push_str(&format!("\n{backtrace}"));
    }
    cut(text.trim_end(), MAX_REASON).into()
}

/// The longest beginning of at most `max` bytes that ends between characters.
pub fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryLimiter;
    use wasmtime::ResourceLimiter;

    fn sandbox() -> Sandbox {
        Sandbox {
            host: None,
            memory: MemoryLimiter::new(10),
            last_words: None,
        }
    }
    fn code(failure: Failure) -> FaultCode {
        match failure {
            Failure::Fault(fault) => fault.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_cause_has_its_verdict() {
        let calm = sandbox();
        assert_eq!(code(failure(&Trap::OutOfFuel.into(), &calm)), FaultCode::Fuel);
        assert_eq!(failure(&Trap::Interrupt.into(), &calm), Failure::Deadline);
        assert_eq!(
            code(failure(&Trap::UnreachableCodeReached.into(), &calm)),
            FaultCode::Trap
        );
        assert_eq!(code(failure(&Error::msg("invalid utf-8"), &calm)), FaultCode::Contract);
        let refused = Refused::Fault(Fault::new(FaultCode::Size, "too long"));
        assert_eq!(code(failure(&refused.into(), &calm)), FaultCode::Size);
        let host = Refused::Host("disk".into());
        assert_eq!(failure(&host.into(), &calm), Failure::Host("disk".into()));
    }

    #[test]
    fn a_trap_after_a_refused_growth_is_about_memory() {
        let mut greedy = sandbox();
        assert!(!greedy.memory.memory_growing(0, 11, None).unwrap());
        let trap = Trap::UnreachableCodeReached.into();
        assert_eq!(code(failure(&trap, &greedy)), FaultCode::Memory);
        // But who ran out of fuel ran out of fuel.
        assert_eq!(code(failure(&Trap::OutOfFuel.into(), &greedy)), FaultCode::Fuel);
    }

    #[test]
    fn last_words_are_told_and_bounded() {
        let mut loud = sandbox();
        loud.last_words = Some("é".repeat(MAX_REASON));
        let Failure::Fault(fault) = failure(&Trap::UnreachableCodeReached.into(), &loud) else {
            panic!("a trap is a fault")
        };
        assert!(fault.message.contains("the guest said: éé"), "{}", fault.message);
        assert!(fault.message.len() <= MAX_REASON);
    }
}
