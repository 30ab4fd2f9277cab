//! A disk that does as it is told.

use fermata_core::CommitId;
use fermata_core::ports::{Moment, Probe};
use fermata_store::PersistHook;
use fermata_store::surgery::PowerCut;
use parking_lot::{Condvar, Mutex};
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Copy, Default, PartialEq)]
enum Passage {
    #[default]
    Open,
    Held,
    Failing,
}

/// Lets syncs pass, holds them, or fails them; notes what passed, for a power cut.
pub struct Gate {
    passage: Mutex<Passage>,
    changed: Condvar,
    pub cut: PowerCut,
}

impl Gate {
    pub fn new(dir: &Path) -> Arc<Self> {
        Arc::new(Self {
            passage: Mutex::default(),
            changed: Condvar::new(),
            cut: PowerCut::new(dir),
        })
    }

    /// No commit made after this is durable.
    pub fn hold(&self) {
        self.set(Passage::Held);
    }
    pub fn open(&self) {
        self.set(Passage::Open);
    }
    pub fn fail(&self) {
        self.set(Passage::Failing);
    }
    fn set(&self, to: Passage) {
        *self.passage.lock() = to;
        self.changed.notify_all();
    }

    /// A test that fails must not leave the store waiting for ever. To be made after what uses the gate.
    pub fn opened_at_last(self: &Arc<Self>) -> Opened {
        Opened(self.clone())
    }
}

/// Opens the gate when dropped.
pub struct Opened(Arc<Gate>);

impl Drop for Opened {
    fn drop(&mut self) {
        let mut passage = self.0.passage.lock();
        if *passage == Passage::Held {
            *passage = Passage::Open;
            self.0.changed.notify_all();
        }
    }
}

impl PersistHook for Gate {
    fn before(&self, up_to: CommitId) -> Result<(), String> {
        let mut passage = self.passage.lock();
        while *passage == Passage::Held {
            self.changed.wait(&mut passage);
        }
        if *passage == Passage::Failing {
            return Err("the disk is gone".to_owned());
        }
        drop(passage);
        self.cut.before(up_to)
    }
    fn after(&self, up_to: CommitId) {
        self.cut.after(up_to);
    }
}

/// Holds the gate from the first time on that a moment is reached.
pub struct HoldsAt(pub Moment, pub Arc<Gate>);

impl Probe for HoldsAt {
    fn reached(&self, moment: Moment) {
        if moment == self.0 {
            self.1.hold();
        }
    }
}
