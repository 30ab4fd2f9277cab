//! Ctrl-C and SIGTERM as a flag that can be waited for. The second one ends the process at once.

use crate::failure::Failure;
use fermata_core::codes;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// SIGXFSZ: a write beyond the limit on file sizes. The same on Linux and macOS, and without a name in tokio.
const FILE_TOO_LARGE: i32 = 25;

/// Exit code of a process that was interrupted, by the shells' convention.
const INTERRUPTED: i32 = 130;

#[derive(Clone, Default)]
pub struct Interrupt(Arc<(Mutex<bool>, Condvar)>);

impl Interrupt {
    /// Begins to listen.
    pub fn listen() -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::failed(codes::LOG_FAILED, format!("cannot listen for signals: {e}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            // Listened to once, it never ends the process without a word: the write fails, and what failed is said.
            let _unread = signal(SignalKind::from_raw(FILE_TOO_LARGE)).map_err(failed)?;
            (
                signal(SignalKind::interrupt()).map_err(failed)?,
                signal(SignalKind::terminate()).map_err(failed)?,
            )
        };
        let own = Self::default();
        let flag = own.clone();
        let thread = std::thread::Builder::new().name("fermata-signals".to_owned());
        thread
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                        if flag.seen() {
                            std::process::exit(INTERRUPTED);
                        }
                        *flag.0.0.lock() = true;
                        flag.0.1.notify_all();
                    }
                });
            })
            .map_err(failed)?;
        Ok(own)
    }

    pub fn seen(&self) -> bool {
        *self.0.0.lock()
    }

    /// Waits at most `max_wait`; answers whether it was seen.
    pub fn wait(&self, max_wait: Duration) -> bool {
        let mut seen = self.0.0.lock();
        if !*seen {
            self.0.1.wait_for(&mut seen, max_wait);
        }
        *seen
    }
}
