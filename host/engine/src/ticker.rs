//! The pulse by which wall time is measured: one thread per engine.

use std::{io, thread, time::Duration};
use wasmtime::Engine;

/// One epoch.
pub const TICK: Duration = Duration::from_millis(10);

/// Raises the epoch until nothing uses the engine any more.
pub fn start(engine: &Engine) -> io::Result<thread::JoinHandle<()>> {
    let engine = engine.weak();
    thread::Builder::new().name("fermata-epochs".into()).spawn(move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })
}

/// Epochs within which `wall` has surely passed; one more, for the one that has begun.
pub fn epochs(wall: Duration, stretch: u32) -> u64 {
    const LONGEST: u128 = 1 << 40;
    let whole = wall.as_nanos().saturating_mul(u128::from(stretch.max(1)));
    let ticks = whole / TICK.as_nanos();
    u64::try_from(ticks.min(LONGEST)).expect("at most LONGEST") + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn the_thread_ends_with_its_engine() {
        let engine = Engine::new(&crate::settings::config()).expect("settings");
        let thread = start(&engine).expect("a thread");
        assert!(!thread.is_finished());
        drop(engine);
        let since = Instant::now();
        while !thread.is_finished() {
            assert!(since.elapsed() < Duration::from_secs(10), "still ticking");
            thread::yield_now();
        }
    }

    #[test]
    fn a_deadline_is_never_early_and_grows_with_the_stretch() {
        assert_eq!(epochs(Duration::from_secs(1), 1), 102);
        assert_eq!(epochs(Duration::from_secs(1), 4), 402);
        assert_eq!(epochs(Duration::from_millis(1), 0), 2);
        assert_eq!(epochs(Duration::from_millis(1), 1_000), 102);
        assert_eq!(epochs(Duration::MAX, u32::MAX), (1 << 40) + 2);
    }
}
