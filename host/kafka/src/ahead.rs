//! Lanes made before they are asked for.
//!
//! Initialising a transactional id ends what a killed process left open, and the coordinator takes its time for that:
//! librdkafka asks again after half a second. So it begins as soon as the topics are there, beside everything else that
//! a start does.

use crate::lanes::Lanes;
use crate::shared::Shared;
use fermata_core::ports::LogError;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

#[derive(Default)]
pub(crate) struct Ahead {
    /// By member.
    made: Mutex<BTreeMap<String, JoinHandle<Result<Lanes, LogError>>>>,
}

impl Ahead {
    /// Begins to make a member's lanes, unless that is under way.
    pub fn begin(&self, shared: &Arc<Shared>, member: &str, reports: bool) {
        let mut made = self.made.lock();
        if made.contains_key(member) {
            return;
        }
        let (shared, name) = (shared.clone(), member.to_owned());
        let thread = std::thread::Builder::new().name("fermata-lanes".into());
        match thread.spawn(move || Lanes::open(&shared, &name, reports)) {
            Ok(thread) => drop(made.insert(member.to_owned(), thread)),
            Err(error) => tracing::debug!("lanes of {member} are not made ahead: {error}"),
        }
    }

    /// The member's lanes: those that were begun, once they are there, or others.
    pub fn lanes(&self, shared: &Shared, member: &str, reports: bool) -> Result<Lanes, LogError> {
        let begun = self.made.lock().remove(member);
        match begun.map(JoinHandle::join) {
            Some(Ok(Ok(lanes))) => Ok(lanes),
            // What went wrong then may be right by now.
            Some(Ok(Err(_)) | Err(_)) | None => Lanes::open(shared, member, reports),
        }
    }

    /// Waits until nothing is under way: initialised any later, an id would be taken from whoever opens the log next.
    pub fn end(&self) {
        for thread in std::mem::take(&mut *self.made.lock()).into_values() {
            // Nobody wants its lanes, or to hear why there are none.
            drop(thread.join());
        }
    }
}
