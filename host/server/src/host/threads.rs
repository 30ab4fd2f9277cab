//! Named threads that run until told to stop, and the one place where a failure is kept.

use crate::failure::Failure;
use fermata_core::codes;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Asks all threads to end; cheap to clone.
#[derive(Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    asked: bool,
    failed: Option<String>,
}

impl Stop {
    pub fn ask(&self) {
        self.0.state.lock().asked = true;
        self.0.changed.notify_all();
    }

    /// The first failure is kept: later ones are its consequence.
    pub fn fail(&self, because: String) {
        tracing::error!("{because}");
        let mut state = self.0.state.lock();
        state.failed.get_or_insert(because);
        state.asked = true;
        drop(state);
        self.0.changed.notify_all();
    }

    pub fn asked(&self) -> bool {
        self.0.state.lock().asked
    }

    pub fn failed(&self) -> Option<String> {
        self.0.state.lock().failed.clone()
    }

    /// Waits until asked, at most `max_wait`; answers whether asked.
    pub fn wait(&self, max_wait: Duration) -> bool {
        let mut state = self.0.state.lock();
        if !state.asked {
            self.0.changed.wait_for(&mut state, max_wait);
        }
        state.asked
    }
}

/// What a thread does next.
pub enum Outcome {
    Again,
    Failed(String),
}

pub struct Threads {
    stop: Stop,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    pub fn new(stop: Stop) -> Self {
        Self {
            stop,
            running: Vec::new(),
        }
    }

    /// Calls `step` until asked to stop. A panic is a failure of the process.
    pub fn run(&mut self, name: &str, mut step: impl FnMut() -> Outcome + Send + 'static) -> Result<(), Failure> {
        let stop = self.stop.clone();
        self.spawn(name, move || {
            while !stop.asked() {
                if let Outcome::Failed(because) = step() {
                    stop.fail(because);
                }
            }
        })
    }

    /// Calls `work` at every interval until asked to stop.
    pub fn every(
        &mut self,
        name: &str,
        interval: Duration,
        mut work: impl FnMut() + Send + 'static,
    ) -> Result<(), Failure> {
        let stop = self.stop.clone();
        self.spawn(name, move || {
            work();
            while !stop.wait(interval) {
                work();
            }
        })
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let guard = Guard {
            stop: self.stop.clone(),
            name: name.to_owned(),
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let guard = guard;
            body();
            drop(guard);
        });
        let thread =
            thread.map_err(|e| Failure::failed(codes::LOG_FAILED, format!("thread {name} cannot start: {e}")))?;
        self.running.push(thread);
        Ok(())
    }

    /// `false`: they had ended before.
    pub fn end(&mut self) -> bool {
        self.stop.ask();
        let ended = !self.running.is_empty();
        for thread in self.running.drain(..) {
            // A panic was kept as the failure by its guard.
            let _ = thread.join();
        }
        ended
    }
}

struct Guard {
    stop: Stop,
    name: String,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stop
                .fail(format!("thread {} panicked: this is a defect of fermata", self.name));
        }
    }
}
