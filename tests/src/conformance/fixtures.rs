//! The logs that the suite runs on.

use super::{Fixture, Subject};
use crate::simulated::{Faults, Mode, Simulated};
use fermata_core::Shard;
use fermata_store::{Embedded, Options};
use std::{cell::Cell, sync::Arc};
use tempfile::TempDir;

impl Subject for Embedded {
    fn move_shard(&self, group: &str, shard: Shard, member: &str) -> bool {
        Self::move_shard(self, group, shard, member)
    }
}

impl Subject for Simulated {
    fn move_shard(&self, group: &str, shard: Shard, member: &str) -> bool {
        Self::move_shard(self, group, shard, member)
    }
}

/// The embedded log in a folder of its own.
pub struct EmbeddedFixture {
    folder: TempDir,
    options: Options,
}

impl EmbeddedFixture {
    pub fn new(options: Options) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            options,
        }
    }
}

impl Fixture for EmbeddedFixture {
    fn open(&self) -> Arc<dyn Subject> {
        match Embedded::open(self.folder.path(), self.options.clone()) {
            Ok(log) => log,
            Err(found) => panic!("the embedded log does not open: {found}"),
        }
    }
}

/// The simulated log; opened again it has crashed.
pub struct SimulatedFixture {
    log: Simulated,
    opened: Cell<bool>,
}

impl SimulatedFixture {
    pub fn new(seed: u64, mode: Mode, faults: Faults) -> Self {
        Self {
            log: Simulated::new(seed, mode, faults),
            opened: Cell::new(false),
        }
    }
    pub fn log(&self) -> &Simulated {
        &self.log
    }
}

impl Fixture for SimulatedFixture {
    fn open(&self) -> Arc<dyn Subject> {
        if self.opened.replace(true) {
            self.log.crash();
        }
        Arc::new(self.log.clone())
    }
}
