//! The SDK's context over the host's calls.

use std::cell::RefCell;

use fermata_core::ports::{HostCalls, Refused};
use fermata_stage::{Context, Entry, Level, Reader};

use crate::convert;
use crate::unwind::abort_call;

/// One call's view of its host. The SDK reads through `&self` and the host answers through `&mut`, hence the cell:
/// no call of the host comes back into the stage, so it is never borrowed twice.
pub struct Bridge<'h> {
    host: RefCell<&'h mut dyn HostCalls>,
}

impl<'h> Bridge<'h> {
    pub fn new(host: &'h mut dyn HostCalls) -> Self {
        Self {
            host: RefCell::new(host),
        }
    }

    /// Asks the host; a refusal ends the stage's call, as a trap would.
    fn ask<T>(&self, question: impl FnOnce(&mut dyn HostCalls) -> Result<T, Refused>) -> T {
        let answer = question(&mut **self.host.borrow_mut());
        answer.unwrap_or_else(|refused| abort_call(refused))
    }
}

impl Reader for Bridge<'_> {
    fn get_raw(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.ask(|host| host.get(store, key)).map(Vec::from)
    }
    fn scan_raw(&self, store: &str, prefix: &[u8], after: Option<&[u8]>, limit: u32) -> Vec<Entry> {
        self.ask(|host| host.scan(store, prefix, after, limit))
            .into_iter()
            .map(convert::entry)
            .collect()
    }
    fn now(&self) -> i64 {
        self.host.borrow().now().0
    }
}

impl Context for Bridge<'_> {
    fn id(&self) -> String {
        self.host.borrow().id().to_owned()
    }
    fn root(&self) -> (String, i64) {
        let host = self.host.borrow();
        let (id, at) = host.root();
        (id.to_owned(), at.0)
    }
    fn random(&mut self) -> u64 {
        self.host.borrow_mut().random()
    }
    fn put_raw(&mut self, store: &str, key: &[u8], value: &[u8]) {
        self.ask(|host| host.put(store, key, value));
    }
    fn delete_raw(&mut self, store: &str, key: &[u8]) {
        self.ask(|host| host.delete(store, key));
    }
    fn set_timer(&mut self, id: &str, at: i64, payload: &[u8]) {
        self.ask(|host| host.set_timer(id, convert::timestamp(at), payload));
    }
    fn cancel_timer(&mut self, id: &str) {
        self.ask(|host| host.cancel_timer(id));
    }
    fn add(&mut self, metric: &str, labels: &[&str], value: u64) {
        self.ask(|host| host.add(metric, &owned(labels), value));
    }
    fn set(&mut self, metric: &str, labels: &[&str], value: i64) {
        self.ask(|host| host.set(metric, &owned(labels), value));
    }
    fn observe(&mut self, metric: &str, labels: &[&str], value: f64) {
        self.ask(|host| host.observe(metric, &owned(labels), value));
    }
    fn log(&mut self, level: Level, message: &str) {
        self.ask(|host| host.log(convert::level(level), message));
    }
}

fn owned(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|&label| label.to_owned()).collect()
}
